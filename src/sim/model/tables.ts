/** What has been changed, so that it can be taken back: to a mark set earlier, in a refused group as in a search. */
export class UndoLog {
  readonly #undos: (() => void)[] = []
  readonly #isSearched: boolean
  /** Two sums of all rows' hashes: they do not depend on the order in which rows were written. */
  #low = 0
  #high = 0

  /** `isSearched`: keeps a fingerprint of all rows. */
  constructor(isSearched: boolean) {
    this.#isSearched = isSearched
  }

  get mark(): number {
    return this.#undos.length
  }

  /** The same for the same rows, however they came about; otherwise, for all one will ever see, another. */
  get fingerprint(): string {
    return `${this.#low}.${this.#high}`
  }

  undoTo(mark: number): void {
    while (this.#undos.length > mark) this.#undos.pop()?.()
  }

  record(undo: () => void): void {
    this.#undos.push(undo)
  }

  /** A row under this name comes, or goes. */
  count(name: string, row: unknown, sign: 1 | -1): void {
    if (!this.#isSearched || row === undefined) return
    const text = `${name}=${JSON.stringify(row)}`
    this.#low = (this.#low + sign * hash(text, 0x01000193)) | 0
    this.#high = (this.#high + sign * hash(text, 0x85ebca6b)) | 0
  }
}

/** Rows by key. A row never changes: another takes its place. */
export class Table<V> {
  readonly #name: string
  readonly #log: UndoLog
  readonly #rows = new Map<string, V>()

  constructor(name: string, log: UndoLog) {
    this.#name = name
    this.#log = log
  }

  get(key: string): V | undefined {
    return this.#rows.get(key)
  }

  has(key: string): boolean {
    return this.#rows.has(key)
  }

  /** In no order to rely upon. */
  entries(): IterableIterator<[string, V]> {
    return this.#rows.entries()
  }

  /** In the order of their keys' UTF-8 bytes. */
  sorted(): V[] {
    const rows = [...this.#rows].toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    return rows.map(([, row]) => row)
  }

  set(key: string, row: V): void {
    this.#write(key, row)
  }

  delete(key: string): void {
    this.#write(key, undefined)
  }

  #write(key: string, row: V | undefined): void {
    const before = this.#rows.get(key)
    this.#replace(key, before, row)
    this.#log.record(() => this.#replace(key, row, before))
  }

  #replace(key: string, before: V | undefined, row: V | undefined): void {
    const name = `${this.#name}/${key}`
    this.#log.count(name, before, -1)
    this.#log.count(name, row, 1)
    if (row === undefined) this.#rows.delete(key)
    else this.#rows.set(key, row)
  }
}

/** FNV-1a over UTF-16 units, then the last mixing of MurmurHash3, as sums of the bare one would keep its regularities. */
function hash(text: string, prime: number): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), prime)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
