/** A hold and when it ends by itself, in log time. */
export interface Expiry {
  readonly atMs: number
  readonly id: string
}

/**
 * Holds by (time, id), the earliest on top: a binary heap. A hold that ended early, or was rolled back, leaves its entry behind until
 * its time comes: whoever takes it out asks the books whether it still stands.
 */
export class ExpiryHeap {
  readonly #entries: Expiry[] = []

  push(entry: Expiry): void {
    let at = this.#entries.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  /** The earliest entry. */
  get first(): Expiry | undefined {
    return this.#entries[0]
  }

  /** Takes out the first entry whose time has come; undefined when there is none. */
  popDue(nowMs: number): Expiry | undefined {
    const top = this.first
    if (top === undefined || top.atMs > nowMs) return undefined
    const last = this.#entries.pop()
    if (last !== undefined && this.#entries.length > 0) {
      this.#entries[0] = last
      this.#sink()
    }
    return top
  }

  #sink(): void {
    let at = 0
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
    this.#entries[a] = y
    this.#entries[b] = x
  }
}
