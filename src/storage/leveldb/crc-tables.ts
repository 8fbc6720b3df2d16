/**
 * Returns tables for computing a 32-bit CRC several bytes at a time ("slicing"). Table k, at k * 256, holds the effect of a byte on the
 * checksum when k more bytes follow it.
 *
 * @param polynomial in the usual bit-reversed form
 */
export function crcTables(polynomial: number, count: number): Int32Array {
  const tables = new Int32Array(count * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    tables[byte] = crc
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256] as number
    tables[i] = (before >>> 8) ^ (tables[before & 0xff] as number)
  }
  return tables
}
