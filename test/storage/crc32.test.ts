import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as zlib from 'node:zlib'
import { assert as check, integer, nat, property, uint8Array } from 'fast-check'
import { crc32 } from '../../src/storage/leveldb/crc32.js'

test('CRC-32 of parts of bytes, small and large, is what zlib says', () => {
  const before = integer({ min: 0, max: 2 ** 32 - 1 })
  check(
    property(uint8Array({ maxLength: 500, size: 'max' }), nat(20), nat(20), before, (array, skipped, cut, goesOnFrom) => {
      const bytes = Buffer.from(array)
      const start = Math.min(skipped, bytes.length)
      const end = Math.max(start, bytes.length - cut)
      // Of no bytes zlib makes 0, whatever comes before them.
      const goneOn = start === end ? goesOnFrom : zlib.crc32(bytes.subarray(start, end), goesOnFrom)
      assert.equal(crc32(bytes, start, end, goesOnFrom), goneOn)
      assert.equal(crc32(bytes, start, end), zlib.crc32(bytes.subarray(start, end)))
    }),
    { numRuns: 1_000 },
  )
})
