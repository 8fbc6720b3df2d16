import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogClock } from '../../src/paxos/log-clock.js'
import { membershipOf } from './role.js'

const DAY_MS = 86_400_000
const FIVE = membershipOf([1, 2, 3, 4, 5])
const TWO = membershipOf([1, 2])

/** What the clock says at `nowMs` when it has heard those wall clocks at time 0, of member 1 first. */
function timeOf(wallClocks: readonly number[], nowMs = 0): number | undefined {
  const clock = new LogClock(() => FIVE)
  for (const [i, wallMs] of wallClocks.entries()) clock.onHeard(i + 1, wallMs, 0)
  return clock.isSet ? clock.timeMs(nowMs) : undefined
}

test('the time of the log is unknown until a majority has told its own', () => {
  assert.equal(timeOf([100, 100]), undefined)
  assert.equal(timeOf([100, 0, 100]), undefined, 'a member that does not know says 0')
  assert.equal(timeOf([100, 100, 100]), 100)
})

test('a minority whose clocks are far ahead, or far behind, does not carry the log away', () => {
  assert.equal(timeOf([DAY_MS, 101, 100]), 101)
  assert.equal(timeOf([2 * DAY_MS, 3 * DAY_MS, 101, 100, 102]), 102)
  assert.equal(timeOf([1, 2, 101, 100, 102]), 100)
  assert.equal(timeOf([DAY_MS, 101, 100, 2 * DAY_MS]), 101, 'of two in the middle the lower one')
})

test('between two answers it goes on as the own monotonic clock does', () => {
  assert.equal(timeOf([DAY_MS, 101, 100], 50.7), 151)
})

test('a clock that was set right counts from the next answer on, and a stranger never', () => {
  const clock = new LogClock(() => TWO)
  clock.onHeard(1, 500, 0)
  clock.onHeard(7, 1, 0)
  assert.equal(clock.isSet, false)
  clock.onHeard(2, DAY_MS, 0)
  assert.equal(clock.timeMs(0), 500)
  clock.onHeard(1, 700, 100)
  assert.equal(clock.timeMs(100), 700)
})
