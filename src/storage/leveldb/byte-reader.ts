import { FileFormatError } from './file-format-error.js'

/** Reads LevelDB's encodings in sequence. */
export class ByteReader {
  readonly #source: Buffer
  #offset = 0

  constructor(source: Buffer) {
    this.#source = source
  }

  get isAtEnd(): boolean {
    return this.#offset >= this.#source.length
  }

  /** Reads a variable-length number. @throws FileFormatError at the end of the bytes, or above 2^53 */
  varint(): number {
    let value = 0
    let factor = 1
    for (;;) {
      const byte = this.#source[this.#offset++]
      if (byte === undefined) throw new FileFormatError('a number is cut short')
      value += (byte & 0x7f) * factor
      if (!Number.isSafeInteger(value)) throw new FileFormatError('a number is too big')
      if (byte < 0x80) return value
      factor *= 128
    }
  }

  /** Reads a field of a known length. @throws FileFormatError when it is cut short */
  take(length: number): Buffer {
    const end = this.#offset + length
    if (end > this.#source.length) throw new FileFormatError('a field is cut short')
    const bytes = this.#source.subarray(this.#offset, end)
    this.#offset = end
    return bytes
  }

  /** Reads a length and a field of that length. @throws FileFormatError when it is cut short */
  bytes(): Buffer {
    return this.take(this.varint())
  }
}
