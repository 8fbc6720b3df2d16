import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransferPace } from '../../src/transport/transfer-pace.js'

const MIB = 1 << 20
const PAGE = 256 * 1_024

/** Sends pages for so long, as fast as the pace allows; each pause ends so much too late. Gives how many MiB went, and when it ended. */
function send(pace: TransferPace, fromMs: number, forMs: number, lateMs = 0): { mib: number; nowMs: number } {
  let bytes = 0
  let nowMs = fromMs
  while (nowMs < fromMs + forMs) {
    const pauseMs = pace.take(PAGE, nowMs)
    bytes += PAGE
    // Reading the page takes a moment.
    nowMs += 0.5 + pauseMs
    if (pauseMs < 1) continue
    pace.onPaused(lateMs)
    nowMs += lateMs
  }
  return { mib: bytes / MIB, nowMs }
}

test('a transfer becomes faster as long as nobody minds, up to the bound', () => {
  const pace = new TransferPace({ bytesPerSecondMax: 32 * MIB, nowMs: 0 })
  assert.equal(pace.bytesPerSecond, 4 * MIB)
  const first = send(pace, 0, 1_000)
  assert.ok(first.mib < 8, `${first.mib} MiB in the first second`)
  const then = send(pace, first.nowMs, 10_000)
  assert.equal(pace.bytesPerSecond, 32 * MIB)
  assert.ok(then.mib > 200 && then.mib < 330, `${then.mib} MiB in ten more`)
})

test('it slows down when timers come late, but never below what a laggard needs', () => {
  const pace = new TransferPace({ bytesPerSecondMax: 64 * MIB, nowMs: 0 })
  const { nowMs } = send(pace, 0, 10_000)
  const fast = pace.bytesPerSecond
  send(pace, nowMs, 2_000, 60)
  assert.ok(pace.bytesPerSecond < fast / 4, `${pace.bytesPerSecond}`)
  send(pace, nowMs + 2_000, 20_000, 60)
  assert.equal(pace.bytesPerSecond, 4 * MIB)
})

test('whoever takes less than is offered does not make the offer grow, and a low bound is kept', () => {
  const idle = new TransferPace({ bytesPerSecondMax: 64 * MIB, nowMs: 0 })
  for (let nowMs = 0; nowMs < 10_000; nowMs += 1_000) idle.take(1_000, nowMs)
  assert.equal(idle.bytesPerSecond, 4 * MIB)
  const low = new TransferPace({ bytesPerSecondMax: 1_000, nowMs: 0 })
  for (let nowMs = 0; nowMs < 10_000; nowMs += 1_000) low.take(1_000, nowMs)
  assert.equal(low.bytesPerSecond, 1_000)
})
