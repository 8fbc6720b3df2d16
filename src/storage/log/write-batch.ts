import type { Batch, Database } from '../leveldb/database.js'

/** Least overhead of an operation in LevelDB's log, with its share of the headers, in bytes. */
const OPERATION_BYTES = 8

/** A write that is being filled. The chained form is five times as fast as LevelDB's array form. */
export class WriteBatch {
  readonly #db: Database
  readonly #batch: Batch
  #bytes = 0

  constructor(db: Database) {
    this.#db = db
    this.#batch = db.batch()
  }

  /** Approximate size in LevelDB's log so far, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Adds a record and returns it. */
  put(key: Buffer, record: Buffer): Buffer {
    this.#batch.put(key, record)
    this.#bytes += key.length + record.length + OPERATION_BYTES
    return record
  }

  delete(key: Buffer): void {
    this.#batch.del(key)
    this.#bytes += key.length + OPERATION_BYTES
  }

  /** Writes the batch with a sync; resolves when all of it is on disk. */
  async write(): Promise<void> {
    await this.#db.write(this.#batch, { sync: true })
  }
}
