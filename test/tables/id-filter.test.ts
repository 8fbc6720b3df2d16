import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FILTER_IDS_MAX, IdFilter, type IdPage } from '../../src/tables/id-filter.js'
import { Random } from '../app/random.js'

const PAGE_IDS = 4_096

/** Adds the ids from one number to another. */
function addUpTo(filter: IdFilter, from: number, to: number): void {
  for (let number = from; number <= to; number++) filter.add(number, `id-${number}`)
}

function hasAll(filter: IdFilter, count: number): boolean {
  for (let number = 1; number <= count; number++) if (!filter.mayHave(`id-${number}`, count)) return false
  return true
}

/** As a disk: pages as they were when they were written. */
function save(stored: Map<number, Uint32Array>, pages: Iterable<IdPage>): number[] {
  const told: number[] = []
  for (const { page, hashes } of pages) {
    told.push(page)
    if (hashes === undefined) stored.delete(page)
    else stored.set(page, Uint32Array.from(hashes))
  }
  return told
}

function restored(stored: ReadonlyMap<number, Uint32Array>): IdFilter {
  const filter = new IdFilter()
  for (const page of [...stored.keys()].toSorted((a, b) => a - b)) filter.load(page, stored.get(page) ?? assert.fail())
  return filter
}

test('an id that was used is never denied, and of those that were not one in a hundred is looked up at most', () => {
  const filter = new IdFilter()
  assert.equal(filter.mayHave('', 0), false)
  const count = 300_000
  addUpTo(filter, 1, count)
  assert.ok(hasAll(filter, count))
  let wrong = 0
  for (let i = 0; i < 100_000; i++) if (filter.mayHave(`other-${i}`, count)) wrong++
  assert.ok(wrong < 1_000, `${wrong} of 100,000`)
})

test('a filter that comes back from checkpoints denies no id that was used before or since', () => {
  const random = new Random(5)
  const stored = new Map<number, Uint32Array>()
  let filter = new IdFilter()
  let count = 0
  for (let round = 0; round < 12; round++) {
    const next = count + random.pick([0, 1, 700, PAGE_IDS - (count % PAGE_IDS), 9_000])
    addUpTo(filter, count + 1, next)
    const firstPage = Math.floor(count / PAGE_IDS)
    count = next
    const taken = filter.takeChanges(count)
    // What comes while the pages are written is of the next checkpoint.
    addUpTo(filter, count + 1, count + 50)
    assert.ok(
      save(stored, taken).every((page) => page >= firstPage),
      'a full page is written once',
    )
    filter = restored(stored)
    assert.ok(hasAll(filter, count))
    assert.deepEqual([...filter.takeChanges(count)], [])
  }
  assert.equal(
    Array.from(stored.values()).reduce((sum, hashes) => sum + hashes.length, 0),
    count,
  )
})

test('what is rolled back leaves no gap: its number goes to another id', () => {
  const stored = new Map<number, Uint32Array>()
  const filter = new IdFilter()
  addUpTo(filter, 1, PAGE_IDS - 1)
  for (let number = PAGE_IDS; number < PAGE_IDS + 10; number++) filter.add(number, `rolled back ${number}`)
  assert.deepEqual(save(stored, filter.takeChanges(PAGE_IDS - 1)), [0])
  addUpTo(filter, PAGE_IDS, PAGE_IDS + 1)
  assert.deepEqual(save(stored, filter.takeChanges(PAGE_IDS + 1)), [0, 1])
  const straight = new Map<number, Uint32Array>()
  const other = new IdFilter()
  addUpTo(other, 1, PAGE_IDS + 1)
  save(straight, other.takeChanges(PAGE_IDS + 1))
  assert.deepEqual(stored, straight)
})

test('past its bound there is no filter any more: every id is looked up, and nothing stays on disk', () => {
  const stored = new Map<number, Uint32Array>()
  const filter = new IdFilter()
  addUpTo(filter, 1, PAGE_IDS + 1)
  save(stored, filter.takeChanges(PAGE_IDS + 1))
  const count = FILTER_IDS_MAX + 1
  filter.add(count, 'one too many')
  assert.ok(filter.mayHave('one too many', count) && filter.mayHave('never used', count))
  assert.deepEqual(save(stored, filter.takeChanges(count)), [0, 1])
  assert.equal(stored.size, 0)
  assert.deepEqual([...filter.takeChanges(count + 1)], [])
})
