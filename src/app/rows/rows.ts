import { encode } from '../../encoding/encode.js'
import { bytesOf } from '../../encoding/keep.js'
import { DELIMITED, RowReader, VARINT } from '../../encoding/row-reader.js'
import {
  AccountRecord,
  AuthorityRecord,
  Counters,
  MovementRecord,
  PairRecord,
  StoredMovementKind,
  StoredMovementStatus,
  UsedIdRecord,
  FirstAnswer as WireFirstAnswer,
  AssetTotals as WireTotals,
} from '../../gen/synod/state/v1/state.js'
import type { KeptBytes } from '../../tables/kept-bytes.js'
import type { Authority } from '../bank/authorities.js'
import type { AssetTotals } from '../bank/ledger.js'
import type { AccountRow, Movement } from '../bank/movement.js'
import type { FirstAnswer } from '../first-answers.js'
import type { KeyValuePair } from '../kv/pair.js'
import type { UsedId } from '../used-ids.js'

/** The form of a row in a checkpoint. Decoders copy what they keep: entries are views of bigger buffers, and slice() of a Buffer is no copy. */
export interface RowCodec<V> {
  encode(row: V): Uint8Array
  /** `id`: what the entry's key says of the row. @throws when the bytes are no such row. */
  decode(bytes: Uint8Array, id: string): V
}

const reader = new RowReader()
export const pairCodec: RowCodec<KeyValuePair> = {
  encode: ({ value, createRevision, modRevision, version }) =>
    encode(PairRecord, { value: bytesOf(value), createRevision, modRevision, version }),
  decode(bytes, key) {
    let value: KeptBytes = ''
    let createRevision = 0n
    let modRevision = 0n
    let version = 0n
    reader.begin(bytes)
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === 8 + DELIMITED) value = reader.kept()
      else if (tag === 16 + VARINT) createRevision = reader.int64()
      else if (tag === 24 + VARINT) modRevision = reader.int64()
      else if (tag === 32 + VARINT) version = reader.int64()
      else reader.skip(tag)
    }
    // The same number, kept once.
    return { key, value, createRevision, modRevision: modRevision === createRevision ? createRevision : modRevision, version }
  },
}

export const accountCodec: RowCodec<AccountRow> = {
  encode: ({ asset, balance, held, overdraftLimit, openedAtMs, movementCount }) =>
    encode(AccountRecord, { asset, balance, held, overdraftLimit, openedMs: openedAtMs, movementCount }),
  decode(bytes, accountId) {
    let asset = ''
    let balance = 0n
    let held = 0n
    let overdraftLimit = 0n
    let openedAtMs = 0
    let movementCount = 0
    reader.begin(bytes)
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === 8 + DELIMITED) asset = reader.text()
      else if (tag === 16 + VARINT) balance = reader.sint64()
      else if (tag === 24 + VARINT) held = reader.int64()
      else if (tag === 32 + VARINT) overdraftLimit = reader.int64()
      else if (tag === 40 + VARINT) openedAtMs = reader.number()
      else if (tag === 48 + VARINT) movementCount = reader.number()
      else reader.skip(tag)
    }
    return { accountId, asset, balance, held, overdraftLimit, openedAtMs, movementCount, lastPlace: 0 }
  },
}

export const movementCodec: RowCodec<Movement> = {
  encode: (movement) => encode(MovementRecord, { ...movement, kind: KINDS[movement.kind], status: STATUSES[movement.status] }),
  decode(bytes) {
    const record = MovementRecord.decode(bytes)
    const kind = KIND_NAMES.get(record.kind)
    const status = STATUS_NAMES.get(record.status)
    if (kind === undefined || status === undefined) {
      throw new Error(`a movement of unknown kind ${record.kind} or status ${record.status}: written by a newer version?`)
    }
    return { ...record, kind, status, refusalReason: record.refusalReason as Movement['refusalReason'] }
  },
}

const KINDS = {
  deposit: StoredMovementKind.DEPOSIT,
  withdrawal: StoredMovementKind.WITHDRAWAL,
  transfer: StoredMovementKind.TRANSFER,
} as const

const STATUSES = {
  posted: StoredMovementStatus.POSTED,
  pending: StoredMovementStatus.PENDING,
  voided: StoredMovementStatus.VOIDED,
  expired: StoredMovementStatus.EXPIRED,
  refused: StoredMovementStatus.REFUSED,
} as const

const KIND_NAMES: ReadonlyMap<StoredMovementKind, Movement['kind']> = namesOf(KINDS)
const STATUS_NAMES: ReadonlyMap<StoredMovementStatus, Movement['status']> = namesOf(STATUSES)

/** The table the other way round. */
function namesOf<Name extends string, Code>(codes: Readonly<Record<Name, Code>>): ReadonlyMap<Code, Name> {
  return new Map((Object.keys(codes) as Name[]).map((name) => [codes[name], name]))
}

export const totalsCodec: RowCodec<AssetTotals> = {
  encode: ({ asset, deposits, withdrawals }) =>
    encode(WireTotals, { asset, deposits: String(deposits), withdrawals: String(withdrawals) }),
  decode(bytes) {
    const { asset, deposits, withdrawals } = WireTotals.decode(bytes)
    return { asset, deposits: BigInt(deposits), withdrawals: BigInt(withdrawals) }
  },
}

export const authorityCodec: RowCodec<Authority> = {
  encode: ({ authorityId, publicKey, isRevoked }) => encode(AuthorityRecord, { authorityId, publicKey, revoked: isRevoked }),
  decode(bytes) {
    const { authorityId, publicKey, revoked } = AuthorityRecord.decode(bytes)
    return { authorityId, publicKey: new Uint8Array(publicKey), isRevoked: revoked }
  },
}

export const firstAnswerCodec: RowCodec<FirstAnswer> = {
  encode: (answer) => encode(WireFirstAnswer, answer),
  decode(bytes) {
    const { digest, answer } = WireFirstAnswer.decode(bytes)
    return { digest, answer: new Uint8Array(answer) }
  },
}

export const usedIdCodec: RowCodec<UsedId> = {
  encode: (used) => encode(UsedIdRecord, used),
  decode: (bytes) => UsedIdRecord.decode(bytes),
}

export const countersCodec: RowCodec<Counters> = {
  encode: (counters) => encode(Counters, counters),
  decode: (bytes) => Counters.decode(bytes),
}

/** Hashes of used ids, four bytes each, little-endian. */
export function encodeHashes(hashes: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(hashes.length * 4)
  const view = new DataView(bytes.buffer)
  for (const [i, hash] of hashes.entries()) view.setUint32(4 * i, hash, true)
  return bytes
}

/** @throws RangeError when the bytes are not whole hashes. */
export function decodeHashes(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true))
}
