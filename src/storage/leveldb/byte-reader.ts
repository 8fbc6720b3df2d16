import { FileFormatError } from './file-format-error.js'

/** Reads LevelDB's encodings one after the other. */
export class ByteReader {
  readonly #source: Buffer
  #offset = 0

  constructor(source: Buffer) {
    this.#source = source
  }

  get isAtEnd(): boolean {
    return this.#offset >= this.#source.length
  }

  /** @throws FileFormatError at the end of the bytes, or past 2^53 */
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

  /** As many bytes as the caller knows to follow. @throws FileFormatError */
  take(length: number): Buffer {
    const end = this.#offset + length
    if (end > this.#source.length) throw new FileFormatError('a field is cut short')
    const bytes = this.#source.subarray(this.#offset, end)
    this.#offset = end
    return bytes
  }

  /** A length and that many bytes. @throws FileFormatError */
  bytes(): Buffer {
    return this.take(this.varint())
  }
}
