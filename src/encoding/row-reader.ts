import type { KeptBytes } from '../tables/kept-bytes.js'
import { keep } from './keep.js'
import { decodeText } from './text.js'

/** Amounts and counts that are met often: shared, so that they take no room of their own. */
const SMALL_BIGINTS = Array.from({ length: 1_024 }, (_, i) => BigInt(i))
const TEXTS_MAX = 1_024

/** Field number 1 as varint, field number 2 length-delimited, and so on: as a tag has them. */
export const VARINT = 0
export const DELIMITED = 2

/**
 * Reads a protobuf message field by field, as generated decoders do, at a fifth of their cost: millions of rows are decoded at a
 * restart. One reader serves row after row.
 */
export class RowReader {
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  /** Texts that come again and again, as assets do: each is kept once. */
  readonly #texts = new Map<number, string>()

  begin(bytes: Uint8Array): void {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#at = 0
  }

  /** The next field's number times 8, and its wire type; 0 at the end. */
  tag(): number {
    return this.#at < this.#bytes.length ? this.number() : 0
  }

  /** False when a field number of 0 has ended the reading before its time. */
  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** An unsigned varint up to 2^53. @throws RangeError at the end of the bytes */
  number(): number {
    const bytes = this.#bytes
    let value = 0
    let factor = 1
    while (this.#at < bytes.length) {
      const byte = bytes[this.#at++] as number
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 128
    }
    throw new RangeError('a row ends in the middle of a field')
  }

  /** @throws RangeError for a number that has no exact place in a double */
  safeNumber(): number {
    const value = this.number()
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('a number is above 2^53')
    return value
  }

  /** An int64 or uint64 field. */
  int64(): bigint {
    const from = this.#at
    const value = this.number()
    if (value < SMALL_BIGINTS.length) return SMALL_BIGINTS[value] as bigint
    return value <= Number.MAX_SAFE_INTEGER ? BigInt(value) : BigInt.asIntN(64, this.#exact(from))
  }

  /** A sint64 field. */
  sint64(): bigint {
    const from = this.#at
    const value = this.number()
    if (value > Number.MAX_SAFE_INTEGER) {
      const exact = this.#exact(from)
      return BigInt.asIntN(64, (exact >> 1n) ^ -(exact & 1n))
    }
    const half = Math.floor(value / 2)
    if (value % 2 !== 0) return BigInt(-half - 1)
    return half < SMALL_BIGINTS.length ? (SMALL_BIGINTS[half] as bigint) : BigInt(half)
  }

  /** A bytes field, copied. */
  kept(): KeptBytes {
    const end = this.#end()
    const copy = keep(this.#bytes.subarray(this.#at, end))
    this.#at = end
    return copy
  }

  /** A bytes field as it stands in the row. */
  view(): Uint8Array {
    const end = this.#end()
    const view = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return view
  }

  /** Goes into a message that is the last field of the row; false when it is not the last. */
  enterLast(): boolean {
    return this.#end() === this.#bytes.length
  }

  /** A string field. @throws TypeError when it is not UTF-8 */
  string(): string {
    const end = this.#end()
    const from = this.#at
    this.#at = end
    for (let i = from; i < end; i++) {
      if ((this.#bytes[i] as number) > 0x7f) return decodeText(this.#bytes.subarray(from, end))
    }
    return this.#bytes.toString('latin1', from, end)
  }

  /** A string field whose texts are few. @throws TypeError when it is not UTF-8 */
  text(): string {
    const end = this.#end()
    const from = this.#at
    this.#at = end
    if (end - from > 6) return decodeText(this.#bytes.subarray(from, end))
    // Up to six bytes are a number that names the text.
    let name = 1
    for (let i = from; i < end; i++) name = name * 256 + (this.#bytes[i] as number)
    const known = this.#texts.get(name)
    if (known !== undefined) return known
    const text = decodeText(this.#bytes.subarray(from, end))
    if (this.#texts.size < TEXTS_MAX) this.#texts.set(name, text)
    return text
  }

  /** Passes over the value of a field that this version does not know. */
  skip(tag: number): void {
    if (tag % 8 === VARINT) this.number()
    else if (tag % 8 === DELIMITED) this.#at = this.#end()
    else throw new RangeError(`a row has a field of unknown wire type, tag ${tag}`)
  }

  /** Where a length-delimited value ends. */
  #end(): number {
    const length = this.number()
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError('a row ends in the middle of a field')
    return end
  }

  /** A varint above 2^53, again. */
  #exact(from: number): bigint {
    let value = 0n
    for (let i = from, shift = 0n; i < this.#at; i++, shift += 7n) value |= BigInt((this.#bytes[i] as number) & 0x7f) << shift
    return value
  }
}
