import { assert } from '../paxos/assert.js'

const SUM_MODULUS = 2 ** 48

/**
 * Counts a set of records and sums their checksums. The order in which records are added and removed does not matter. Two sets that
 * differ by a lost or a revived record have different tallies, except with a probability of 2^-32.
 */
export class RecordTally {
  #count: number
  #sum: number

  constructor(start: { readonly count: number; readonly sum: number } = { count: 0, sum: 0 }) {
    this.#count = start.count
    this.#sum = start.sum
  }

  get count(): number {
    return this.#count
  }

  get sum(): number {
    return this.#sum
  }

  add(checksum: number): void {
    this.#count += 1
    this.#sum = (this.#sum + checksum) % SUM_MODULUS
  }

  remove(checksum: number): void {
    assert(this.#count > 0, 'only a counted record is removed')
    this.#count -= 1
    this.#sum = (this.#sum + SUM_MODULUS - checksum) % SUM_MODULUS
  }

  toRecord(): { count: number; sum: number } {
    return { count: this.#count, sum: this.#sum }
  }

  equals(other: { readonly count: number; readonly sum: number }): boolean {
    return this.#count === other.count && this.#sum === other.sum
  }
}
