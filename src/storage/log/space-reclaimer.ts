import type { Database } from '../leveldb/database.js'

/**
 * Compacts ranges of removed records in the background, one at a time, so that LevelDB frees their disk space. LevelDB by itself does
 * so only when later writes touch the same range.
 */
export class SpaceReclaimer {
  readonly #db: Database
  readonly #onError: (error: unknown) => void
  /** Ranges to compact, by their start. A later request with the same start replaces the earlier, shorter one. */
  readonly #waiting = new Map<string, readonly [Buffer, Buffer]>()
  #running: Promise<void> | undefined

  constructor(db: Database, onError: (error: unknown) => void) {
    this.#db = db
    this.#onError = onError
  }

  reclaim(start: Buffer, end: Buffer): void {
    this.#waiting.set(start.toString('latin1'), [start, end])
    this.#running ??= this.#run()
  }

  /** Drops the waiting ranges and waits for the compaction in progress. */
  async finish(): Promise<void> {
    this.#waiting.clear()
    await this.#running
  }

  async #run(): Promise<void> {
    try {
      for (const [name, [start, end]] of this.#waiting) {
        this.#waiting.delete(name)
        await this.#db.compactRange(start, end)
      }
    } catch (error) {
      this.#onError(error)
    } finally {
      this.#running = undefined
    }
  }
}
