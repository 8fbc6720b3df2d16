import { type Change, ChangeList, type Listed } from './change-list.js'
import type { Journal } from './journal.js'
import { KEY_BYTES, ORDERED_KEY_BYTES, textBytes } from './row-bytes.js'
import { ShardedMap } from './sharded-map.js'
import { type Position, SortedKeys } from './sorted-keys.js'

/** A row that has changed since the last checkpoint; `row` is absent when it is gone. */
export interface RowChange<V> {
  readonly key: string
  readonly row: V | undefined
  /** See StateEntry. */
  readonly isNew?: boolean
}

/** A record of a row that has changed. It stays after its row is gone, until a checkpoint has been told so. */
class Place<V> implements Listed<V | undefined> {
  changedIn = 0
  kept: V | undefined
  readonly key: string
  row: V | undefined

  constructor(key: string, row: V | undefined) {
    this.key = key
    this.row = row
  }
}

/** Rows by key. A row is immutable: a change replaces it, so that the journal and a checkpoint may keep the old one. */
export class Table<V extends object> {
  /** Rows of a checkpoint that have not changed since stand for themselves: at a restart there are millions. */
  readonly #rows = new ShardedMap<V | Place<V>>()
  readonly #changes = new ChangeList<Place<V>, V | undefined>((place) => place.row)
  protected readonly journal: Journal
  readonly #bytesOf: (row: V) => number
  #size = 0

  /** `bytesOf`: what a row takes in memory without its key, see row-bytes.ts. Counted by the journal's meter. */
  constructor(journal: Journal, bytesOf: (row: V) => number) {
    this.journal = journal
    this.#bytesOf = bytesOf
  }

  get size(): number {
    return this.#size
  }

  get(key: string): V | undefined {
    const found = this.#rows.get(key)
    return found instanceof Place ? found.row : found
  }

  /** In no order that may be relied upon: not for anything that a command answers. */
  *values(): Generator<V> {
    for (const found of this.#rows.values()) {
      const row = found instanceof Place ? found.row : found
      if (row !== undefined) yield row
    }
  }

  set(key: string, row: V): void {
    if (this.journal.isOpen) this.#journalRow(key)
    this.write(key, row)
  }

  delete(key: string): void {
    if (this.journal.isOpen) this.#journalRow(key)
    this.write(key, undefined)
  }

  /** Puts back a row of a checkpoint, into a table that does not have it. */
  load(key: string, row: V): void {
    this.#rows.set(key, row)
    this.#size++
    this.journal.meter.add(this.keyBytes(key) + this.#bytesOf(row))
  }

  /** The rows that have changed since the last call, as they are now, each key once. O(1): see ChangeList. */
  takeChanges(): Iterable<RowChange<V>> {
    return this.#walk(this.#changes.take())
  }

  protected write(key: string, row: V | undefined): void {
    let place = this.#rows.get(key)
    if (!(place instanceof Place)) {
      if (place === undefined && row === undefined) return
      place = new Place(key, place)
      this.#rows.set(key, place)
    }
    this.#changes.onChange(place)
    this.#count(key, place.row, row)
    place.row = row
  }

  /** Memory of a key, with all that its row needs to be found and to be listed as changed. */
  protected keyBytes(key: string): number {
    return KEY_BYTES + textBytes(key)
  }

  #count(key: string, before: V | undefined, after: V | undefined): void {
    if (before === undefined && after === undefined) return
    const keyBytes = this.keyBytes(key)
    const bytesBefore = before === undefined ? 0 : keyBytes + this.#bytesOf(before)
    const bytesAfter = after === undefined ? 0 : keyBytes + this.#bytesOf(after)
    if (before === undefined) this.#size++
    else if (after === undefined) this.#size--
    this.journal.meter.add(bytesAfter - bytesBefore)
    this.journal.meter.wrote(bytesBefore + bytesAfter)
  }

  /** Makes the undo of what is about to change at that key. */
  protected undoOf(key: string): () => void {
    const previous = this.get(key)
    return () => this.write(key, previous)
  }

