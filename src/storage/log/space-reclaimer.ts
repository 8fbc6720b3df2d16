import type { Database } from '../leveldb/database.js'

/**
 * Has LevelDB give back the room of what was removed, in the background, one range at a time: by itself it would do so only when other
 * writes happen to come by there.
 */
export class SpaceReclaimer {
  readonly #db: Database
  readonly #onError: (error: unknown) => void
  /** To be done, by where they begin: of one that is asked for again meanwhile, the longer range counts. */
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

  /** Begins no other, and waits for the one under way. */
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
