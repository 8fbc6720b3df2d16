/** What has been changed, so that it can be taken back: to a mark set earlier, in a refused group as in a search. */
export class UndoLog {
  readonly isSearched: boolean
  readonly #undos: (() => void)[] = []
  /** Two sums of all rows' hashes: they do not depend on the order in which rows were written. */
  #low = 0
  #high = 0

  /** `isSearched`: keeps a fingerprint of all rows. */
  constructor(isSearched: boolean) {
    this.isSearched = isSearched
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

  /** A row takes the place of another. */
  exchange(before: Entry<unknown> | undefined, after: Entry<unknown> | undefined): void {
    this.#low = (this.#low - (before?.low ?? 0) + (after?.low ?? 0)) | 0
    this.#high = (this.#high - (before?.high ?? 0) + (after?.high ?? 0)) | 0
  }
}

/** A row and its two hashes; 0 if nobody searches. */
interface Entry<V> {
  readonly row: V
  readonly low: number
  readonly high: number
}

/** Rows by key. A row never changes: another takes its place. */
export class Table<V> {
  readonly #name: string
  readonly #log: UndoLog
  readonly #entries = new Map<string, Entry<V>>()

  constructor(name: string, log: UndoLog) {
    this.#name = name
    this.#log = log
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.row
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  /** In no order to rely upon. */
  rows(): V[] {
    return Array.from(this.#entries.values(), ({ row }) => row)
  }

  /** In no order to rely upon. */
  entries(): [string, V][] {
    return Array.from(this.#entries, ([key, { row }]) => [key, row])
  }

  /** In the order of their keys' UTF-8 bytes. */
  sorted(): V[] {
    const entries = [...this.#entries].toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    return entries.map(([, { row }]) => row)
  }

  set(key: string, row: V): void {
    this.#write(key, this.#entryOf(key, row))
  }

  delete(key: string): void {
    this.#write(key, undefined)
  }

  #write(key: string, after: Entry<V> | undefined): void {
    const before = this.#entries.get(key)
    this.#replace(key, before, after)
    this.#log.record(() => this.#replace(key, after, before))
  }

  #replace(key: string, before: Entry<V> | undefined, after: Entry<V> | undefined): void {
    this.#log.exchange(before, after)
    if (after === undefined) this.#entries.delete(key)
    else this.#entries.set(key, after)
  }

  #entryOf(key: string, row: V): Entry<V> {
    if (!this.#log.isSearched) return { row, low: 0, high: 0 }
    const text = `${this.#name}/${key}=${JSON.stringify(row)}`
    return { row, low: hash(text, 0x01000193), high: hash(text, 0x85ebca6b) }
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
