import { decodeText } from '../../encoding/text.js'
import type { StateEntry } from '../../replication/state-machine.js'

const PAGE_BYTES = 1_024 * 1_024
/** Bytes of the two lengths before an entry. */
const HEADER_BYTES = 6
/** Entries that are returned at once. */
const ENTRIES_MAX = 1_000

/**
 * The checkpoint's state entries as they were read at the start, packed until they are taken, so that the database is read only once.
 * An entry is the length of its key (2 bytes), the length of its value (4 bytes), the key without its tag, the value.
 */
export class StatePages {
  #pages: Buffer[] = []
  /** Bytes used in the last page. */
  #filled = 0

  /** Adds a copy of an entry. */
  add(key: Buffer, value: Uint8Array): void {
    const bytes = HEADER_BYTES + key.length - 1 + value.length
    let page = this.#pages.at(-1)
    if (page === undefined || this.#filled + bytes > page.length) {
      this.#endPage()
      page = Buffer.allocUnsafe(Math.max(PAGE_BYTES, bytes))
      this.#pages.push(page)
      this.#filled = 0
    }
    page.writeUInt16LE(key.length - 1, this.#filled)
    page.writeUInt32LE(value.length, this.#filled + 2)
    key.copy(page, this.#filled + HEADER_BYTES, 1)
    page.set(value, this.#filled + HEADER_BYTES + key.length - 1)
    this.#filled += bytes
  }

  /** Returns the entries in their order and releases them. */
  *take(): Generator<StateEntry[]> {
    this.#endPage()
    const pages = this.#pages.toReversed()
    this.#pages = []
    for (;;) {
      const page = pages.pop()
      if (page === undefined) return
      yield* entriesIn(page)
    }
  }

  #endPage(): void {
    const page = this.#pages.pop()
    if (page !== undefined) this.#pages.push(page.subarray(0, this.#filled))
  }
}

function* entriesIn(page: Buffer): Generator<StateEntry[]> {
  let entries: StateEntry[] = []
  for (let at = 0; at < page.length; ) {
    const keyEnd = at + HEADER_BYTES + page.readUInt16LE(at)
    const valueEnd = keyEnd + page.readUInt32LE(at + 2)
    const key = decodeText(page.subarray(at + HEADER_BYTES, keyEnd))
    entries.push({ key, value: new Uint8Array(page.buffer, page.byteOffset + keyEnd, valueEnd - keyEnd), keyspace: 'state' })
    at = valueEnd
    if (entries.length < ENTRIES_MAX) continue
    yield entries
    entries = []
  }
  if (entries.length > 0) yield entries
}
