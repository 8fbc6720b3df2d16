import { WireType } from '@bufbuild/protobuf/wire'
import { bytesOf } from '../../encoding/keep.js'
import { BinaryReader, BinaryWriter } from '../../encoding/protobuf.js'
import { decodeText, encodeText } from '../../encoding/text.js'
import { Command, Result } from '../../gen/synod/session/v1/session.js'
import { LEVEL_MAX } from '../../replication/levels.js'
import type { Moment } from '../../replication/state-machine.js'
import { MarkedBankAndKeys } from '../checkers/quota-marks.js'

// The bank and the keys of the next version (see next-version.ts). It knows one more level, with one more operation and one
// changed bound, and it rewords one sentence. Below that level it must do the same as this version, to the byte.

export const NEXT_LEVEL = LEVEL_MAX + 1
/** The operation of the next level: field 15,001 of Command, a key. It puts the key's own value again, or TOUCHED. */
const TOUCH_FIELD = 15_001
export const TOUCHED = 'touched'
/**
 * The changed bound: below the next level a key has at least 1 byte; from that level on a put's key may be empty, and stands for
 * this one.
 */
export const NAMELESS = 'nameless'
/** Bytes that are no command at any level. */
const NO_COMMAND = new Uint8Array(0)

export function encodeTouch(key: string): Uint8Array {
  return new BinaryWriter()
    .uint32((TOUCH_FIELD << 3) | WireType.LengthDelimited)
    .string(key)
    .finish()
}

/** The next version's machine. */
export class NextBankAndKeys extends MarkedBankAndKeys {
  override readonly levelMax: number = NEXT_LEVEL

  override apply(bytes: Uint8Array, at: Moment): Uint8Array {
    return reworded(super.apply(this.#translated(bytes, at), at))
  }

  /** Translates a command to one that this version knows. */
  #translated(bytes: Uint8Array, { level }: Moment): Uint8Array {
    const touched = touchedKey(bytes)
    if (touched !== undefined) return level < NEXT_LEVEL ? NO_COMMAND : this.#putOfTouch(touched)
    const isAllowed = level >= NEXT_LEVEL
    return isAllowed ? withoutEmptyKey(bytes) : bytes
  }

  #putOfTouch(key: string): Uint8Array {
    const { pair } = this.books.keys.get({ key })
    const value = pair === undefined ? encodeText(TOUCHED) : bytesOf(pair.value)
    return Command.encode({ operation: { $case: 'put', value: { key, value, returnPrevious: true, requestId: '' } } }).finish()
  }
}

/** Returns undefined if the bytes are another command. */
function touchedKey(bytes: Uint8Array): string | undefined {
  const reader = new BinaryReader(bytes)
  if (bytes.length < 3) return undefined
  try {
    const [field, type] = reader.tag()
    return field === TOUCH_FIELD && type === WireType.LengthDelimited ? decodeText(reader.bytes()) : undefined
  } catch {
    return undefined
  }
}

function withoutEmptyKey(bytes: Uint8Array): Uint8Array {
  const command = Command.decode(bytes)
  const { operation } = command
  if (operation?.$case !== 'put' || operation.value.key !== '') return bytes
  operation.value.key = NAMELESS
  return Command.encode(command).finish()
}

/** Changes the words and gRPC codes in a result, as the next version may: no result must contain any. */
function reworded(bytes: Uint8Array): Uint8Array {
  const result = Result.decode(bytes)
  const { outcome } = result
  let hasWords = false
  if (outcome?.$case === 'refusal') {
    hasWords = outcome.value.message !== ''
    outcome.value.message += ', in other words'
  } else if (outcome?.$case === 'transferBatch') {
    for (const each of outcome.value.results) {
      hasWords ||= each.message !== '' || each.code !== 0
      each.message += ', in other words'
    }
  }
  return hasWords ? Result.encode(result).finish() : bytes
}
