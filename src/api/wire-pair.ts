import type { KeyValuePair } from '../app/kv/pair.js'
import { bytesOf } from '../encoding/keep.js'
import type { KeyValuePair as WirePair } from '../gen/synod/kv/v1/kv.js'

/** A pair as it goes over the wire. The value may be the state's own: not to be changed. */
export function toWirePair({ key, value, createRevision, modRevision, version }: KeyValuePair): WirePair {
  return { key, value: bytesOf(value), createRevision, modRevision, version }
}
