const TWO_TO_32 = 2 ** 32

/**
 * A small, fast counting generator (sfc32 by Chris Doty-Humphrey), seeded through splitmix32. It uses integer arithmetic only, so
 * that a seed gives the same run on every machine and in every version of Node.
 */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  /** @param seed any integer; only its low 32 bits are used */
  constructor(seed: number) {
    let state = seed >>> 0
    const mix = (): number => {
      state = (state + 0x9e3779b9) | 0
      let z = state
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      return (z ^ (z >>> 15)) | 0
    }
    this.#a = mix()
    this.#b = mix()
    this.#c = mix()
    for (let i = 0; i < 12; i++) this.#next()
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** Returns a number, uniform in [0, 1). */
  next(): number {
    return this.#next() / TWO_TO_32
  }

  /** Returns true with this probability. Draws nothing when it is 0. */
  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability
  }

  /** Returns a whole number from `min` to `max`, both inclusive. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  /** Returns a number, uniform in [min, max). */
  between(min: number, max: number): number {
    return min + this.next() * (max - min)
  }

  /** Picks one item. @throws RangeError when the list is empty */
  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new RangeError('the list to pick from is empty')
    return from[this.int(0, from.length - 1)] as T
  }

  /** Returns the items in a random order; the given list is not changed. */
  shuffle<T>(list: readonly T[]): T[] {
    const shuffled = [...list]
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.int(0, i)
      ;[shuffled[i], shuffled[j]] = [shuffled[j] as T, shuffled[i] as T]
    }
    return shuffled
  }

  /**
   * Returns an exponentially distributed number. Von Neumann's method (1951) needs comparisons only; the last bit of Math.log may
   * differ between machines.
   */
  exponential(mean: number): number {
    for (let whole = 0; ; whole++) {
      const first = this.next()
      let length = 1
      for (let last = first, u = this.next(); u < last; u = this.next()) {
        last = u
        length++
      }
      if (length % 2 === 1) return (whole + first) * mean
    }
  }

  /** Returns random bytes. */
  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.#next() >>> 24)
  }

  /** Returns a UUID, version 4. */
  uuid(): string {
    const hex = Array.from({ length: 4 }, () => this.#next().toString(16).padStart(8, '0')).join('')
    const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16)
    return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, variant + hex.slice(17, 20), hex.slice(20)].join('-')
  }

  /** Creates an independent generator: drawing from it does not shift what is drawn here. */
  fork(): Random {
    return new Random(this.#next())
  }
}
