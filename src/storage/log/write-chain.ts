/** One big write must not have to remove thousands of links of small ones; the next writes take their share. */
const TRIM_COUNT_MAX = 64
const SKIPPED_MAX = 65_536

/**
 * Which writes still have their link in the chain. Links are kept for far more bytes than LevelDB's logs can hold, because that is
 * where writes get lost without a word; what has reached a table file is covered by checksums and tallies.
 */
export class WriteChain {
  readonly #keptBytesMin: number
  #firstKept: number
  /** Bytes of the writes from #firstKept on, after #skipped entries that are no longer needed. */
  #sizes: number[]
  #skipped = 0
  #keptBytes: number

  constructor(options: { readonly firstKept: number; readonly sizes: number[]; readonly keptBytesMin: number }) {
    this.#firstKept = options.firstKept
    this.#sizes = options.sizes
    this.#keptBytes = options.sizes.reduce((sum, bytes) => sum + bytes, 0)
    this.#keptBytesMin = options.keptBytesMin
  }

  get firstKept(): number {
    return this.#firstKept
  }

  get lastNumber(): number {
    return this.#firstKept + this.#sizes.length - this.#skipped - 1
  }

  /** Adds a link for the next write. Gives the numbers of the links that may go with it, the first of them and how many. */
  extend(writeBytes: number): { readonly trimFrom: number; readonly trimCount: number } {
    this.#sizes.push(writeBytes)
    this.#keptBytes += writeBytes
    const trimFrom = this.#firstKept
    while (this.#firstKept < trimFrom + TRIM_COUNT_MAX) {
      const oldest = this.#sizes[this.#skipped]
      if (oldest === undefined || this.#keptBytes - oldest < this.#keptBytesMin) break
      this.#keptBytes -= oldest
      this.#firstKept += 1
      this.#skipped += 1
    }
    if (this.#skipped >= SKIPPED_MAX) {
      this.#sizes = this.#sizes.slice(this.#skipped)
      this.#skipped = 0
    }
    return { trimFrom, trimCount: this.#firstKept - trimFrom }
  }
}
