/**
 * A bound that clients share: whoever has less than what is free gets more. One client alone may take half of it, the second of two a
 * third, and as much is left for the next one ("dynamic thresholds", Choudhury and Hahne, 1998).
 */
export class SharedLimit<Client> {
  readonly #max: number
  readonly #counts = new Map<Client, number>()
  #count = 0

  constructor(max: number) {
    this.#max = max
  }

  /** All together. */
  get count(): number {
    return this.#count
  }

  /** Returns true when the client may have one more. `share`, up to 1: the part of the bound that may be used now; at least one may. */
  hasRoom(client: Client, share = 1): boolean {
    const free = Math.max(1, Math.floor(this.#max * share)) - this.#count
    return (this.#counts.get(client) ?? 0) < free
  }

  add(client: Client, count = 1): void {
    this.#counts.set(client, (this.#counts.get(client) ?? 0) + count)
    this.#count += count
  }

  /** Some that were added are over. */
  remove(client: Client, count = 1): void {
    const left = (this.#counts.get(client) ?? 0) - count
    if (left > 0) this.#counts.set(client, left)
    else this.#counts.delete(client)
    this.#count -= count
  }
}
