import { crc32 } from 'node:zlib'
import { Genesis as WireGenesis } from '../gen/synod/peer/v1/peer.js'
import { ChainLink, Checkpoint, Owner } from '../gen/synod/storage/v1/storage.js'
import type { Genesis, LogEntry, Slot } from '../paxos/types.js'
import { genesisToWire } from '../wire/peer-fields.js'
import { decodeValue, encodeValue } from '../wire/value.js'

// A key is a tag and, for the log and the chain, a big-endian 64-bit number, so that LevelDB keeps them in order.
//
//   c <number>   ChainLink            l <slot>   ballot (8 bytes, big-endian), then the encoded Value
//   m genesis    Genesis              s <key>    the state machine's value under that key, in UTF-8
//   m checkpoint Checkpoint
//   m owner      Owner
//
// A record is one byte with its format, its body, and the CRC-32 of key, format and body in four bytes.
// LevelDB hands out wrong values, and values under wrong keys, without a word; the checksum covers both.

export const CHAIN_TAG = 0x63
export const LOG_TAG = 0x6c
export const META_TAG = 0x6d
export const STATE_TAG = 0x73

export const GENESIS_KEY = Buffer.from('mgenesis')
export const CHECKPOINT_KEY = Buffer.from('mcheckpoint')
export const OWNER_KEY = Buffer.from('mowner')

const RECORD_FORMAT = 1
const FORMAT_BYTES = 1
const CHECKSUM_BYTES = 4
const NUMBER_BYTES = 8
const TWO_TO_32 = 2 ** 32
/** As state-machine.ts says. */
const STATE_KEY_BYTES_MAX = 8_192
const LONE_SURROGATE = /\p{Surrogate}/u

/** A record that cannot be what was written. The message names it. */
export class RecordError extends Error {
  override readonly name: string = 'RecordError'
}

/** A record of a format that only a newer version knows. */
export class UnknownFormatError extends RecordError {
  override readonly name = 'UnknownFormatError'
}

function writeNumber(target: Buffer, value: number, offset: number): void {
  target.writeUInt32BE(Math.floor(value / TWO_TO_32), offset)
  target.writeUInt32BE(value % TWO_TO_32, offset + 4)
}

function readNumber(source: Buffer, offset: number): number {
  return source.readUInt32BE(offset) * TWO_TO_32 + source.readUInt32BE(offset + 4)
}

function numberKey(tag: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(1 + NUMBER_BYTES)
  key[0] = tag
  writeNumber(key, number, 1)
  return key
}

export function chainKey(number: number): Buffer {
  return numberKey(CHAIN_TAG, number)
}

export function logKey(slot: Slot): Buffer {
  return numberKey(LOG_TAG, slot)
}

/** The slot of a log key, the number of a chain key. */
export function numberOfKey(key: Buffer): number {
  if (key.length !== 1 + NUMBER_BYTES) throw new RecordError(`the key ${key.toString('hex')} is not one of ours`)
  return readNumber(key, 1)
}

/** @throws RangeError when the machine's key is not well formed or longer than 8,192 bytes. */
export function stateKey(key: string): Buffer {
  if (LONE_SURROGATE.test(key)) throw new RangeError('a state key must be well-formed Unicode')
  const bytes = Buffer.from(`s${key}`)
  if (bytes.length - 1 > STATE_KEY_BYTES_MAX)
    throw new RangeError(`a state key must be at most ${STATE_KEY_BYTES_MAX} bytes long`)
  return bytes
}

export function nameOfStateKey(key: Buffer): string {
  return key.toString('utf8', 1)
}

/** For people: what stands under a key. */
function describe(key: Buffer): string {
  const tag: number | undefined = key[0]
  switch (tag) {
    case undefined:
      return 'the empty key'
    case CHAIN_TAG:
      return `write ${numberOfKey(key)} of the chain`
    case LOG_TAG:
      return `slot ${numberOfKey(key)} of the log`
    case META_TAG:
      return `the record "${nameOfStateKey(key)}"`
    case STATE_TAG:
      return `the checkpoint's entry ${JSON.stringify(nameOfStateKey(key))}`
    default:
      return `the key ${key.toString('hex')}`
  }
}

