import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Deadlines } from '../../src/tables/deadlines.js'
import { Journal } from '../../src/tables/journal.js'
import { Random } from '../app/random.js'

const FOREVER_MS = Number.MAX_SAFE_INTEGER

function taken(deadlines: Deadlines, nowMs = FOREVER_MS): string[] {
  const names: string[] = []
  for (let due = deadlines.takeDue(nowMs); due !== undefined; due = deadlines.takeDue(nowMs)) {
    names.push(`${due.atMs} ${due.kind} ${due.id}`)
  }
  return names
}

const timeOf = (end: string): number => Number.parseInt(end, 10)
const kindOf = (end: string): number => (end.includes(' hold ') ? 0 : 1)

test('ends come in the order of (time, kind, id), none before its time', () => {
  const deadlines = new Deadlines(['hold', 'answer'])
  deadlines.set('answer', 'a', 5)
  deadlines.set('hold', 'z', 5)
  deadlines.set('hold', 'b', 5)
  deadlines.set('answer', 'c', 4)
  deadlines.set('hold', 'a', 6)
  assert.deepEqual([deadlines.nextMs, deadlines.firstOf('hold')?.id, deadlines.get('hold', 'a')], [4, 'b', 6])
  assert.deepEqual(taken(deadlines, 3), [])
  assert.deepEqual(taken(deadlines, 5), ['4 answer c', '5 hold b', '5 hold z', '5 answer a'])
  assert.deepEqual([deadlines.size, deadlines.nextMs], [1, 6])
})

test('a row that is set anew, or deleted, does not end as it would have; kinds do not share ids', () => {
  const deadlines = new Deadlines(['hold', 'answer'])
  for (const kind of ['hold', 'answer']) deadlines.set(kind, 'x', 1)
  deadlines.set('hold', 'x', 9)
  deadlines.delete('answer', 'nobody')
  assert.deepEqual(taken(deadlines, 1), ['1 answer x'])
  deadlines.delete('hold', 'x')
  assert.deepEqual([taken(deadlines), deadlines.nextMs, deadlines.bytes], [[], undefined, 0])
  assert.throws(() => deadlines.set('lease', 'x', 1), /lease/)
})

test('what a group has set, moved, deleted and taken out is as before when the group is rolled back', () => {
  const journal = new Journal()
  const deadlines = new Deadlines(['hold'], journal)
  for (const [id, atMs] of [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ] as const)
    deadlines.set('hold', id, atMs)
  const { bytes } = deadlines
  journal.begin()
  deadlines.set('hold', 'new', 0)
  deadlines.set('hold', 'c', 0)
  deadlines.delete('hold', 'b')
  assert.deepEqual(taken(deadlines), ['0 hold c', '0 hold new', '1 hold a'])
  journal.rollback()
  assert.equal(deadlines.bytes, bytes)
  assert.deepEqual(taken(deadlines), ['1 hold a', '2 hold b', '3 hold c'])
})

test('a table that was restored from checkpoints ends the same in the same order', () => {
  const random = new Random(7)
  const original = new Deadlines(['hold', 'answer'])
  const stored = new Map<string, number>()
  const expected = new Map<string, number>()
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 400; i++) {
      const kind = random.chance(0.5) ? 'hold' : 'answer'
      const id = `${kind}/${random.below(200)}`
      if (random.chance(0.3)) {
        original.delete(kind, id)
        expected.delete(`${kind}/${id}`)
      } else {
        const atMs = random.below(50)
        original.set(kind, id, atMs)
        expected.set(`${kind}/${id}`, atMs)
      }
    }
    for (const { key, row } of original.takeChanges()) {
      if (row === undefined) stored.delete(key)
      else stored.set(key, row.atMs)
    }
    assert.deepEqual(stored, expected)
  }
  const copy = new Deadlines(['hold', 'answer'])
  for (const [key, atMs] of stored) copy.load(key, atMs)
  assert.equal(copy.bytes, original.bytes)
  const ends = taken(original)
  assert.equal(ends.length, stored.size)
  assert.deepEqual(taken(copy), ends)
  const sorted = ends.toSorted((a, b) => timeOf(a) - timeOf(b) || kindOf(a) - kindOf(b) || (a < b ? -1 : 1))
  assert.deepEqual(ends, sorted)
})

test('a kind with a slash, and an end without a time, are refused', () => {
  assert.throws(() => new Deadlines(['a/b']), /slash/)
  const deadlines = new Deadlines(['a'])
  for (const atMs of [Number.NaN, Number.POSITIVE_INFINITY]) assert.throws(() => deadlines.set('a', 'x', atMs), /time/)
})
