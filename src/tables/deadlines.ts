import { assert } from './assert.js'
import { Journal } from './journal.js'
import { DEADLINE_BYTES } from './row-bytes.js'
import { type RowChange, Table } from './table.js'

/** Something that ends by itself, and when, in log time. */
export interface Deadline {
  readonly kind: string
  readonly id: string
  /** In ms since 1970. */
  readonly atMs: number
}

/**
 * Table of everything in a replicated machine that ends by itself: a row by kind and id, with its time; the earliest row is at hand, and
 * rows are taken out in the order of (time, kind, id). A change is O(log n), counts in memory bytes, and is taken back with the group that
 * made it. Where an end moves often, a row may be set earlier than the true end: the machine compares when the row is due, and sets it anew.
 */
export class Deadlines {
  readonly #journal: Journal
  readonly #rows: readonly DeadlineRows[]
  readonly #byKind: ReadonlyMap<string, DeadlineRows>

  /**
   * `kinds`: ends of one time come in this order; a kind has no slash, which separates it from the id in a checkpoint. `journal`: that of the
   * tables which change together with this one.
   */
  constructor(kinds: readonly string[], journal = new Journal()) {
    assert(!kinds.some((kind) => kind.includes('/')), 'a kind has no slash')
    this.#journal = journal
    this.#rows = kinds.map((kind) => new DeadlineRows(journal, kind))
    this.#byKind = new Map(this.#rows.map((rows) => [rows.kind, rows]))
  }

  /** Memory that everything under its journal takes, in bytes: see row-bytes.ts. */
  get bytes(): number {
    return this.#journal.meter.bytes
  }

  /** Number of rows. */
  get size(): number {
    return this.#rows.reduce((sum, rows) => sum + rows.size, 0)
  }

  /** Time of the earliest row; undefined when there is none. O(kinds). */
  get nextMs(): number | undefined {
    return this.#first()?.atMs
  }

  /** Earliest row of a kind. */
  firstOf(kind: string): Deadline | undefined {
    return this.#of(kind).first
  }

  get(kind: string, id: string): number | undefined {
    return this.#of(kind).get(id)?.atMs
  }

  /** Sets a row, in the place of the one that there is. `atMs`: log time, ms since 1970. */
  set(kind: string, id: string, atMs: number): void {
    assert(Number.isFinite(atMs), 'an end has a time')
    this.#of(kind).set(id, new Row(kind, id, atMs))
  }

  /** Does nothing when there is no such row. */
  delete(kind: string, id: string): void {
    this.#of(kind).delete(id)
  }

  /** Takes out the earliest row, if its time has come. */
  takeDue(nowMs: number): Deadline | undefined {
    const first = this.#first()
    if (first === undefined || first.atMs > nowMs) return undefined
    this.delete(first.kind, first.id)
    return first
  }

  /** Every row, in no order that may be relied upon. */
  *values(): Generator<Deadline> {
    for (const rows of this.#rows) yield* rows.values()
  }

  /** Changes since the last call, for a checkpoint, as Table.takeChanges; a row's key is its kind, a slash and its id. */
  takeChanges(): Iterable<RowChange<Deadline>> {
    return chained(this.#rows.map((rows) => ({ kind: rows.kind, changes: rows.takeChanges() })))
  }

  /** Puts back a row of a checkpoint, by the key that takeChanges gave it. */
  load(key: string, atMs: number): void {
    const slash = key.indexOf('/')
    const kind = key.slice(0, slash)
    const id = key.slice(slash + 1)
    this.#of(kind).load(id, new Row(kind, id, atMs))
  }

  #of(kind: string): DeadlineRows {
    const rows = this.#byKind.get(kind)
    if (rows === undefined) throw new Error(`no deadlines of the kind ${kind}: written by a newer version?`)
    return rows
  }

  #first(): Deadline | undefined {
    let first: Deadline | undefined
    for (const rows of this.#rows) {
      const own = rows.first
      if (own !== undefined && (first === undefined || own.atMs < first.atMs)) first = own
    }
    return first
  }
}

function* chained(
  parts: readonly { readonly kind: string; readonly changes: Iterable<RowChange<Row>> }[],
): Generator<RowChange<Deadline>> {
  for (const { kind, changes } of parts) for (const { key, row } of changes) yield { key: `${kind}/${key}`, row }
}

/** A row, with its place in the heap. */
class Row implements Deadline {
  readonly kind: string
  readonly id: string
  readonly atMs: number
  place = -1

  constructor(kind: string, id: string, atMs: number) {
    this.kind = kind
    this.id = id
    this.atMs = atMs
  }
}

/** Rows of one kind, by id, and in a heap. */
class DeadlineRows extends Table<Row> {
  readonly kind: string
  readonly #heap = new Heap<Row>()

  constructor(journal: Journal, kind: string) {
    super(journal, () => DEADLINE_BYTES)
    this.kind = kind
  }

  get first(): Row | undefined {
    return this.#heap.first
  }

  override load(id: string, row: Row): void {
    super.load(id, row)
    this.#heap.push(row)
  }

  protected override write(id: string, row: Row | undefined): void {
    const before = this.get(id)
    super.write(id, row)
    if (before !== undefined) this.#heap.remove(before)
    if (row !== undefined) this.#heap.push(row)
  }
}

interface HeapEntry {
  readonly id: string
  readonly atMs: number
  place: number
}

/** Entries by (time, id), the earliest on top: a binary heap whose entries know their places, so that any can be taken out. */
class Heap<E extends HeapEntry> {
  readonly #entries: E[] = []

  get first(): E | undefined {
    return this.#entries[0]
  }

  push(entry: E): void {
    entry.place = this.#entries.push(entry) - 1
    this.#rise(entry.place)
  }

  /** Takes out an entry that is there. */
  remove(entry: E): void {
    const last = this.#entries.pop()
    if (last === undefined || last === entry) return
    const { place } = entry
    this.#put(last, place)
    this.#rise(place)
    this.#sink(last.place)
  }

  #rise(from: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #sink(from: number): void {
    let at = from
    while (true) {
      const left = 2 * at + 1
      const right = left + 1
      if (left >= this.#entries.length) return
      const child = right < this.#entries.length && this.#isBefore(right, left) ? right : left
      if (!this.#isBefore(child, at)) return
      this.#swap(at, child)
      at = child
    }
  }

  #isBefore(a: number, b: number): boolean {
    const x = this.#entries[a]
    const y = this.#entries[b]
    if (x === undefined || y === undefined) return false
    return x.atMs < y.atMs || (x.atMs === y.atMs && x.id < y.id)
  }

  #swap(a: number, b: number): void {
    const x = this.#entries[a]
    const y = this.#entries[b]
    if (x === undefined || y === undefined) return
    this.#put(y, a)
    this.#put(x, b)
  }

  #put(entry: E, place: number): void {
    this.#entries[place] = entry
    entry.place = place
  }
}
