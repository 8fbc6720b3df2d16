/**
 * Counts the faults that hold the same thing broken: two partitions may cut one link, two crashes may keep one node down. It is
 * mended when the last fault releases it, so that removing one fault does not affect the others.
 */
export class FaultHolds {
  readonly #counts = new Map<string, number>()

  /** Adds a hold. Returns true for the first one. */
  take(what: string): boolean {
    const count = (this.#counts.get(what) ?? 0) + 1
    this.#counts.set(what, count)
    return count === 1
  }

  /** Removes a hold. Returns true for the last one. */
  release(what: string): boolean {
    const count = (this.#counts.get(what) ?? 0) - 1
    if (count > 0) this.#counts.set(what, count)
    else this.#counts.delete(what)
    return count === 0
  }

  /** Removes all holds. */
  clear(what: string): void {
    this.#counts.delete(what)
  }

  has(what: string): boolean {
    return this.#counts.has(what)
  }
}
