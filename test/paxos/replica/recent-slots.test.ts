import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecentSlots } from '../../../src/paxos/replica/recent-slots.js'
import type { Slot } from '../../../src/paxos/types.js'
import { batch } from '../describe.js'
import { entry } from '../role.js'

function slotsOf(recent: RecentSlots, fromSlot: Slot, toSlot: Slot): Slot[] {
  return recent.between(fromSlot, toSlot).map(({ slot }) => slot)
}

test('the last slots are kept: at least the bound, at most twice as many', () => {
  const recent = new RecentSlots({ recentSlotsMax: 3, recentBytesMax: 1_000_000 })
  assert.equal(recent.first, undefined)
  for (let slot = 5; slot <= 10; slot++) recent.add(entry(slot, 1))
  assert.deepEqual([recent.first, slotsOf(recent, 6, 8), slotsOf(recent, 9, 20)], [5, [6, 7, 8], [9, 10]])
  recent.add(entry(11, 1))
  assert.deepEqual([recent.first, slotsOf(recent, 9, 11)], [9, [9, 10, 11]])
})

test('large values are dropped by their bytes, but the last slot never is', () => {
  const recent = new RecentSlots({ recentSlotsMax: 100, recentBytesMax: 1_000 })
  for (let slot = 1; slot <= 3; slot++) recent.add(entry(slot, 1, batch('x'.repeat(700))))
  assert.equal(recent.first, 3)
  recent.add(entry(4, 1, batch('x'.repeat(5_000))))
  assert.deepEqual([recent.first, slotsOf(recent, 4, 4)], [4, [4]])
})

test('nothing is kept after a checkpoint has taken its place', () => {
  const recent = new RecentSlots({ recentSlotsMax: 3, recentBytesMax: 1_000 })
  recent.add(entry(1, 1))
  recent.clear()
  assert.deepEqual([recent.first, slotsOf(recent, 2, 5)], [undefined, []])
  recent.add(entry(9, 1))
  assert.deepEqual([recent.first, slotsOf(recent, 9, 9)], [9, [9]])
})
