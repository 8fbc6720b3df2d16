import { setImmediate } from 'node:timers/promises'
import { ByteReader } from './byte-reader.js'
import { FileFormatError } from './file-format-error.js'
import type { Entries } from './leveldb-entries.js'
import type { LevelRecord } from './leveldb-log.js'

// A record of a write-ahead log is an atomic write (LevelDB's db/write_batch.cc):
//
//   sequence number of the first operation (8 bytes) | count (4) | operations: 1 key value (put), 0 key (delete)
//
// Numbers are little-endian. Each operation has the next sequence number. Keys and values begin with their lengths.

const HEADER_BYTES = 12
/** Bytes of a log that are decoded in a turn. */
const TURN_BYTES = 256 * 1_024
/** Entries that are returned at once: about those of a table's block. */
const BLOCK_ENTRIES = 100
const OPERATION = { delete: 0, put: 1 } as const

interface BatchOperation {
  readonly key: Buffer
  /** The record of a put; undefined for a delete. */
  readonly record: Buffer | undefined
  readonly sequence: number
}

/** The newest operation on each key, as in LevelDB's memtable after a replay of its logs. */
export class MemTable {
  /** Operations by key as a latin1 string. These strings sort as the keys do. */
  readonly #newest = new Map<string, BatchOperation>()
  readonly #isWanted: (key: Buffer) => boolean

  /** Operations on unwanted keys are only checked. */
  constructor(isWanted: (key: Buffer) => boolean) {
    this.#isWanted = isWanted
  }

  /** Adds the records of a log. Logs must be added in their order. The event loop takes turns meanwhile. @throws FileFormatError */
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

  /** Returns the operations as entries in the order of their keys, some at a time. */
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
    if (!reader.isAtEnd) throw new FileFormatError('it holds more operations than its header states')
  }
}
