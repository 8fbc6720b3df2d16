import { keyOf, valueOf } from '../../lib/bank-load.js'
import { takeTurn } from '../measure.js'
import type { Context } from '../scenario.js'
import type { ClientKind, KeyClient, KeyRival, Operation } from '../types.js'
import type { Competitor } from './compare.js'

export const KEYS = 10_000
export const VALUE_BYTES = 100
export const VALUE = valueOf(1, VALUE_BYTES)

/** Puts of 100 B to 10,000 keys, one after the other. */
export function puts(client: KeyClient): Operation {
  return (n) => client.put(keyOf(n % KEYS), VALUE)
}

/** Linearizable reads of the same keys. */
export function gets(client: KeyClient): Operation {
  return (n) => client.get(keyOf(n % KEYS))
}

/** A rival that does these operations, in each turn with a client of its own. */
export function keyCompetitor(
  context: Context,
  rival: KeyRival,
  kind: ClientKind,
  operationOf: (client: KeyClient) => Operation,
): Competitor {
  const { processes } = rival
  return {
    name: kind === 'sdk' ? `${rival.title}, SDK` : rival.title,
    turn: (shape) => takeTurn(context, { client: rival.keyClient(kind), operationOf, processes, shape }),
  }
}
