import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ShardedMap } from '../../src/tables/sharded-map.js'
import { Random } from '../app/random.js'

test('a sharded map is a map, also when its shards are full', () => {
  for (const entriesMax of [1, 3, 1_000]) {
    const random = new Random(entriesMax)
    const map = new ShardedMap<number>({ shardCount: 4, entriesMax })
    const model = new Map<string, number>()
    for (let i = 0; i < 5_000; i++) {
      const key = `key-${random.below(200)}`
      if (random.below(3) === 0) {
        map.delete(key)
        model.delete(key)
      } else {
        map.set(key, i)
        model.set(key, i)
      }
      assert.equal(map.size, model.size)
      assert.equal(map.get(key), model.get(key))
    }
    assert.deepEqual(new Map(map.entries()), model)
    assert.deepEqual(new Set(map.values()), new Set(model.values()))
  }
})

test('no shard takes more than it may, whatever the keys', () => {
  const map = new ShardedMap<number>({ shardCount: 1, entriesMax: 2 })
  for (let i = 0; i < 100; i++) map.set(`${i}`, i)
  for (let i = 0; i < 100; i += 2) map.delete(`${i}`)
  for (let i = 0; i < 100; i++) map.set(`again-${i}`, i)
  assert.equal(map.size, 150)
  for (let i = 0; i < 100; i++) assert.deepEqual([map.get(`${i}`), map.get(`again-${i}`)], [i % 2 === 0 ? undefined : i, i])
})
