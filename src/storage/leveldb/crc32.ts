import * as zlib from 'node:zlib'
import { crcTables } from './crc-tables.js'

// The common CRC-32, equal to zlib's. For small records the call into zlib takes longer than the computation in JavaScript, and a start
// checks millions of them: 90 ns instead of 290 for a 30-byte key with a 30-byte record, 180 instead of 390 with a 110-byte record.

const TABLES = crcTables(0xedb88320, 8)
/** Size from which on zlib is faster. */
const LARGE_BYTES = 400

/** Returns the checksum of bytes[start, end), continuing from the checksum `before` of the preceding bytes. */
export function crc32(bytes: Buffer, start: number, end: number, before = 0): number {
  return end - start < LARGE_BYTES ? crc32OfSmall(bytes, start, end, before) : zlib.crc32(bytes.subarray(start, end), before)
}

function crc32OfSmall(bytes: Buffer, start: number, end: number, before: number): number {
  let crc = ~before
  let i = start
  for (; i + 8 <= end; i += 8) {
    crc =
      (TABLES[0x700 + ((crc ^ (bytes[i] as number)) & 0xff)] as number) ^
      (TABLES[0x600 + (((crc >>> 8) ^ (bytes[i + 1] as number)) & 0xff)] as number) ^
      (TABLES[0x500 + (((crc >>> 16) ^ (bytes[i + 2] as number)) & 0xff)] as number) ^
      (TABLES[0x400 + ((crc >>> 24) ^ (bytes[i + 3] as number))] as number) ^
      (TABLES[0x300 + (bytes[i + 4] as number)] as number) ^
      (TABLES[0x200 + (bytes[i + 5] as number)] as number) ^
      (TABLES[0x100 + (bytes[i + 6] as number)] as number) ^
      (TABLES[bytes[i + 7] as number] as number)
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ (TABLES[(crc ^ (bytes[i] as number)) & 0xff] as number)
  return ~crc >>> 0
}
