import { encode } from '../encoding/encode.js'
import { Value as WireValue } from '../gen/synod/peer/v1/peer.js'
import { NOOP, type Value } from '../paxos/types.js'
import { changeFromWire, changeToWire } from './membership-codec.js'

/** A value is encoded once, by its proposer or by the first who decodes it; messages and records then carry those same bytes. */
const encodings = new WeakMap<Value, Uint8Array>()

export function encodeValue(value: Value): Uint8Array {
  const known = encodings.get(value)
  if (known !== undefined) return known
  const bytes = encode(WireValue, { kind: kindOf(value) })
  encodings.set(value, bytes)
  return bytes
}

function kindOf(value: Value): WireValue['kind'] {
  switch (value.kind) {
    case 'noop':
      return { $case: 'noop', value: {} }
    case 'batch':
      return {
        $case: 'batch',
        value: { timeMs: value.timeMs, commands: value.commands as Uint8Array[], skipped: value.skipped === true },
      }
    case 'membership':
      return { $case: 'membership', value: { epoch: value.epoch, change: changeToWire(value.change) } }
  }
}

/** @throws when the bytes are not a Value. The value keeps (does not copy) the bytes. */
export function decodeValue(bytes: Uint8Array): Value {
  const { kind } = WireValue.decode(bytes)
  switch (kind?.$case) {
    case 'noop':
      return NOOP
    case 'batch': {
      const { timeMs, commands, skipped } = kind.value
      const value: Value = Object.freeze(
        skipped ? { kind: 'batch', timeMs, commands, skipped } : { kind: 'batch', timeMs, commands },
      )
      encodings.set(value, bytes)
      return value
    }
    case 'membership': {
      const { epoch, change } = kind.value
      const value: Value = Object.freeze({ kind: 'membership', epoch, change: changeFromWire(change, 'membership.change') })
      encodings.set(value, bytes)
      return value
    }
    case undefined:
      throw new Error('a Value without a kind')
  }
}
