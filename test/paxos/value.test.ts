import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NOOP, type Value } from '../../src/paxos/types.js'
import { firstPage, sameValue, sizeOf } from '../../src/paxos/value.js'
import { batch } from './describe.js'
import { entry } from './role.js'

test('values are the same when kind, time and every byte are', () => {
  const a = batch('x', 'yz')
  const values: Value[] = [NOOP, a, batch('x'), batch('xy', 'z'), batch('x', 'y!'), { ...a, timeMs: 1 } as Value]
  for (const [i, left] of values.entries()) {
    for (const [j, right] of values.entries()) assert.equal(sameValue(left, right), i === j, `${i} and ${j}`)
  }
  assert.ok(sameValue(a, batch('x', 'yz')))
  assert.ok(sameValue(NOOP, { kind: 'noop' }))
})

test('a page has the entries that fit, at least the first, and none if there are none', () => {
  const entries = [1, 2, 3].map((slot) => entry(slot, 65_537, batch('1234')))
  const size = sizeOf(batch('1234'))
  for (const [bytesMax, count] of [
    [0, 1],
    [size, 1],
    [2 * size - 1, 1],
    [2 * size, 2],
    [3 * size, 3],
  ] as const) {
    assert.deepEqual(firstPage(entries, bytesMax), entries.slice(0, count))
  }
  assert.deepEqual(firstPage([], 100), [])
})
