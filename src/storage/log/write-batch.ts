import type { Batch, Database } from '../leveldb/database.js'

/** LevelDB's overhead for each operation in its log, at least, with its share of the headers. */
const OPERATION_BYTES = 8

/** A write in the making. The chained form is five times as fast as LevelDB's array form. */
export class WriteBatch {
  readonly #db: Database
  readonly #batch: Batch
  #bytes = 0

  constructor(db: Database) {
    this.#db = db
    this.#batch = db.batch()
  }

  /** About how much room it takes in LevelDB's log so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** Gives the record back. */
  put(key: Buffer, record: Buffer): Buffer {
    this.#batch.put(key, record)
    this.#bytes += key.length + record.length + OPERATION_BYTES
    return record
  }

  delete(key: Buffer): void {
    this.#batch.del(key)
    this.#bytes += key.length + OPERATION_BYTES
  }

  /** Resolves when all of it is on disk. */
  async write(): Promise<void> {
    await this.#db.write(this.#batch, { sync: true })
  }
}
