import type { LogEntry as WireLogEntry } from '../gen/synod/peer/v1/peer.js'
import type { LogEntry, Value } from '../paxos/types.js'
import { ballot, PeerCodecError, slot } from './peer-fields.js'
import { decodeValue } from './value-codec.js'

export function valueFromWire(bytes: Uint8Array, field: string): Value {
  let value: Value
  try {
    value = decodeValue(bytes)
  } catch (cause) {
    throw new PeerCodecError(field, 'must be an encoded Value', { cause })
  }
  return value
}

/** In ascending order of slots; gaps are the caller's concern. */
export function entriesFromWire(wire: readonly WireLogEntry[], field: string): LogEntry[] {
  const entries: LogEntry[] = []
  let slotBefore = 0
  for (const [i, entry] of wire.entries()) {
    const path = `${field}[${i}]`
    slot(entry.slot, `${path}.slot`)
    if (entry.slot <= slotBefore) throw new PeerCodecError(`${path}.slot`, `must be above ${slotBefore}, not ${entry.slot}`)
    slotBefore = entry.slot
    entries.push({
      slot: entry.slot,
      ballot: ballot(entry.ballot, `${path}.ballot`),
      value: valueFromWire(entry.value, `${path}.value`),
    })
  }
  return entries
}
