import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'

// What the bench asks of etcd beyond single puts and reads, written down by hand: some fields are not worth its protos.

export const ETCD_PUT = '/etcdserverpb.KV/Put'
export const ETCD_RANGE = '/etcdserverpb.KV/Range'
export const ETCD_TXN = '/etcdserverpb.KV/Txn'

/** Compare.CompareTarget */
const MOD = 2

export interface EtcdPair {
  readonly key: string
  readonly value: Uint8Array
}

/** A pair as it was read. */
export interface EtcdVersion extends EtcdPair {
  readonly modRevision: number
}

/** A TxnRequest: if the keys still have these revisions, put; otherwise, or if there are none, read them. */
export interface EtcdTxn {
  readonly unchanged: readonly { readonly key: string; readonly modRevision: number }[]
  readonly put: readonly EtcdPair[]
  readonly otherwiseRead: readonly string[]
}

export function encodeTxn({ unchanged, put, otherwiseRead }: EtcdTxn): Uint8Array {
  const writer = new BinaryWriter()
  for (const { key, modRevision } of unchanged) {
    writer.uint32(10).fork().uint32(16).int32(MOD).uint32(26).string(key).uint32(48).int64(modRevision).join()
  }
  for (const { key, value } of put) {
    writer.uint32(18).fork().uint32(18).fork().uint32(10).string(key).uint32(18).bytes(value).join().join()
  }
  for (const key of otherwiseRead) writer.uint32(26).fork().uint32(10).fork().uint32(10).string(key).join().join()
  return writer.finish()
}

/** A TxnRequest that reads these keys at one revision, linearizably. */
export function encodeReads(keys: readonly string[]): Uint8Array {
  const writer = new BinaryWriter()
  for (const key of keys) writer.uint32(18).fork().uint32(10).fork().uint32(10).string(key).join().join()
  return writer.finish()
}

export interface EtcdTxnAnswer {
  readonly succeeded: boolean
  /** What its reads found. */
  readonly versions: readonly EtcdVersion[]
}

export function decodeTxn(bytes: Uint8Array): EtcdTxnAnswer {
  const versions: EtcdVersion[] = []
  let succeeded = false
  forEachField(bytes, (field, reader) => {
    if (field === 2) succeeded = reader.bool()
    else if (field === 3) forEachField(reader.bytes(), (_, operation) => versions.push(...decodeRange(operation.bytes())))
    else return false
    return true
  })
  return { succeeded, versions }
}

/** RangeResponse.kvs; a PutResponse without its previous pair has none either. */
function decodeRange(bytes: Uint8Array): EtcdVersion[] {
  const versions: EtcdVersion[] = []
  forEachField(bytes, (field, reader) => {
    if (field !== 2) return false
    versions.push(decodePair(reader.bytes()))
    return true
  })
  return versions
}

function decodePair(bytes: Uint8Array): EtcdVersion {
  let key = ''
  let modRevision = 0
  let value = new Uint8Array()
  forEachField(bytes, (field, reader) => {
    if (field === 1) key = reader.string()
    else if (field === 3) modRevision = Number(reader.int64())
    else if (field === 5) value = new Uint8Array(reader.bytes())
    else return false
    return true
  })
  return { key, modRevision, value }
}

/** Calls `take` for each field, and skips what it does not take. */
function forEachField(bytes: Uint8Array, take: (field: number, reader: BinaryReader) => boolean | number): void {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag()
    if (take(field, reader) === false) reader.skip(wireType)
  }
}