function newRecord(bodyBytes: number): Buffer {
  const record = Buffer.allocUnsafe(FORMAT_BYTES + bodyBytes + CHECKSUM_BYTES)
  record[0] = RECORD_FORMAT
  return record
}

function checksum(key: Buffer, record: Buffer): number {
  return crc32(record.subarray(0, record.length - CHECKSUM_BYTES), crc32(key))
}

function sealRecord(key: Buffer, record: Buffer): Buffer {
  record.writeUInt32BE(checksum(key, record), record.length - CHECKSUM_BYTES)
  return record
}

/** Frames a body that is already encoded. */
export function seal(key: Buffer, body: Uint8Array): Buffer {
  const record = newRecord(body.length)
  record.set(body, FORMAT_BYTES)
  return sealRecord(key, record)
}

/** Checks a record as it was read. Gives its body, not copied, as plain bytes. @throws RecordError */
export function unseal(key: Buffer, record: Buffer): Uint8Array {
  if (record.length < FORMAT_BYTES + CHECKSUM_BYTES) throw new RecordError(`${describe(key)} is cut short`)
  if (checksum(key, record) !== checksumOf(record)) throw new RecordError(`${describe(key)} does not match its checksum`)
  const format = record[0] ?? 0
  if (format > RECORD_FORMAT) {
    throw new UnknownFormatError(`${describe(key)} has format ${format}; this version knows formats up to ${RECORD_FORMAT}`)
  }
  if (format !== RECORD_FORMAT) throw new RecordError(`${describe(key)} has format ${format}, which never was`)
  return new Uint8Array(record.buffer, record.byteOffset + FORMAT_BYTES, record.length - FORMAT_BYTES - CHECKSUM_BYTES)
}

/** The checksum that a record ends with. */
export function checksumOf(record: Buffer): number {
  return record.readUInt32BE(record.length - CHECKSUM_BYTES)
}

/** Copies the value's bytes, which were encoded once, straight into the record. */
export function sealLogEntry(key: Buffer, entry: LogEntry): Buffer {
  const value = encodeValue(entry.value)
  const record = newRecord(NUMBER_BYTES + value.length)
  writeNumber(record, entry.ballot, FORMAT_BYTES)
  record.set(value, FORMAT_BYTES + NUMBER_BYTES)
  return sealRecord(key, record)
}

/** @throws RecordError */
export function unsealLogEntry(key: Buffer, record: Buffer): LogEntry {
  const body = unseal(key, record)
  return decoding(key, () => ({
    slot: numberOfKey(key),
    ballot: readNumber(record, FORMAT_BYTES),
    value: decodeValue(body.subarray(NUMBER_BYTES)),
  }))
}

export function sealLink(key: Buffer, link: ChainLink): Buffer {
  return seal(key, ChainLink.encode(link).finish())
}

/** @throws RecordError */
export function unsealLink(key: Buffer, record: Buffer): ChainLink {
  const body = unseal(key, record)
  return decoding(key, () => ChainLink.decode(body))
}

export function sealGenesis(genesis: Genesis): Buffer {
  return seal(GENESIS_KEY, WireGenesis.encode(genesisToWire(genesis)).finish())
}

/** @throws RecordError */
export function unsealGenesis(record: Buffer): Genesis {
  const body = unseal(GENESIS_KEY, record)
  return decoding(GENESIS_KEY, () => WireGenesis.decode(body))
}

export function sealCheckpoint(checkpoint: Checkpoint): Buffer {
  return seal(CHECKPOINT_KEY, Checkpoint.encode(checkpoint).finish())
}

/** @throws RecordError */
export function unsealCheckpoint(record: Buffer): Checkpoint {
  const body = unseal(CHECKPOINT_KEY, record)
  return decoding(CHECKPOINT_KEY, () => Checkpoint.decode(body))
}

export function sealOwner(owner: Owner): Buffer {
  return seal(OWNER_KEY, Owner.encode(owner).finish())
}

/** @throws RecordError */
export function unsealOwner(record: Buffer): Owner {
  const body = unseal(OWNER_KEY, record)
  return decoding(OWNER_KEY, () => Owner.decode(body))
}

/** The checksum was right and the bytes are still not what they should be: a defect, and no reason to go on. */
function decoding<T>(key: Buffer, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    throw new RecordError(`${describe(key)} cannot be decoded`, { cause })
  }
}
