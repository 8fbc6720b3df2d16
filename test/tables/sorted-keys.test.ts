import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SortedKeys } from '../../src/tables/sorted-keys.js'
import { compareUtf8 } from '../../src/tables/utf8.js'
import { Random } from '../app/random.js'

test('a set of sorted keys behaves like a sorted array, through splits and merges', () => {
  const random = new Random(7)
  const keys = new SortedKeys()
  const model = new Set<string>()
  for (let step = 0; step < 12_000; step++) {
    // Grows for the first half, then shrinks.
    const key = `key-${random.below(6_000)}`
    const isGrowing = random.chance(step < 6_000 ? 0.9 : 0.2)
    if (isGrowing && !model.has(key)) {
      keys.insert(key)
      model.add(key)
    } else if (!isGrowing) {
      keys.remove(key)
      model.delete(key)
    }
    if (step % 500 === 0) compare(keys, Array.from(model).toSorted(compareUtf8), random)
  }
})

function compare(keys: SortedKeys, model: readonly string[], random: Random): void {
  const whole = [keys.position(() => false), keys.position(() => true)] as const
  assert.deepEqual([...keys.ascending(...whole)], model)
  assert.equal(keys.count(...whole), model.length)
  const [start, end] = [`key-${random.below(6_000)}`, `key-${random.below(6_000)}`]
  const from = keys.position((key) => compareUtf8(key, start) < 0)
  const to = keys.position((key) => compareUtf8(key, end) < 0)
  const range = model.filter((key) => compareUtf8(key, start) >= 0 && compareUtf8(key, end) < 0)
  assert.deepEqual([...keys.ascending(from, to)], range)
  assert.deepEqual([...keys.descending(from, to)], range.toReversed())
  assert.equal(keys.count(from, to), range.length)
}

test('taking out a key that is not there changes nothing', () => {
  const keys = new SortedKeys()
  keys.remove('a')
  keys.insert('b')
  keys.remove('a')
  keys.remove('c')
  assert.deepEqual(
    [
      ...keys.ascending(
        keys.position(() => false),
        keys.position(() => true),
      ),
    ],
    ['b'],
  )
})
