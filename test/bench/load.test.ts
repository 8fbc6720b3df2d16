import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { closedLoop, openLoop } from '../../scripts/bench/load.js'
import { VirtualClock } from './virtual-clock.js'

const TIMES = { seconds: 1, warmupSeconds: 0.5 }

/** Takes 1 ms; but what begins in the 100 ms after the first second takes until these are over, as on a server that stands still. */
async function stalling(clock: VirtualClock): Promise<void> {
  const nowMs = clock.now()
  await clock.sleep(nowMs >= 1_000 && nowMs < 1_100 ? 1_101 - nowMs : 1)
}

describe('a closed loop', () => {
  it('keeps so many operations under way, and counts those that end in the measured time', async () => {
    const clock = new VirtualClock()
    let underWay = 0
    let most = 0
    const operation = async (): Promise<void> => {
      most = Math.max(most, ++underWay)
      await clock.sleep(10)
      underWay--
    }
    const result = await clock.until(closedLoop(operation, { ...TIMES, inFlight: 4, clock }))
    assert.equal(most, 4)
    assert.equal(underWay, 0, 'the last have ended, too')
    assert.equal(result.count, 400)
    assert.equal(result.throughput, 400)
    assert.equal(Math.round(result.latency.max), 10)
  })

  it('numbers its operations from 0', async () => {
    const clock = new VirtualClock()
    const numbers: number[] = []
    const operation = (n: number): Promise<void> => {
      numbers.push(n)
      return clock.sleep(500)
    }
    await clock.until(closedLoop(operation, { ...TIMES, inFlight: 1, clock }))
    assert.deepEqual(numbers, [0, 1, 2])
  })

  it('says when the measured time begins and ends, before it says what came of it', async () => {
    const clock = new VirtualClock()
    const told: string[] = []
    const tell = (what: string) => () => told.push(`${what} at ${clock.now()}`)
    await clock.until(
      closedLoop(() => clock.sleep(70), { ...TIMES, inFlight: 1, clock, onBegin: tell('begin'), onEnd: tell('end') }),
    )
    assert.deepEqual(told, ['begin at 500', 'end at 1500'])
  })

  it('counts what fails, keeps the first reason, and goes on', async () => {
    const clock = new VirtualClock()
    const operation = async (n: number): Promise<void> => {
      await clock.sleep(9)
      if (n % 2 === 0) throw new Error(`number ${n}`)
    }
    const { count, failed, firstFailure } = await clock.until(closedLoop(operation, { ...TIMES, inFlight: 1, clock }))
    assert.equal(firstFailure, 'number 0')
    assert.ok(count > 45 && failed > 45, `${count} and ${failed} of about 105`)
  })

  it('gives up what does not end, and has its age count', async () => {
    const clock = new VirtualClock()
    const { count, latency } = await clock.until(closedLoop(() => new Promise(() => {}), { ...TIMES, inFlight: 1, clock }))
    assert.equal(count, 0)
    assert.ok(latency.max > 3_000, `${latency.max}: the whole time, and the time to drain`)
  })
})

describe('an open loop', () => {
  it('begins operations at its rate, however long they take', async () => {
    const clock = new VirtualClock()
    const { count, failed } = await clock.until(openLoop(() => clock.sleep(300), { ...TIMES, ratePerSecond: 200, clock }))
    assert.ok(Math.abs(count - 200) <= 1, `${count}`)
    assert.equal(failed, 0)
  })

  it('shows a stall of the server in the p99, where a closed loop shows one slow operation', async () => {
    const open = new VirtualClock()
    const opened = await open.until(openLoop(() => stalling(open), { ...TIMES, ratePerSecond: 500, clock: open }))
    const closed = new VirtualClock()
    const closedOne = await closed.until(closedLoop(() => stalling(closed), { ...TIMES, inFlight: 1, clock: closed }))
    assert.ok(opened.latency.p99 > 80, `${opened.latency.p99} ms: a tenth of all were due while it stood still`)
    assert.ok(closedOne.latency.p99 < 2, `${closedOne.latency.p99} ms`)
    assert.ok(closedOne.latency.max > 90)
  })

  it('counts from when an operation was due, when it could not be begun in time', async () => {
    const clock = new VirtualClock()
    const late = { now: () => clock.now(), after: (ms: number, callback: () => void) => clock.after(Math.max(ms, 50), callback) }
    const { latency } = await clock.until(openLoop(() => clock.sleep(1), { ...TIMES, ratePerSecond: 1_000, clock: late }))
    assert.ok(latency.p99 > 45, `${latency.p99} ms: this process looked only every 50 ms`)
  })

  it('does not begin more than it may have outstanding; the rest has failed', async () => {
    const clock = new VirtualClock()
    const options = { ...TIMES, ratePerSecond: 1_000, outstandingMax: 10, clock }
    const { count, failed } = await clock.until(openLoop(() => clock.sleep(100), options))
    assert.ok(Math.abs(count - 100) <= 10, `${count} of 1,000`)
    assert.ok(Math.abs(failed - 900) <= 10, `${failed} of 1,000`)
  })
})
