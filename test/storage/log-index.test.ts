import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogIndex } from '../../src/storage/log/log-index.js'

/** What a log of those slots counts. */
function tallyOf(slots: readonly number[]): [number, number] {
  return [slots.length, slots.reduce((sum, slot) => sum + slot * 7, 0)]
}

function from(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}

test('records of a long log are counted, replaced and trimmed without a read', () => {
  const index = new LogIndex(100)
  for (const slot of from(101, 5_000)) {
    index.put(slot, 1, 1)
    index.put(slot, slot * 7, 10)
    index.decide(slot)
  }
  index.put(5_003, 5_003 * 7, 10)
  assert.deepEqual([index.count, index.sum], tallyOf([...from(101, 5_000), 5_003]))
  const window = { slots: 1_000, bytes: 1_000_000 }
  assert.equal(index.trim(window, { upTo: 4_500, countMax: 10 }), 10)
  assert.equal(index.compactedUpTo, 110)
  assert.equal(index.trim(window, { upTo: 3_000, countMax: 10_000 }), 3_000 - 110)
  assert.equal(index.trim(window, { upTo: 5_000, countMax: 10_000 }), 1_000)
  assert.equal(index.trim(window, { upTo: 5_000, countMax: 10_000 }), 0)
  assert.deepEqual([index.count, index.sum], tallyOf([...from(4_001, 5_000), 5_003]))
  assert.equal(index.trim({ slots: 1_000, bytes: 5_000 }, { upTo: 5_000, countMax: 10_000 }), 500)
  for (const slot of from(5_001, 12_000)) {
    if (slot !== 5_003) index.put(slot, slot * 7, 10)
    index.decide(slot)
  }
  assert.deepEqual([index.count, index.sum], tallyOf(from(4_501, 12_000)))
})

test('trimmed bytes are claimed once they reach the threshold', () => {
  const index = new LogIndex(0)
  for (const slot of from(1, 10)) index.put(slot, slot, 100)
  index.decide(10)
  const trim = (countMax: number): number => index.trim({ slots: 0, bytes: 0 }, { upTo: 10, countMax })
  trim(2)
  assert.equal(index.claimTrimmed(300), false)
  trim(1)
  assert.equal(index.claimTrimmed(300), true)
  assert.equal(index.claimTrimmed(300), false)
})

test('every record up to a slot is taken out, decided or not, whether there is one for each slot or not', () => {
  const index = new LogIndex(5)
  for (const slot of [6, 7, 8, 10, 12, 20]) index.put(slot, slot * 7, 10)
  index.decide(7)
  assert.deepEqual(index.removeUpTo(12), [6, 7, 8, 10, 12])
  assert.deepEqual([index.compactedUpTo, index.decidedUpTo, index.count, index.sum], [12, 12, ...tallyOf([20])])
  index.put(13, 13 * 7, 10)
  index.decide(13)
  assert.deepEqual(index.removeUpTo(10), [], 'never goes back')
  assert.deepEqual([index.compactedUpTo, index.decidedUpTo], [12, 13])
  assert.deepEqual([index.count, index.sum], tallyOf([13, 20]))
  assert.throws(() => index.put(13, 1, 1), /a decided slot is never written again/)
})
