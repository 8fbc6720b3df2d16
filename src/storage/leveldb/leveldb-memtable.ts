import { setImmediate } from 'node:timers/promises'
import { ByteReader } from './byte-reader.js'
import { FileFormatError } from './file-format-error.js'
import type { Entries } from './leveldb-entries.js'
import type { LevelRecord } from './leveldb-log.js'

// A record of a write-ahead log is an atomic write (LevelDB's db/write_batch.cc):
//
//   sequence number of the first operation (8 bytes) | count (4) | operations: 1 key value (put), 0 key (delete)
//
// little-endian; each operation has the next sequence number. Keys and values begin with their lengths.

const HEADER_BYTES = 12
/** So much of a log is taken apart in a turn. */
const TURN_BYTES = 256 * 1_024
/** As many as a block of a table may have. */
const BLOCK_ENTRIES = 100
const OPERATION = { delete: 0, put: 1 } as const

interface BatchOperation {
  readonly key: Buffer
  /** Of a put. */
  readonly record: Buffer | undefined
  readonly sequence: number
}

/** The newest operation on each key, as LevelDB's memory table has them after a replay. */
export class MemTable {
  /** By the key's bytes, one to a character: strings of those sort as the keys do. */
  readonly #newest = new Map<string, BatchOperation>()
  readonly #isWanted: (key: Buffer) => boolean

  /** Operations on keys that are not wanted are checked only. */
  constructor(isWanted: (key: Buffer) => boolean) {
    this.#isWanted = isWanted
  }

  /** The logs' records in their order, one log after the other; others have their turn meanwhile. @throws FileFormatError */
  async add(records: Iterable<LevelRecord>): Promise<void> {
    let turnBytes = 0
    for (const { data, offset } of records) {
      turnBytes += data.length
      if (turnBytes >= TURN_BYTES) {
        await setImmediate()
        turnBytes = 0
      }
      try {
        this.#addBatch(data)
      } catch (error) {
        throw error instanceof FileFormatError ? new FileFormatError(`the write at byte ${offset}: ${error.message}`) : error
      }
    }
  }

  /** In the order of their keys, some at a time. */
  *entries(): Generator<Entries> {
    const names = [...this.#newest.keys()].toSorted()
    for (let i = 0; i < names.length; i += BLOCK_ENTRIES) {
      const operations = names.slice(i, i + BLOCK_ENTRIES).map((name) => this.#newest.get(name) as BatchOperation)
      yield {
        keys: operations.map(({ key }) => key),
        records: operations.map(({ record }) => record),
        sequences: operations.map(({ sequence }) => sequence),
      }
    }
  }

  #addBatch(data: Buffer): void {
    if (data.length < HEADER_BYTES) throw new FileFormatError('it is too small')
    const firstSequence = data.readUInt32LE(0) + data.readUInt32LE(4) * 2 ** 32
    const count = data.readUInt32LE(8)
    const reader = new ByteReader(data.subarray(HEADER_BYTES))
    for (let i = 0; i < count; i++) {
      const kind = reader.varint()
      if (kind !== OPERATION.put && kind !== OPERATION.delete)
        throw new FileFormatError(`an operation of an unknown kind, ${kind}`)
      const key = reader.bytes()
      const record = kind === OPERATION.put ? reader.bytes() : undefined
      if (this.#isWanted(key)) this.#newest.set(key.toString('latin1'), { key, record, sequence: firstSequence + i })
    }
    if (!reader.isAtEnd) throw new FileFormatError('it holds more operations than it says')
  }
}
