/** Records changes so that they can be undone back to a mark, in a refused group as well as in a search. */
export class UndoLog {
  readonly isSearched: boolean
  readonly #undos: (() => void)[] = []
  /** Two sums over the hashes of all rows: independent of the order of writes. */
  #low = 0
  #high = 0

  /** `isSearched`: maintains a fingerprint of all rows. */
  constructor(isSearched: boolean) {
    this.isSearched = isSearched
  }

  get mark(): number {
    return this.#undos.length
  }

  /** Equal for equal rows, in any order of writes; different for different rows, except by a negligible chance. */
  get fingerprint(): string {
    return `${this.#low}.${this.#high}`
  }

  undoTo(mark: number): void {
    while (this.#undos.length > mark) this.#undos.pop()?.()
  }

  record(undo: () => void): void {
    this.#undos.push(undo)
  }

  /** Replaces a row in the fingerprint. */
  exchange(before: Entry<unknown> | undefined, after: Entry<unknown> | undefined): void {
    this.#low = (this.#low - (before?.low ?? 0) + (after?.low ?? 0)) | 0
    this.#high = (this.#high - (before?.high ?? 0) + (after?.high ?? 0)) | 0
  }
}

/** A row and its two hashes; 0 without a fingerprint. */
interface Entry<V> {
  readonly row: V
  readonly low: number
  readonly high: number
}

/** Rows by key. A row is immutable: a change replaces it. */
export class ModelTable<V> {
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

  /** All rows, in an unspecified order. */
  rows(): V[] {
    return Array.from(this.#entries.values(), ({ row }) => row)
  }

  /** All keys and rows, in an unspecified order. */
  entries(): [string, V][] {
    return Array.from(this.#entries, ([key, { row }]) => [key, row])
  }

  /** All rows in the order of the UTF-8 bytes of their keys. */
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

/** FNV-1a over UTF-16 units, then the final mixing of MurmurHash3: sums of plain FNV-1a would keep its regularities. */
function hash(text: string, prime: number): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), prime)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
