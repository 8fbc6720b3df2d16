import { takeTurn } from '../measure.js'
import type { Context } from '../scenario.js'
import type { ClientKind, KeyClient, KeyRival, Operation } from '../types.js'
import type { Competitor } from './compare.js'

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
