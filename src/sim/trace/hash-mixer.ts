const PRIME = 0x01000193
const PRIME_2 = 0x85ebca6b
const BASIS = 0x811c9dc5
const BASIS_2 = 0x9747b28c

/**
 * A hash of numbers and texts. It uses 32-bit integer arithmetic only, so that it is the same on every machine and in every version of
 * Node, and allocates nothing.
 */
export class HashMixer {
  #low = BASIS
  #high = BASIS_2

  /** Returns 16 hexadecimal digits. */
  toString(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  mixBytes(bytes: Uint8Array): void {
    this.mix(bytes.length)
    for (const byte of bytes) this.mix(byte)
  }

  mixText(text: string): void {
    this.mix(text.length)
    for (let i = 0; i < text.length; i++) this.mix(text.charCodeAt(i))
  }

  mix4(a: number, b: number, c: number, d: number): void {
    this.mix(a)
    this.mix(b)
    this.mix(c)
    this.mix(d)
  }

  /** @param number a whole number up to 2^53 */
  mix(number: number): void {
    const word = number | 0
    let low = this.#low ^ word
    // Times and ballots have more than 32 bits.
    if (word !== number) low ^= Math.imul(Math.floor(number / 2 ** 32), PRIME_2)
    low = Math.imul(low, PRIME)
    this.#low = low ^ (low >>> 15)
    this.#high = (Math.imul(this.#high ^ this.#low, PRIME_2) + word) | 0
  }
}
