import { decodeText, encodeText } from '../encoding/text.js'
import type { Slot } from '../paxos/types.js'

// A key is a tag and, for the log, the chain and the undo pages, a big-endian 64-bit number, so that LevelDB keeps them in order.
//
//   b <number>   UndoPage             l <slot>     ballot (8 bytes, big-endian), then the encoded Value
//   c <number>   ChainLink            m applyFailure  ApplyFailure
//   h <key>      a history entry      m genesis    Genesis
//   i <key>      the same of          m checkpoint Checkpoint
//                generation 1         m incoming   IncomingCheckpoint
//                                     m owner      Owner
//                                     m unsupportedLevel  UnsupportedLevel
//                                     s <key>      a state entry: the state machine's value under that key, in UTF-8
//                                     t <key>      the same of generation 1
//
// The checkpoint's entries have one of two generations; the other generation takes a checkpoint that is fetched from a peer. Tags are
// ordered so that one pass over all keys is enough: undo pages, the chain and the log come before the records that need them.

export const UNDO_TAG = 0x62
export const CHAIN_TAG = 0x63
export const LOG_TAG = 0x6c
export const META_TAG = 0x6d

/** One of the two sets of checkpoint entries. One is in use; the other is free for a checkpoint from a peer. */
export type Generation = 0 | 1

/** The kind of a checkpoint entry. 'state' entries are also held in memory; 'history' entries are only on disk. */
export type Keyspace = 'state' | 'history'

const TAGS: Readonly<Record<Keyspace, readonly [number, number]>> = { history: [0x68, 0x69], state: [0x73, 0x74] }
/** All keyspaces, in the order of their tags. */
export const KEYSPACES: readonly Keyspace[] = ['history', 'state']

/** Every tag that is ever written, ascending. */
export const ALL_TAGS: readonly number[] = [UNDO_TAG, CHAIN_TAG, ...TAGS.history, LOG_TAG, META_TAG, ...TAGS.state]

export const APPLY_FAILURE_KEY = Buffer.from('mapplyFailure')
export const GENESIS_KEY = Buffer.from('mgenesis')
export const CHECKPOINT_KEY = Buffer.from('mcheckpoint')
export const INCOMING_KEY = Buffer.from('mincoming')
export const OWNER_KEY = Buffer.from('mowner')
export const UNSUPPORTED_LEVEL_KEY = Buffer.from('munsupportedLevel')

const NUMBER_BYTES = 8
const TWO_TO_32 = 2 ** 32
/** The longest key of a state machine's entry, in bytes of UTF-8; state-machine.ts has the same bound. */
const ENTRY_KEY_BYTES_MAX = 8_192

export function writeNumber(target: Buffer, value: number, offset: number): void {
  target.writeUInt32BE(Math.floor(value / TWO_TO_32), offset)
  target.writeUInt32BE(value % TWO_TO_32, offset + 4)
}

export function readNumber(source: Buffer, offset: number): number {
  return source.readUInt32BE(offset) * TWO_TO_32 + source.readUInt32BE(offset + 4)
}

function numberKey(tag: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(1 + NUMBER_BYTES)
  key[0] = tag
  writeNumber(key, number, 1)
  return key
}

export function undoKey(number: number): Buffer {
  return numberKey(UNDO_TAG, number)
}

export function chainKey(number: number): Buffer {
  return numberKey(CHAIN_TAG, number)
}

export function logKey(slot: Slot): Buffer {
  return numberKey(LOG_TAG, slot)
}

/** Returns the number in a log, chain or undo key; undefined for any other key. */
export function numberOfKey(key: Buffer): number | undefined {
  return key.length === 1 + NUMBER_BYTES ? readNumber(key, 1) : undefined
}

/** Returns the key of an entry. @throws TypeError when `name` is not well-formed text, RangeError when it is longer than 8,192 bytes */
export function entryKey(keyspace: Keyspace, generation: Generation, name: string): Buffer {
  const text = encodeText(name)
  if (text.length > ENTRY_KEY_BYTES_MAX) throw new RangeError(`a state key must be at most ${ENTRY_KEY_BYTES_MAX} bytes long`)
  const key = Buffer.allocUnsafe(1 + text.length)
  key[0] = TAGS[keyspace][generation]
  key.set(text, 1)
  return key
}

/** Returns the state machine's key of an entry. @throws TypeError when it is not UTF-8; no key that we write is so */
export function nameOfKey(key: Buffer): string {
  return decodeText(key.subarray(1))
}

export function entryTag(keyspace: Keyspace, generation: Generation): number {
  return TAGS[keyspace][generation]
}

/** Returns the keyspace of an entry's key; undefined for a key that is not an entry's. */
export function keyspaceOf(key: Uint8Array): Keyspace | undefined {
  const tag: number | undefined = key[0]
  switch (tag) {
    case TAGS.history[0]:
    case TAGS.history[1]:
      return 'history'
    case TAGS.state[0]:
    case TAGS.state[1]:
      return 'state'
    case undefined:
    default:
      return undefined
  }
}

/** Returns the generation of an entry's key. */
export function generationOf(key: Uint8Array): Generation {
  return key[0] === TAGS.history[1] || key[0] === TAGS.state[1] ? 1 : 0
}

/** Returns a copy of an entry's key, moved to that generation. */
export function inGeneration(key: Uint8Array, generation: Generation): Buffer {
  const copy = Buffer.from(key)
  const keyspace = keyspaceOf(key)
  if (keyspace !== undefined) copy[0] = TAGS[keyspace][generation]
  return copy
}

export function otherGeneration(generation: Generation): Generation {
  return generation === 0 ? 1 : 0
}

/** Returns the range of all keys with that tag. */
export function rangeOfTag(tag: number): { gte: Buffer; lt: Buffer } {
  return { gte: Buffer.from([tag]), lt: Buffer.from([tag + 1]) }
}
