import { INTERNAL_WRITE, type LinkedWriter } from '../log/linked-writer.js'
import { entryTag, type Generation, KEYSPACES, rangeOfTag } from '../record-keys.js'

/** Entries that one write removes. */
const PIECE_ENTRIES = 1_000
/** Removed entries from which on their range is compacted at once. LevelDB reclaims smaller ranges by itself in time. */
const RECLAIM_ENTRIES_MIN = 10_000

/** Removes every entry of a generation that is not in use, in small writes between other writes. */
export class GenerationSweeper {
  readonly #writer: LinkedWriter
  #sweeping: Promise<void> = Promise.resolve()

  constructor(writer: LinkedWriter) {
    this.#writer = writer
  }

  /** Returns true when the generation has entries. */
  async hasEntries(generation: Generation): Promise<boolean> {
    for (const keyspace of KEYSPACES) {
      const [first] = await this.#writer.firstKeys(rangeOfTag(entryTag(keyspace, generation)), 1)
      if (first !== undefined) return true
    }
    return false
  }

  /** Removes the entries; resolves when none is left, or the storage has failed or is closed. Sweeps run one after the other. */
  sweep(generation: Generation): Promise<void> {
    this.#sweeping = this.#sweeping.then(() => this.#sweep(generation)).catch((error: unknown) => this.#writer.fail(error))
    return this.#sweeping
  }

  async #sweep(generation: Generation): Promise<void> {
    for (const keyspace of KEYSPACES) {
      const range = rangeOfTag(entryTag(keyspace, generation))
      let count = 0
      while (this.#writer.isUsable) {
        const keys = await this.#writer.firstKeys(range, PIECE_ENTRIES)
        if (keys.length === 0) break
        if (!this.#writer.isUsable) return
        await this.#writer.write('background', INTERNAL_WRITE, (batch) => {
          for (const key of keys) batch.delete(key)
        })
        count += keys.length
        range.gte = keys.at(-1) ?? range.gte
      }
      if (count >= RECLAIM_ENTRIES_MIN) this.#writer.reclaimer.reclaim(rangeOfTag(entryTag(keyspace, generation)).gte, range.lt)
    }
  }
}
