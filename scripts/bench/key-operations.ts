import { keyOf, valueOf } from '../lib/bank-load.js'
import type { KeyClient, Operation } from './types.js'

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