  #journalRow(key: string): void {
    this.journal.record(this.undoOf(key))
  }

  *#walk(changes: Iterable<Change<Place<V>, V | undefined>>): Generator<RowChange<V>> {
    for (const { record, state } of changes) {
      yield { key: record.key, row: state }
      if (record.row === undefined && !this.#changes.has(record)) this.#rows.delete(record.key)
    }
  }
}

/**
 * A table whose keys can be walked in the order of their UTF-8 bytes. Very many rows can be cut out at once: their keys are gone, so that
 * nobody finds them; the rows themselves are cleared later, a few at a time. A row whose key is not among the keys is cut.
 */
export class OrderedTable<V extends object> extends Table<V> {
  readonly keys = new SortedKeys()
  /** Rows that are cut and not cleared. */
  #cutCount = 0

  override get(key: string): V | undefined {
    const row = super.get(key)
    return row === undefined || this.#cutCount === 0 || this.keys.has(key) ? row : undefined
  }

  override *values(): Generator<V> {
    if (this.#cutCount === 0) return yield* super.values()
    const everything = [this.keys.position(() => false), this.keys.position(() => true)] as const
    for (const key of this.keys.ascending(...everything)) {
      const row = this.get(key)
      if (row !== undefined) yield row
    }
  }

  /** Cuts out every row between two places, in O(chunks of keys). Gives the keys, for clear. */
  cut(from: Position, to: Position): string[][] {
    const taken = this.keys.cut(from, to)
    const count = taken.reduce((sum, chunk) => sum + chunk.length, 0)
    this.#cutCount += count
    if (this.journal.isOpen) {
      this.journal.record(() => {
        this.keys.attach(taken)
        this.#cutCount -= count
      })
    }
    return taken
  }

  /** Clears a row that is cut, if it is the one that is meant: the key may have another by now. False when there is nothing to clear. */
  clear(key: string, isMeant: (row: V) => boolean): boolean {
    const row = super.get(key)
    if (row === undefined || !isMeant(row) || this.keys.has(key)) return false
    this.write(key, undefined)
    return true
  }

  protected override write(key: string, row: V | undefined): void {
    if (this.#cutCount > 0) return this.#writeAmongCut(key, row)
    const before = this.size
    super.write(key, row)
    if (this.size > before) this.keys.insert(key)
    else if (this.size < before) this.keys.remove(key)
  }

  protected override undoOf(key: string): () => void {
    const cut = this.#cutCount === 0 || this.keys.has(key) ? undefined : super.get(key)
    if (cut === undefined) return super.undoOf(key)
    return () => {
      super.write(key, cut)
      this.keys.remove(key)
      this.#cutCount++
    }
  }

  /** Rows that are cut take no part: a key that comes again takes the place of its row. */
  #writeAmongCut(key: string, row: V | undefined): void {
    const isThere = this.keys.has(key)
    if (!isThere && super.get(key) !== undefined) this.#cutCount--
    super.write(key, row)
    if (isThere && row === undefined) this.keys.remove(key)
    else if (!isThere && row !== undefined) this.keys.insert(key)
  }

  override load(key: string, row: V): void {
    super.load(key, row)
    this.keys.insert(key)
  }

  /** Puts back a row of a checkpoint that is cut and not cleared. */
  loadCut(key: string, row: V): void {
    super.load(key, row)
    this.#cutCount++
  }

  protected override keyBytes(key: string): number {
    return super.keyBytes(key) + ORDERED_KEY_BYTES
  }
}

/** A single value under the same journal. */
export class Cell<T> {
  #current: T
  readonly #journal: Journal

  constructor(journal: Journal, initial: T) {
    this.#journal = journal
    this.#current = initial
  }

  get value(): T {
    return this.#current
  }

  set(value: T): void {
    if (this.#journal.isOpen) {
      const previous = this.#current
      this.#journal.record(() => {
        this.#current = previous
      })
    }
    this.#current = value
  }
}
