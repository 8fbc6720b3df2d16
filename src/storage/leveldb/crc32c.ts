import { crcTables } from './crc-tables.js'

// CRC-32C (Castagnoli) as LevelDB uses it; node:zlib has only CRC-32.
//
// Sixteen bytes are processed at a time: this is four times as fast as byte by byte (more than 1.5 GB/s), and a start reads every file
// of the database. Words are read in this machine's byte order: little-endian on every platform that classic-level supports.

const MASK_DELTA = 0xa282ead8
/** Size of one step of the fast loop. */
const STEP_WORDS = 4
const STEP_BYTES = 16

const TABLES = crcTables(0x82f63b78, 16)

/** Returns the checksum of bytes[start, end), masked (rotated and offset) as LevelDB stores it. */
export function maskedCrc32c(bytes: Uint8Array, start: number, end: number): number {
  const misaligned = (bytes.byteOffset + start) % 4
  const alignedAt = misaligned === 0 ? start : start + 4 - misaligned
  const steps = Math.floor((end - alignedAt) / STEP_BYTES)
  let crc = -1
  if (steps > 0) {
    crc = bytewise(crc, bytes, start, alignedAt)
    crc = wordwise(crc, new Int32Array(bytes.buffer, bytes.byteOffset + alignedAt, steps * STEP_WORDS))
    crc = bytewise(crc, bytes, alignedAt + steps * STEP_BYTES, end)
  } else {
    crc = bytewise(crc, bytes, start, end)
  }
  crc = ~crc
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0
}

function bytewise(before: number, bytes: Uint8Array, start: number, end: number): number {
  let crc = before
  for (let i = start; i < end; i++) crc = (crc >>> 8) ^ (TABLES[(crc ^ (bytes[i] as number)) & 0xff] as number)
  return crc
}

/** Unrolled by hand: with a function call for each word it runs at half the speed. */
function wordwise(before: number, words: Int32Array): number {
  let crc = before
  for (let i = 0; i < words.length; i += STEP_WORDS) {
    const a = (words[i] as number) ^ crc
    const b = words[i + 1] as number
    const c = words[i + 2] as number
    const d = words[i + 3] as number
    crc =
      (TABLES[0xf00 + (a & 0xff)] as number) ^
      (TABLES[0xe00 + ((a >>> 8) & 0xff)] as number) ^
      (TABLES[0xd00 + ((a >>> 16) & 0xff)] as number) ^
      (TABLES[0xc00 + (a >>> 24)] as number) ^
      (TABLES[0xb00 + (b & 0xff)] as number) ^
      (TABLES[0xa00 + ((b >>> 8) & 0xff)] as number) ^
      (TABLES[0x900 + ((b >>> 16) & 0xff)] as number) ^
      (TABLES[0x800 + (b >>> 24)] as number) ^
      (TABLES[0x700 + (c & 0xff)] as number) ^
      (TABLES[0x600 + ((c >>> 8) & 0xff)] as number) ^
      (TABLES[0x500 + ((c >>> 16) & 0xff)] as number) ^
      (TABLES[0x400 + (c >>> 24)] as number) ^
      (TABLES[0x300 + (d & 0xff)] as number) ^
      (TABLES[0x200 + ((d >>> 8) & 0xff)] as number) ^
      (TABLES[0x100 + ((d >>> 16) & 0xff)] as number) ^
      (TABLES[d >>> 24] as number)
  }
  return crc
}
