import type { UndoPage } from '../../gen/synod/storage/v1/storage.js'

interface UndoneEntry {
  readonly key: Buffer
  /** The earlier record; undefined when there was none. */
  readonly record: Buffer | undefined
}

/**
 * Applies undo pages to entries as they are read in the order of their keys. The result is the committed checkpoint, without the
 * pieces of the next one that are already on disk.
 */
export class UndoneEntries {
  #pageCount = 0
  /** Undone entries by key (as a latin1 string). The first page that names a key has the oldest record, which counts. */
  readonly #byKey = new Map<string, UndoneEntry>()
  /** The same, ascending by key. */
  #ordered: UndoneEntry[] | undefined
  #next = 0

  get pageCount(): number {
    return this.#pageCount
  }

  get isEmpty(): boolean {
    return this.#pageCount === 0
  }

  /** Adds an undo page. Pages must be added in the order in which they were written. */
  addPage({ keys, records }: UndoPage): void {
    this.#pageCount += 1
    for (const [i, bytes] of keys.entries()) {
      const key = asBuffer(bytes)
      const name = key.toString('latin1')
      const record = records[i]
      if (this.#byKey.has(name)) continue
      this.#byKey.set(name, { key, record: record === undefined || record.length === 0 ? undefined : asBuffer(record) })
    }
  }

  /** Returns the committed entries up to and at a key that was read: undone entries before it, and its own earlier record, if any. */
  *inPlaceOf(key: Buffer, record: Buffer): Generator<[Buffer, Buffer]> {
    for (;;) {
      const undone = this.#sorted()[this.#next]
      const order = undone === undefined ? 1 : Buffer.compare(undone.key, key)
      if (undone === undefined || order > 0) break
      this.#next += 1
      if (undone.record !== undefined) yield [undone.key, undone.record]
      if (order === 0) return
    }
    yield [key, record]
  }

  /** Returns the undone entries after the last key that was read. */
  *rest(): Generator<[Buffer, Buffer]> {
    for (const { key, record } of this.#sorted().slice(this.#next)) if (record !== undefined) yield [key, record]
  }

  #sorted(): UndoneEntry[] {
    this.#ordered ??= [...this.#byKey.values()].toSorted((a, b) => Buffer.compare(a.key, b.key))
    return this.#ordered
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
