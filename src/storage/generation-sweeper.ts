import { entryTag, type Generation, KEYSPACES, rangeOfTag } from './keys.js'
import { type LinkedWriter, NOTHING_TOLD } from './linked-writer.js'

/** One write removes so many entries. */
const PIECE_ENTRIES = 1_000
const READ_AHEAD_BYTES = 64 * 1_024
/** LevelDB is asked to give the room of so many entries back at once; of fewer it does so in time. */
const RECLAIM_ENTRIES_MIN = 10_000

/** Removes every entry of a generation that is not in use, in pieces between the writes of others. */
export class GenerationSweeper {
  readonly #writer: LinkedWriter
  #sweeping: Promise<void> = Promise.resolve()

  constructor(writer: LinkedWriter) {
    this.#writer = writer
  }

  /** Resolves when no entry of that generation is left, or the storage has failed or is closed. Sweeps come one after the other. */
  sweep(generation: Generation): Promise<void> {
    this.#sweeping = this.#sweeping.then(() => this.#sweep(generation)).catch((error: unknown) => this.#writer.fail(error))
    return this.#sweeping
  }

  async #sweep(generation: Generation): Promise<void> {
    for (const keyspace of KEYSPACES) {
      const range = rangeOfTag(entryTag(keyspace, generation))
      let count = 0
      while (this.#writer.isUsable) {
        const keys = await this.#firstKeys(range)
        if (keys.length === 0) break
        if (!this.#writer.isUsable) return
        await this.#writer.write('background', NOTHING_TOLD, (batch) => {
          for (const key of keys) batch.delete(key)
        })
        count += keys.length
        range.gte = keys.at(-1) ?? range.gte
      }
      if (count >= RECLAIM_ENTRIES_MIN) this.#writer.reclaimer.reclaim(rangeOfTag(entryTag(keyspace, generation)).gte, range.lt)
    }
  }

  async #firstKeys(range: { readonly gte: Buffer; readonly lt: Buffer }): Promise<Buffer[]> {
    const options = { highWaterMarkBytes: READ_AHEAD_BYTES, fillCache: false, values: false, snapshot: undefined }
    const iterator = this.#writer.db.iterator({ ...range, ...options })
    try {
      return (await iterator.nextv(PIECE_ENTRIES)).map(([key]) => key)
    } finally {
      await iterator.close()
    }
  }
}
