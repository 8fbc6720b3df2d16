/** Addresses at which a peer may be, tried in turn until one answers. */
export class PeerAddresses {
  #all: readonly string[]
  /** Dialled, or to be dialled next. */
  #current: string
  /** Tries in vain since the last connection. */
  #failures = 0

  /** The likeliest first; at least one. */
  constructor(addresses: readonly string[]) {
    this.#all = addresses
    this.#current = addresses[0] ?? ''
  }

  get current(): string {
    return this.#current
  }

  get count(): number {
    return this.#all.length
  }

  /** Rounds through all addresses in vain. */
  get rounds(): number {
    return Math.floor(this.#failures / this.#all.length)
  }

  /** Replaces the addresses; the current one stays. Returns how it relates to them. */
  replace(addresses: readonly string[]): { readonly hasCurrent: boolean; readonly isFirstNew: boolean } {
    const isFirstNew = addresses[0] !== this.#all[0]
    this.#all = addresses
    return { hasCurrent: addresses.includes(this.#current), isFirstNew }
  }

  /** Begins anew with the first address. False when that is the current one already. */
  restart(): boolean {
    const [first] = this.#all
    if (first === undefined || first === this.#current) return false
    this.#current = first
    this.#failures = 0
    return true
  }

  onConnected(): void {
    this.#failures = 0
  }

  /** The current address does not answer: the next one's turn. */
  advance(): void {
    this.#failures++
    const at = this.#all.indexOf(this.#current)
    this.#current = this.#all[(at + 1) % this.#all.length] ?? this.#current
  }
}
