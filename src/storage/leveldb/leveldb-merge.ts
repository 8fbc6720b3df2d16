import { compareKeys, type Entries, isSameKey } from './leveldb-entries.js'

/** Size from which on a page ends. */
const PAGE_ENTRIES = 1_000
const PAGE_BYTES = 512 * 1_024

/** A sequence of entries in their order: the tables of one level, or the logs. One block is in memory at a time. */
export class SortedRun {
  readonly #tables: AsyncIterator<Iterable<Entries>>
  #blocks: Iterator<Entries> = [][Symbol.iterator]()
  entries: Entries = { keys: [], records: [], sequences: [] }
  /** Index of the first entry that is not taken yet. */
  at = 0

  constructor(tables: AsyncIterable<Iterable<Entries>>) {
    this.#tables = tables[Symbol.asyncIterator]()
  }

  /** Key of the first entry that is not taken yet. */
  get key(): Buffer {
    return this.entries.keys[this.at] as Buffer
  }

  get sequence(): number {
    return this.entries.sequences[this.at] as number
  }

  /** Moves to the next block of the current table; returns false when there is none. */
  nextBlock(): boolean {
    for (;;) {
      const next = this.#blocks.next()
      if (next.done === true) return false
      if (next.value.keys.length === 0) continue
      this.entries = next.value
      this.at = 0
      return true
    }
  }

  /** Moves to the first block of the next table; returns false at the end. */
  async nextTable(): Promise<boolean> {
    for (;;) {
      const next = await this.#tables.next()
      if (next.done === true) return false
      this.#blocks = next.value[Symbol.iterator]()
      if (this.nextBlock()) return true
    }
  }
}

/** Merges runs: returns the newest entry of each key in the order of the keys, without deleted keys, in pages. */
export async function* mergeRuns(runs: readonly SortedRun[]): AsyncGenerator<[Buffer, Buffer][]> {
  const merge = new Merge()
  for (const run of runs) if (await run.nextTable()) merge.insert(run)
  for (;;) {
    const exhausted = merge.fillPage()
    if (merge.isPageFull || exhausted === undefined) {
      const page = merge.takePage()
      if (page.length > 0) yield page
    }
    if (exhausted === undefined) {
      if (merge.isAtEnd) return
    } else if (await exhausted.nextTable()) {
      merge.insert(exhausted)
    }
  }
}

class Merge {
  /** Runs, sorted by their first entries. */
  readonly #heads: SortedRun[] = []
  #page: [Buffer, Buffer][] = []
  #pageBytes = 0
  /** Key of the last entry seen. Older entries of the same key follow it and are skipped. */
  #lastKey: Buffer | undefined

  get isAtEnd(): boolean {
    return this.#heads.length === 0
  }

  get isPageFull(): boolean {
    return this.#page.length >= PAGE_ENTRIES || this.#pageBytes >= PAGE_BYTES
  }

  takePage(): [Buffer, Buffer][] {
    const page = this.#page
    this.#page = []
    this.#pageBytes = 0
    return page
  }

  /** Adds a run that has an entry. */
  insert(run: SortedRun): void {
    let i = 0
    while (i < this.#heads.length && isBefore(this.#heads[i] as SortedRun, run)) i++
    this.#heads.splice(i, 0, run)
  }

  /** Fills the page. Returns a run whose table is used up, removed from the heads; undefined when the page is full or nothing is left. */
  fillPage(): SortedRun | undefined {
    for (;;) {
      const [run, rival] = this.#heads
      if (run === undefined || this.isPageFull) return undefined
      const isRivalNext = this.#takeUntil(rival, run)
      this.#heads.shift()
      if (!isRivalNext && !run.nextBlock()) return run
      this.insert(run)
    }
  }

  /** Takes entries of the run's block until the rival has the next one. Returns true in that case, false at the end of the block. */
  #takeUntil(rival: SortedRun | undefined, run: SortedRun): boolean {
    const { keys, records } = run.entries
    const isAhead = rival === undefined || compareKeys(keys.at(-1) as Buffer, rival.key) < 0
    for (; run.at < keys.length; run.at++) {
      if (!isAhead && isBefore(rival, run)) return true
      const key = keys[run.at] as Buffer
      if (this.#lastKey !== undefined && isSameKey(this.#lastKey, key)) continue
      this.#lastKey = key
      const record = records[run.at]
      if (record === undefined) continue
      this.#page.push([key, record])
      this.#pageBytes += record.length
    }
    return false
  }
}

function isBefore(a: SortedRun, b: SortedRun): boolean {
  const order = compareKeys(a.key, b.key)
  return order === 0 ? a.sequence > b.sequence : order < 0
}
