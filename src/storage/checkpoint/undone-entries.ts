import type { UndoPage } from '../../gen/synod/storage/v1/storage.js'

interface Undone {
  readonly key: Buffer
  /** Undefined: there was none. */
  readonly record: Buffer | undefined
}

/**
 * The checkpoint's entries as they were before a part of the next one was written over them, for somebody who goes through all entries
 * in the order of their keys.
 */
export class UndoneEntries {
  #pageCount = 0
  /** By key, in the form of a string with a character for each byte; the oldest record counts. */
  readonly #byKey = new Map<string, Undone>()
  /** Ascending. */
  #ordered: Undone[] | undefined
  #next = 0

  get pageCount(): number {
    return this.#pageCount
  }

  get isEmpty(): boolean {
    return this.#pageCount === 0
  }

  /** In the order in which they were written. */
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

  /** What counts instead of an entry that was found, with all that is missing before it. */
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

  /** What is missing after the last entry that was found. */
  *rest(): Generator<[Buffer, Buffer]> {
    for (const { key, record } of this.#sorted().slice(this.#next)) if (record !== undefined) yield [key, record]
  }

  #sorted(): Undone[] {
    this.#ordered ??= [...this.#byKey.values()].toSorted((a, b) => Buffer.compare(a.key, b.key))
    return this.#ordered
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
