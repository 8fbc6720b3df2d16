import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RateMeter } from '../../src/host/checkpoint/transfer-progress.js'

test('the rate is that of the last seconds, and falls to nothing when nothing comes', () => {
  const meter = new RateMeter(0)
  assert.equal(meter.bytesPerSecond(0), 0)
  for (let nowMs = 100; nowMs <= 4_000; nowMs += 100) meter.add(1_000, nowMs)
  assert.ok(Math.abs(meter.bytesPerSecond(4_050) - 10_000) < 600, String(meter.bytesPerSecond(4_050)))
  for (let nowMs = 4_100; nowMs <= 9_000; nowMs += 100) meter.add(5_000, nowMs)
  assert.ok(Math.abs(meter.bytesPerSecond(9_050) - 50_000) < 3_000, String(meter.bytesPerSecond(9_050)))
  assert.equal(meter.bytesPerSecond(20_000), 0)
})
