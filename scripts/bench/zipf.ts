import type { Random } from '../../src/sim/random.js'

/** YCSB's skew, and the size of the sequence that it scrambles, whatever the number of records: both as in its sources. */
const THETA = 0.99
const SCRAMBLED_ITEMS = 10_000_000_000
/** zeta(SCRAMBLED_ITEMS, THETA), which takes minutes to sum up. */
const SCRAMBLED_ZETA = 26.46902820178302
/** So that a 64-bit number can be reduced in doubles. */
const SCATTERED_ITEMS_MAX = 2 ** 21

/** The sum of 1/i^theta for i from 1 to count: what the weights 1/i^theta must be divided by to be frequencies. */
export function zeta(count: number, theta: number): number {
  let sum = 0
  for (let i = 1; i <= count; i++) sum += i ** -theta
  return sum
}

/**
 * Ranks from 0, the most frequent, to count - 1, with frequencies as 1/(rank + 1)^theta: Gray et al., "Quickly generating
 * billion-record synthetic databases" (SIGMOD '94). Exact for the first two ranks, and a close approximation for all others.
 */
export class Zipfian {
  readonly #random: Random
  readonly #count: number
  readonly #zeta: number
  readonly #alpha: number
  readonly #eta: number
  readonly #secondBelow: number

  /** @param zetaOfCount for a count that is too large to sum up. */
  constructor(random: Random, count: number, theta = THETA, zetaOfCount = zeta(count, theta)) {
    this.#random = random
    this.#count = count
    this.#zeta = zetaOfCount
    this.#alpha = 1 / (1 - theta)
    this.#secondBelow = 1 + 0.5 ** theta
    this.#eta = (1 - (2 / count) ** (1 - theta)) / (1 - zeta(2, theta) / zetaOfCount)
  }

  next(): number {
    const u = this.#random.next()
    const scaled = u * this.#zeta
    if (scaled < 1) return 0
    if (scaled < this.#secondBelow) return 1
    return Math.floor(this.#count * (this.#eta * u - this.#eta + 1) ** this.#alpha)
  }
}

/** YCSB's choice of records: Zipfian, with the frequent ones scattered over the whole range instead of all at its beginning. */
export class ScrambledZipfian {
  readonly #ranks: Zipfian
  readonly #count: number

  /** Numbers from 0 to count - 1. */
  constructor(random: Random, count: number) {
    if (count > SCATTERED_ITEMS_MAX) throw new RangeError(`at most ${SCATTERED_ITEMS_MAX} items`)
    this.#ranks = new Zipfian(random, SCRAMBLED_ITEMS, THETA, SCRAMBLED_ZETA)
    this.#count = count
  }

  next(): number {
    return scatter(this.#ranks.next(), this.#count)
  }
}

/**
 * YCSB's FNV hash of a number, modulo `count`: over its eight bytes, the lowest first, xor before multiply, and the absolute value of
 * the 64 bits as a signed number. In two halves of 32 bits each, since bigints would cost more than the rest of the load generator.
 */
export function scatter(value: number, count: number): number {
  let high = 0xcbf29ce4
  let low = 0x84222325
  for (let rest = value, i = 0; i < 8; i++) {
    low = (low ^ (rest % 256)) >>> 0
    rest = Math.floor(rest / 256)
    // Times the FNV prime, 2^40 + 435.
    const product = low * 435
    high = (high * 435 + Math.floor(product / 2 ** 32) + low * 256) % 2 ** 32
    low = product % 2 ** 32
  }
  if (high >= 2 ** 31) {
    low = -low >>> 0
    high = (~high + (low === 0 ? 1 : 0)) >>> 0
  }
  return ((high % count) * 2 ** 32 + low) % count
}
