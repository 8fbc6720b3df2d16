import { encode } from '../encoding/encode.js'
import { maybeText } from '../encoding/text.js'
import { Genesis as WireGenesis } from '../gen/synod/peer/v1/peer.js'
import {
  ChainLink,
  Checkpoint,
  IncomingCheckpoint,
  Owner,
  UndoPage,
  UnsupportedLevel,
  ApplyFailure as WireApplyFailure,
} from '../gen/synod/storage/v1/storage.js'
import type { Genesis, LogEntry } from '../paxos/types.js'
import { genesisFromWire, genesisToWire } from '../protocol/peer-fields.js'
import { decodeValue, encodeValue } from '../protocol/value-codec.js'
import type { RaisedLevel } from '../replication/levels.js'
import { crc32 } from './leveldb/crc32.js'
import {
  APPLY_FAILURE_KEY,
  CHAIN_TAG,
  CHECKPOINT_KEY,
  entryTag,
  GENESIS_KEY,
  generationOf,
  INCOMING_KEY,
  keyspaceOf,
  LOG_TAG,
  META_TAG,
  numberOfKey,
  OWNER_KEY,
  readNumber,
  UNDO_TAG,
  UNSUPPORTED_LEVEL_KEY,
  writeNumber,
} from './record-keys.js'
import type { ApplyFailure } from './storage.js'

// A record is one byte with its format, its body, and the CRC-32 of key, format and body in four bytes.
// LevelDB returns damaged values, and values under wrong keys, without an error; the checksum detects both. record-keys.ts lists the keys.

const RECORD_FORMAT = 1
const FORMAT_BYTES = 1
const CHECKSUM_BYTES = 4
const CHECKSUM_OF_STATE_TAG = crc32(Buffer.of(entryTag('state', 0)), 0, 1)
const CHECKSUM_OF_HISTORY_TAG = crc32(Buffer.of(entryTag('history', 0)), 0, 1)
const NUMBER_BYTES = 8

/** A record that differs from what was written. The message names the record. */
export class RecordError extends Error {
  override readonly name: string = 'RecordError'
}

/** A record of a format that only a newer version knows. */
export class UnknownFormatError extends RecordError {
  override readonly name = 'UnknownFormatError'
}

/** Returns the number in a log, chain or undo key. @throws RecordError for any other key */
export function numberIn(key: Buffer): number {
  const number = numberOfKey(key)
  if (number === undefined) throw unknownKey(key)
  return number
}

export function unknownKey(key: Buffer): RecordError {
  return new RecordError(`the key ${key.toString('hex')} is not one of ours`)
}

/** Returns a description of a key's record, for messages. */
function describe(key: Buffer): string {
  const tag: number | undefined = key[0]
  switch (tag) {
    case undefined:
      return 'the empty key'
    case UNDO_TAG:
      return `page ${numberIn(key)} of the undo pages of an unfinished checkpoint`
    case CHAIN_TAG:
      return `write ${numberIn(key)} of the chain`
    case LOG_TAG:
      return `slot ${numberIn(key)} of the log`
    case META_TAG:
      return `the record ${quoteName(key)}`
    default:
      if (keyspaceOf(key) === undefined) return `the key ${key.toString('hex')}`
      return `the checkpoint's ${keyspaceOf(key) === 'history' ? 'history ' : ''}entry ${quoteName(key)}`
  }
}

/** Returns the key without its tag, readable even when the key is damaged. */
function quoteName(key: Buffer): string {
  const name = maybeText(key.subarray(1))
  return name === undefined ? `${key.subarray(1).toString('hex')}, no text` : JSON.stringify(name)
}

function newRecord(bodyBytes: number): Buffer {
  const record = Buffer.allocUnsafe(FORMAT_BYTES + bodyBytes + CHECKSUM_BYTES)
  record[0] = RECORD_FORMAT
  return record
}

function checksum(key: Buffer, record: Buffer): number {
  return crc32(record, 0, record.length - CHECKSUM_BYTES, checksumOfKey(key))
}

/**
 * Returns the checksum of a key. An entry's key counts as of generation 0, so that its record is the same in both generations and on
 * every node.
 */
function checksumOfKey(key: Buffer): number {
  if (generationOf(key) === 0) return crc32(key, 0, key.length)
  return crc32(key, 1, key.length, keyspaceOf(key) === 'state' ? CHECKSUM_OF_STATE_TAG : CHECKSUM_OF_HISTORY_TAG)
}

function sealRecord(key: Buffer, record: Buffer): Buffer {
  record.writeUInt32BE(checksum(key, record), record.length - CHECKSUM_BYTES)
  return record
}

/** Returns a record with a body that is already encoded. */
export function seal(key: Buffer, body: Uint8Array): Buffer {
  const record = newRecord(body.length)
  record.set(body, FORMAT_BYTES)
  return sealRecord(key, record)
}

