import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TokenBucket } from '../../src/transport/token-bucket.js'

test('a flow of bytes keeps to its rate, whatever the size of its pieces', () => {
  for (const pieceBytes of [1, 1_000, 70_000]) {
    const bucket = new TokenBucket({ bytesPerSecond: 100_000, burstMs: 100, nowMs: 0 })
    let nowMs = 0
    let bytes = 0
    while (bytes < 1_000_000) {
      nowMs += bucket.take(pieceBytes, nowMs)
      bytes += pieceBytes
    }
    // 10 s, less the burst at the beginning and the last piece's share.
    assert.ok(nowMs > 9_890 && nowMs < 10_700, `${pieceBytes} bytes at a time: ${nowMs} ms`)
  }
})

test('what was not used in a pause is lost, but for a burst', () => {
  const bucket = new TokenBucket({ bytesPerSecond: 1_000, burstMs: 100, nowMs: 0 })
  assert.equal(bucket.take(100, 0), 0)
  assert.equal(bucket.take(100, 60_000), 0)
  assert.equal(bucket.take(100, 60_000), 100)
  assert.equal(bucket.take(0, 60_050), 50)
})

test('a clock that goes back gives nothing', () => {
  const bucket = new TokenBucket({ bytesPerSecond: 1_000, burstMs: 100, nowMs: 1_000 })
  assert.equal(bucket.take(200, 1_000), 100)
  assert.equal(bucket.take(0, 0), 100)
  assert.equal(bucket.take(0, 1_050), 50)
})
