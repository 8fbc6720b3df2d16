import { keyOf, valueOf } from '../../lib/bank-load.js'
import { closedLoop } from '../load.js'
import { measure } from '../measure.js'
import type { Context } from '../scenario.js'
import type { ClientKind, KeyClient, KeyRival, Measurement, Operation } from '../types.js'

export const KEYS = 10_000
const VALUE_BYTES = 100
export const VALUE = valueOf(1, VALUE_BYTES)

/** Puts of 100 B to 10,000 keys, one after the other. */
export function puts(client: KeyClient): Operation {
  return (n) => client.put(keyOf(n % KEYS), VALUE)
}

/** Linearizable reads of the same keys. */
export function gets(client: KeyClient): Operation {
  return (n) => client.get(keyOf(n % KEYS))
}

/** One turn of a closed loop, with a client of its own. */
export async function keyTurn(
  context: Context,
  rival: KeyRival,
  kind: ClientKind,
  operationOf: (client: KeyClient) => Operation,
  inFlight: number,
): Promise<Measurement> {
  const client = rival.keyClient(kind)
  const { seconds, warmupSeconds } = context
  try {
    return await measure(rival.processes, (hooks) =>
      closedLoop(operationOf(client), { inFlight, seconds, warmupSeconds, ...hooks }),
    )
  } finally {
    client.close()
  }
}
