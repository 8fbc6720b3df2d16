/**
 * What faults that overlap do to the same thing: two partitions may cut one link, two crashes keep one node down. It is mended when the
 * last of them lets go, so that taking one away changes nothing of the others.
 */
export class Holds {
  readonly #counts = new Map<string, number>()

  /** True for the first that takes hold. */
  take(what: string): boolean {
    const count = (this.#counts.get(what) ?? 0) + 1
    this.#counts.set(what, count)
    return count === 1
  }

  /** True for the last that lets go. */
  release(what: string): boolean {
    const count = (this.#counts.get(what) ?? 0) - 1
    if (count > 0) this.#counts.set(what, count)
    else this.#counts.delete(what)
    return count === 0
  }

  /** Whoever holds it lets go. */
  clear(what: string): void {
    this.#counts.delete(what)
  }

  has(what: string): boolean {
    return this.#counts.has(what)
  }
}
