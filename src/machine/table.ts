import { assert } from './assert.js'
import { SortedKeys } from './sorted-keys.js'

/** How to take back what an atomic group has changed so far. Closed outside of groups: then nothing is kept. */
export class Journal {
  #undos: (() => void)[] | undefined

  get isOpen(): boolean {
    return this.#undos !== undefined
  }

  /** Groups do not nest. */
  begin(): void {
    assert(this.#undos === undefined, 'atomic groups do not nest')
    this.#undos = []
  }

  /** Only while the journal is open. */
  record(undo: () => void): void {
    assert(this.#undos !== undefined, 'only an open journal records')
    this.#undos.push(undo)
  }

  commit(): void {
    this.#undos = undefined
  }

  /** Everything is again as it was at begin(). */
  rollback(): void {
    const undos = this.#undos ?? []
    this.#undos = undefined
    for (const undo of undos.toReversed()) undo()
  }
}

/** A row that has changed since the last checkpoint; `row` is absent when it is gone. */
export interface RowChange<V> {
  readonly key: string
  readonly row: V | undefined
}

/** Rows by key. A row is immutable: a change replaces it, so that the journal and a checkpoint may keep the old one. */
export class Table<V extends object> {
  readonly #rows = new Map<string, V>()
  readonly #journal: Journal
  #changed = new Set<string>()

  constructor(journal: Journal) {
    this.#journal = journal
  }

  get size(): number {
    return this.#rows.size
  }

  get(key: string): V | undefined {
    return this.#rows.get(key)
  }

  /** In no order that may be relied upon: not for anything that a command answers. */
  values(): IterableIterator<V> {
    return this.#rows.values()
  }

  set(key: string, row: V): void {
    if (this.#journal.isOpen) this.#journalRow(key)
    this.write(key, row)
  }

  delete(key: string): void {
    if (this.#journal.isOpen) this.#journalRow(key)
    this.write(key, undefined)
  }

  /** Puts back a row of a checkpoint. */
  load(key: string, row: V): void {
    this.write(key, row)
    this.#changed.delete(key)
  }

  /** What has changed since the last call, as it stands now. */
  takeChanges(): RowChange<V>[] {
    const keys = this.#changed
    this.#changed = new Set()
    return Array.from(keys, (key) => ({ key, row: this.#rows.get(key) }))
  }

  protected write(key: string, row: V | undefined): void {
    if (row === undefined) this.#rows.delete(key)
    else this.#rows.set(key, row)
    this.#changed.add(key)
  }

  #journalRow(key: string): void {
    const previous = this.#rows.get(key)
    this.#journal.record(() => this.write(key, previous))
  }
}

/** A table whose keys can be walked in the order of their UTF-8 bytes. */
export class OrderedTable<V extends object> extends Table<V> {
  readonly keys = new SortedKeys()

  protected override write(key: string, row: V | undefined): void {
    const existed = this.get(key) !== undefined
    super.write(key, row)
    if (row !== undefined && !existed) this.keys.insert(key)
    if (row === undefined && existed) this.keys.remove(key)
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
