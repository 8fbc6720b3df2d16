import assert from 'node:assert/strict'
import { test } from 'node:test'
import { array, boolean, assert as check, constantFrom, integer, property, record, tuple, uniqueArray } from 'fast-check'
import { LogClock } from '../../src/paxos/log-clock.js'
import type { Membership } from '../../src/paxos/membership.js'
import { membershipOf } from './role.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** The wall clocks of a test begin here. */
const NOON_MS = 1_700_000_000_000
const FRESH_MS = 1_000

/** The clock of a node whose voters' wall clocks a test turns. */
class Desk {
  nowMs = 0
  readonly clock: LogClock

  constructor(voters: number | readonly Membership[], timeMs = 0) {
    const memberships = typeof voters === 'number' ? [membershipOf(Array.from({ length: voters }, (_, i) => i + 1))] : voters
    this.clock = new LogClock({
      memberships: () => memberships,
      nowMs: () => this.nowMs,
      wallMs: () => 0,
      freshMs: FRESH_MS,
      timeMs,
    })
  }

  /** Time passes; then these voters are heard, by how far their clocks are off, and a value is proposed. Gives how far its time is off. */
  take(offMs: Readonly<Record<number, number>>, elapsedMs = 0): number {
    // A leader hears the others more often.
    for (const untilMs = this.nowMs + elapsedMs; this.nowMs < untilMs; ) {
      this.nowMs = Math.min(untilMs, this.nowMs + 500)
      this.#hear(offMs)
      this.clock.take()
    }
    this.#hear(offMs)
    return this.clock.take() - NOON_MS - this.nowMs
  }

  #hear(offMs: Readonly<Record<number, number>>): void {
    for (const [nodeId, off] of Object.entries(offMs)) this.clock.onHeard(Number(nodeId), NOON_MS + this.nowMs + off)
  }
}

test('log time is unknown until the clocks of a majority are known', () => {
  const { clock } = new Desk(5)
  for (const [nodeId, wallMs] of [
    [1, 100],
    [2, 100],
    [7, 100],
    [3, 0],
  ] as const) {
    clock.onHeard(nodeId, wallMs)
    assert.equal(clock.isSet, false, 'a stranger does not count, nor who does not know')
  }
  clock.onHeard(3, 100)
  assert.equal(clock.isSet, true)
  assert.equal(clock.take(), 100)
})

test('with three of five clocks heard, two wrong ones are not the median', () => {
  assert.equal(new Desk(5).take({ 1: 2 * HOUR_MS, 2: 0, 3: 2 * HOUR_MS }), 0)
  assert.equal(new Desk(5).take({ 1: 2 * HOUR_MS, 2: 0, 3: 5, 4: 2 * HOUR_MS }), 5, 'of four the second is below three of five')
  assert.equal(new Desk(5).take({ 1: 2 * HOUR_MS, 2: 0, 3: 5, 4: 7, 5: 2 * HOUR_MS }), 7)
  assert.equal(new Desk(4).take({ 1: 0, 2: 5, 3: 7 }), 5)
  assert.equal(new Desk(3).take({ 1: 9, 2: 5 }), 5)
  assert.equal(new Desk(1).take({ 1: 9 }), 9)
})

test('if two memberships govern, the clocks of a majority of each must allow the time', () => {
  const [before, after] = [membershipOf([1, 2, 3]), membershipOf([3, 4, 5])]
  const offMs = { 1: 900, 2: 900, 3: 500, 4: 500, 5: 300 }
  assert.equal(new Desk([before]).take(offMs), 900)
  assert.equal(new Desk([before, after]).take(offMs), 500)
  assert.equal(new Desk([before, after]).take({ 1: 900, 2: 900, 3: 500 }), 900, 'nobody new is heard yet')
})

test('clocks that were days ahead once do not stop log time: it advances by elapsed time, a hundredth slower', () => {
  // A new cluster has nothing that could end early.
  const desk = new Desk(3)
  assert.equal(desk.take({ 1: 2 * DAY_MS, 2: 2 * DAY_MS, 3: 0 }), 2 * DAY_MS)
  assert.equal(desk.take({ 1: 0, 2: 0, 3: 0 }, 60_000), 2 * DAY_MS - 600)
  // The next process finds log time on its disk.
  const next = new Desk(3, NOON_MS + 2 * DAY_MS)
  assert.equal(next.take({ 1: 0, 2: 0, 3: 0 }, 60_000), 2 * DAY_MS - 600)
  assert.ok(next.clock.report.aheadMs > DAY_MS)
})

test('with one clock far behind and one node down, log time advances', () => {
  const desk = new Desk(3)
  desk.take({ 1: 0, 2: 0, 3: -DAY_MS })
  const beganMs = desk.nowMs
  const off = desk.take({ 1: 0, 3: -DAY_MS }, 60_000)
  assert.ok(Math.abs(off) <= 0.01 * (desk.nowMs - beganMs), `${off} ms off`)
  assert.deepEqual(
    desk.clock.report.strays.map(({ nodeId }) => nodeId),
    [3],
  )
})

test('a new cluster waits for no clock, and one that is far behind does not make its time', () => {
  const desk = new Desk(3)
  assert.equal(desk.take({ 1: 0, 3: -DAY_MS }), -DAY_MS)
  assert.equal(desk.take({ 1: 0, 2: 0, 3: -DAY_MS }), 0)
})

