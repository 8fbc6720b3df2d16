import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assert as check, nat, property, uint8Array } from 'fast-check'
import { maskedCrc32c } from '../../src/storage/leveldb/crc32c.js'

const MASK_DELTA = 0xa282ead8

function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0
}

/** As the definition has it, bit by bit. */
function slowly(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}

test('the test vectors of RFC 3720, appendix B.4', () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i)
  for (const [bytes, crc] of [
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(0xff), 0x62a8ab43],
    [ascending, 0x46dd794e],
    [ascending.toReversed(), 0x113fdb5c],
  ] as const) {
    assert.equal(maskedCrc32c(bytes, 0, bytes.length), masked(crc))
  }
})

test('any part of any bytes, wherever it begins in memory', () => {
  check(
    property(uint8Array({ maxLength: 200 }), nat(20), nat(20), nat(7), (bytes, skipped, cut, shift) => {
      const shifted = new Uint8Array(shift + bytes.length).subarray(shift)
      shifted.set(bytes)
      const start = Math.min(skipped, bytes.length)
      const end = Math.max(start, bytes.length - cut)
      assert.equal(maskedCrc32c(shifted, start, end), masked(slowly(bytes.subarray(start, end))))
    }),
    { numRuns: 1_000 },
  )
})