/** Checks a record and returns its body, not copied. @throws RecordError */
export function unseal(key: Buffer, record: Buffer): Uint8Array {
  if (record.length < FORMAT_BYTES + CHECKSUM_BYTES) throw new RecordError(`${describe(key)} is cut short`)
  if (checksum(key, record) !== checksumOf(record)) throw new RecordError(`${describe(key)} does not match its checksum`)
  const format = record[0] ?? 0
  if (format > RECORD_FORMAT) {
    throw new UnknownFormatError(`${describe(key)} has format ${format}; this version knows formats up to ${RECORD_FORMAT}`)
  }
  if (format !== RECORD_FORMAT) throw new RecordError(`${describe(key)} has format ${format}, which never existed`)
  return new Uint8Array(record.buffer, record.byteOffset + FORMAT_BYTES, record.length - FORMAT_BYTES - CHECKSUM_BYTES)
}

/** Returns the checksum at the end of a record. */
export function checksumOf(record: Buffer): number {
  return record.readUInt32BE(record.length - CHECKSUM_BYTES)
}

/** Returns the record of a log entry. The value was encoded once; its bytes are copied into the record. */
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
    slot: numberIn(key),
    ballot: readNumber(record, FORMAT_BYTES),
    value: decodeValue(body.subarray(NUMBER_BYTES)),
  }))
}

export function sealLink(key: Buffer, link: ChainLink): Buffer {
  return seal(key, encode(ChainLink, link))
}

/** @throws RecordError */
export function unsealLink(key: Buffer, record: Buffer): ChainLink {
  const body = unseal(key, record)
  return decoding(key, () => ChainLink.decode(body))
}

export function sealGenesis(genesis: Genesis): Buffer {
  return seal(GENESIS_KEY, encode(WireGenesis, genesisToWire(genesis)))
}

/** @throws RecordError */
export function unsealGenesis(record: Buffer): Genesis {
  const body = unseal(GENESIS_KEY, record)
  return decoding(GENESIS_KEY, () => genesisFromWire(WireGenesis.decode(body), 'genesis'))
}

export function sealCheckpoint(checkpoint: Checkpoint): Buffer {
  return seal(CHECKPOINT_KEY, encode(Checkpoint, checkpoint))
}

/** @throws RecordError */
export function unsealCheckpoint(record: Buffer): Checkpoint {
  const body = unseal(CHECKPOINT_KEY, record)
  return decoding(CHECKPOINT_KEY, () => Checkpoint.decode(body))
}

export function sealApplyFailure(failure: ApplyFailure): Buffer {
  return seal(APPLY_FAILURE_KEY, encode(WireApplyFailure, failure))
}

/** @throws RecordError */
export function unsealApplyFailure(record: Buffer): ApplyFailure {
  const body = unseal(APPLY_FAILURE_KEY, record)
  return decoding(APPLY_FAILURE_KEY, () => WireApplyFailure.decode(body))
}

export function sealUnsupportedLevel({ level, levelVersion: version }: RaisedLevel): Buffer {
  return seal(UNSUPPORTED_LEVEL_KEY, encode(UnsupportedLevel, { level, version }))
}

/** @throws RecordError */
export function unsealUnsupportedLevel(record: Buffer): RaisedLevel {
  const body = unseal(UNSUPPORTED_LEVEL_KEY, record)
  const { level, version: levelVersion } = decoding(UNSUPPORTED_LEVEL_KEY, () => UnsupportedLevel.decode(body))
  return { level, levelVersion }
}

export function sealIncoming(incoming: IncomingCheckpoint): Buffer {
  return seal(INCOMING_KEY, encode(IncomingCheckpoint, incoming))
}

/** @throws RecordError */
export function unsealIncoming(record: Buffer): IncomingCheckpoint {
  const body = unseal(INCOMING_KEY, record)
  return decoding(INCOMING_KEY, () => IncomingCheckpoint.decode(body))
}

export function sealUndoPage(key: Buffer, page: UndoPage): Buffer {
  return seal(key, encode(UndoPage, page))
}

/** @throws RecordError */
export function unsealUndoPage(key: Buffer, record: Buffer): UndoPage {
  const body = unseal(key, record)
  return decoding(key, () => UndoPage.decode(body))
}

export function sealOwner(owner: Owner): Buffer {
  return seal(OWNER_KEY, encode(Owner, owner))
}

/** @throws RecordError */
export function unsealOwner(record: Buffer): Owner {
  const body = unseal(OWNER_KEY, record)
  return decoding(OWNER_KEY, () => Owner.decode(body))
}

/** Runs `decode`. A failure in spite of a correct checksum is a defect: the node must stop. @throws RecordError */
export function decoding<T>(key: Buffer, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    throw new RecordError(`${describe(key)} cannot be decoded`, { cause })
  }
}