test('a jump of a majority is followed as far as every clock confirms, plus a hundredth of elapsed time', () => {
  const desk = new Desk(3)
  desk.take({ 1: 0, 2: 0, 3: 0 })
  assert.equal(desk.take({ 1: DAY_MS, 2: DAY_MS, 3: 0 }, 100_000), 1_000)
  assert.equal(desk.clock.takeLeapMs(), 0)
  assert.ok(desk.clock.report.aheadMs < -HOUR_MS)
})

test('a jump of all clocks is followed by at most an hour', () => {
  const desk = new Desk(3)
  desk.take({ 1: 0, 2: 0, 3: 0 })
  assert.equal(desk.take({ 1: DAY_MS, 2: DAY_MS, 3: DAY_MS }), HOUR_MS)
  assert.equal(desk.clock.takeLeapMs(), HOUR_MS)
  assert.equal(desk.take({ 1: DAY_MS, 2: DAY_MS, 3: DAY_MS }, 1_000), HOUR_MS + 10)
  assert.equal(desk.clock.takeLeapMs(), 0)
  // Set right, and another time.
  desk.take({ 1: HOUR_MS, 2: HOUR_MS, 3: HOUR_MS }, 500)
  assert.equal(desk.take({ 1: HOUR_MS + 60_000, 2: HOUR_MS + 60_000, 3: HOUR_MS + 60_000 }), HOUR_MS + 60_000)
})

test('after a start, when the downtime is unknown, all clocks together are believed, a majority only up to an hour', () => {
  assert.equal(new Desk(3, NOON_MS - 30 * DAY_MS).take({ 1: 0, 2: 3, 3: 5 }), 0)
  const desk = new Desk(3, NOON_MS - 30 * DAY_MS)
  assert.equal(desk.take({ 1: 0, 2: 0 }), HOUR_MS - 30 * DAY_MS)
  assert.equal(desk.take({ 1: 0, 2: 0, 3: 0 }), 0, 'the third has come')
})

test('a follower that becomes leader continues log time from when it heard it', () => {
  const led = new Desk(3)
  led.clock.onSeen(NOON_MS + DAY_MS)
  led.nowMs = 10_000
  // Proposed again, or learned late: older than what elapsed time says.
  led.clock.onSeen(NOON_MS + DAY_MS + 5_000)
  assert.equal(led.take({ 1: 0, 2: 0 }), DAY_MS - 100)
})

test('the promise, with any clocks: never above what a majority of them allows, never back, never still', () => {
  const step = record({
    elapsedMs: constantFrom(0, 1, 17, 400, 5_000),
    turns: array(tuple(integer({ min: 1, max: 5 }), integer({ min: -3 * DAY_MS, max: 3 * DAY_MS })), {
      maxLength: 2,
    }),
    heard: uniqueArray(integer({ min: 1, max: 5 }), { minLength: 0, maxLength: 5 }),
    restarts: boolean(),
  })
  check(
    property(constantFrom(1, 2, 3, 4, 5), array(step, { maxLength: 40 }), (voters, steps) => {
      const offMs = Array.from({ length: voters }, () => 0)
      let desk = new Desk(voters)
      /** The latest that a clock that was heard of late said, as if it had gone on since: by voter, with when it was heard. */
      const said: { voter: number; offMs: number; heardMs: number }[] = []
      let mostMs = Number.NEGATIVE_INFINITY
      let last: { timeMs: number; nowMs: number } | undefined
      for (const { elapsedMs, turns, heard, restarts } of steps) {
        if (restarts && last !== undefined) {
          // Time begins anew at 0, and log time is ahead of it by so much more.
          mostMs = Math.max(mostMs, 0) + desk.nowMs
          desk = new Desk(voters, last.timeMs)
          last = { timeMs: last.timeMs, nowMs: 0 }
          said.length = 0
          continue
        }
        desk.nowMs += elapsedMs
        for (const [voter, off] of turns) if (voter <= voters) offMs[voter - 1] = off
        for (const voter of heard) {
          const off = offMs[voter - 1]
          if (off === undefined) continue
          desk.clock.onHeard(voter, NOON_MS + desk.nowMs + off)
          said.push({ voter, offMs: off, heardMs: desk.nowMs })
        }
        const fresh = said.filter(({ heardMs }) => desk.nowMs - heardMs <= FRESH_MS)
        const latestOf = new Map<number, number>()
        for (const { voter, offMs: off } of fresh) latestOf.set(voter, off)
        const allowed = [...latestOf.values()].toSorted((a, b) => b - a)[(voters - 1) >> 1]
        if (!desk.clock.isSet) continue
        mostMs = Math.max(mostMs, allowed ?? Number.NEGATIVE_INFINITY)
        const timeMs = desk.clock.take()
        assert.ok(timeMs <= NOON_MS + desk.nowMs + mostMs + 1, `${timeMs - NOON_MS - desk.nowMs} > ${mostMs}`)
        if (last !== undefined) {
          assert.ok(timeMs >= last.timeMs + 0.99 * (desk.nowMs - last.nowMs) - 2, 'it goes on')
        }
        last = { timeMs, nowMs: desk.nowMs }
      }
    }),
    { numRuns: 500 },
  )
})
