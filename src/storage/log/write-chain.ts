/** Most links that one write removes: a big write must not pay for thousands of small ones. */
const TRIM_COUNT_MAX = 64
const SKIPPED_MAX = 65_536

/**
 * The writes whose links are still in the chain. Links are kept for far more bytes than LevelDB's logs can hold, because writes can be
 * lost without an error only in those logs. Records in table files are covered by checksums and tallies.
 */
export class WriteChain {
  readonly #keptBytesMin: number
  #firstKept: number
  /** Sizes of the writes from #firstKept on, in bytes, after #skipped entries that are no longer needed. */
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

  /** Adds a link for the next write. Returns the links that the write must remove: the first number and the count. */
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
