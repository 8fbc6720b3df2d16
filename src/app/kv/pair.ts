import type { KeptBytes } from '../../tables/kept-bytes.js'
import { utf8Length } from '../../tables/utf8.js'

/** One key as it stands. */
export interface KeyValuePair {
  readonly key: string
  readonly value: KeptBytes
  readonly createRevision: bigint
  readonly modRevision: bigint
  readonly version: bigint
}

/** Largest size of one answer's pairs together, in bytes of keys and values. gRPC's default limit is 4 MiB. */
export const ANSWER_BYTES_MAX = 3 * 1024 * 1024

/** Bytes that a pair takes in an answer, rounded up. */
export function pairBytes(pair: KeyValuePair): number {
  return utf8Length(pair.key) + pair.value.length + 48
}

export function pairsBytes(pairs: readonly KeyValuePair[]): number {
  let bytes = 0
  for (const pair of pairs) bytes += pairBytes(pair)
  return bytes
}
