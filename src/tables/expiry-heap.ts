/** A hold and when it ends by itself, in log time. */
export interface Expiry {
  readonly atMs: number
  readonly id: string
}

/** In the heap. */
export interface HeapEntry extends Expiry {
  /** Where it stands: the heap's own. */
  place: number
}

/** Holds by (time, id), the earliest on top: a binary heap whose entries know their places, so that any can be taken out. */
export class ExpiryHeap {
  readonly #entries: HeapEntry[] = []

  /** The earliest entry. */
  get first(): Expiry | undefined {
    return this.#entries[0]
  }

  push(entry: HeapEntry): void {
    entry.place = this.#entries.push(entry) - 1
    this.#rise(entry.place)
  }

  /** Takes out an entry that is there. */
  remove(entry: HeapEntry): void {
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

  #put(entry: HeapEntry, place: number): void {
    this.#entries[place] = entry
    entry.place = place
  }
}
