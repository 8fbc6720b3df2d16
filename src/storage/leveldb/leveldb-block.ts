import { FileFormatError } from './file-format-error.js'
import { type Entries, sequenceAt, TRAILER_BYTES } from './leveldb-entries.js'
import type { DataBlock } from './leveldb-table.js'

// An entry of a block: the count of bytes that its internal key shares with the previous one, the count of bytes that it adds, the size
// of its value (all as varints), the added bytes, the value.

const DELETED = 0
/** Size of the buffers that keys share. */
const ARENA_BYTES = 64 * 1_024

/** Decodes blocks. Keys are assembled in shared buffers; values are views of the file. */
export class BlockReader {
  readonly #isWanted: (firstByte: number) => boolean
  #arena: Buffer = Buffer.allocUnsafeSlow(ARENA_BYTES)
  #arenaEnd = 0
  /** Position of #varint. */
  #at = 0

  /** Entries whose keys begin with an unwanted byte are left out; the empty key is always wanted. */
  constructor(isWanted: (firstByte: number) => boolean) {
    this.#isWanted = isWanted
  }

  /** Returns the wanted entries of a block whose checksum was checked. @throws FileFormatError */
  read(file: Buffer, { start, end }: DataBlock): Entries {
    const keys: Buffer[] = []
    const records: (Buffer | undefined)[] = []
    const sequences: number[] = []
    let keyAt = this.#arenaEnd
    let keyBytes = 0
    let at = start
    while (at < end) {
      let sharedBytes = file[at] as number
      let ownBytes = file[at + 1] as number
      let valueBytes = file[at + 2] as number
      if ((sharedBytes | ownBytes | valueBytes) < 0x80) {
        at += 3
      } else {
        this.#at = at
        sharedBytes = this.#varint(file)
        ownBytes = this.#varint(file)
        valueBytes = this.#varint(file)
        at = this.#at
      }
      const valueAt = at + ownBytes
      const next = valueAt + valueBytes
      const length = sharedBytes + ownBytes
      if (next > end || sharedBytes > keyBytes || length < TRAILER_BYTES) {
        throw new FileFormatError(`the block at byte ${start} cannot be decoded`)
      }
      const previousAt = keyAt
      const previous = this.#arena
      keyAt = this.#reserve(length)
      const arena = this.#arena
      for (let i = 0; i < sharedBytes; i++) arena[keyAt + i] = previous[previousAt + i] as number
      for (let i = 0; i < ownBytes; i++) arena[keyAt + sharedBytes + i] = file[at + i] as number
      keyBytes = length
      const trailerAt = keyAt + length - TRAILER_BYTES
      if (trailerAt === keyAt || this.#isWanted(arena[keyAt] as number)) {
        keys.push(arena.subarray(keyAt, trailerAt))
        records.push(arena[trailerAt] === DELETED ? undefined : file.subarray(valueAt, next))
        sequences.push(sequenceAt(arena, trailerAt + 1))
      }
      at = next
    }
    return { keys, records, sequences }
  }

  /** Reserves space for the next key and returns its offset in the arena. */
  #reserve(bytes: number): number {
    if (this.#arenaEnd + bytes > this.#arena.length) {
      this.#arena = Buffer.allocUnsafeSlow(Math.max(ARENA_BYTES, bytes))
      this.#arenaEnd = 0
    }
    const start = this.#arenaEnd
    this.#arenaEnd += bytes
    return start
  }

  /** Reads a length, of at most 32 bits. */
  #varint(file: Buffer): number {
    let value = 0
    let factor = 1
    for (;;) {
      const byte = file[this.#at++] ?? 0
      value += (byte & 0x7f) * factor
      if (byte < 0x80 || factor > 2 ** 28) return value
      factor *= 0x80
    }
  }
}
