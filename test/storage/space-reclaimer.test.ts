import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { Database } from '../../src/storage/leveldb/database.js'
import { SpaceReclaimer } from '../../src/storage/log/space-reclaimer.js'

/** A database whose compactions end when the test says so. */
function slowDatabase() {
  const begun: string[] = []
  const ends: ((error?: Error) => void)[] = []
  const db = {
    compactRange: (start: Buffer, end: Buffer) => {
      begun.push(`${start.toString()}-${end.toString()}`)
      return new Promise<void>((resolve, reject) => ends.push((error) => (error === undefined ? resolve() : reject(error))))
    },
  } as unknown as Database
  return { db, begun, end: (error?: Error) => ends.shift()?.(error) }
}

const unexpected = (error: unknown): never => assert.fail(String(error))

test('one range is compacted at a time, and of one that is asked for again meanwhile the longer', async () => {
  const { db, begun, end } = slowDatabase()
  const reclaimer = new SpaceReclaimer(db, unexpected)
  reclaimer.reclaim(Buffer.from('l0'), Buffer.from('l1'))
  reclaimer.reclaim(Buffer.from('c0'), Buffer.from('c1'))
  reclaimer.reclaim(Buffer.from('l0'), Buffer.from('l2'))
  reclaimer.reclaim(Buffer.from('l0'), Buffer.from('l3'))
  assert.deepEqual(begun, ['l0-l1'])
  end()
  await setImmediate()
  assert.deepEqual(begun, ['l0-l1', 'c0-c1'])
  end()
  await setImmediate()
  assert.deepEqual(begun, ['l0-l1', 'c0-c1', 'l0-l3'])
  end()
  await setImmediate()
  reclaimer.reclaim(Buffer.from('l0'), Buffer.from('l4'))
  assert.equal(begun.at(-1), 'l0-l4')
})

test('the end waits for the compaction under way, and begins no other', async () => {
  const { db, begun, end } = slowDatabase()
  const reclaimer = new SpaceReclaimer(db, unexpected)
  reclaimer.reclaim(Buffer.from('l0'), Buffer.from('l1'))
  reclaimer.reclaim(Buffer.from('c0'), Buffer.from('c1'))
  let isFinished = false
  const finished = reclaimer.finish().then(() => {
    isFinished = true
    return undefined
  })
  await setImmediate()
  assert.equal(isFinished, false)
  end()
  await finished
  assert.deepEqual(begun, ['l0-l1'])
})

test('a compaction that fails is told, and none follows', async () => {
  const { db, begun, end } = slowDatabase()
  const told: unknown[] = []
  const reclaimer = new SpaceReclaimer(db, (error) => told.push(error))
  reclaimer.reclaim(Buffer.from('l0'), Buffer.from('l1'))
  reclaimer.reclaim(Buffer.from('c0'), Buffer.from('c1'))
  const broken = new Error('input/output error')
  end(broken)
  await setImmediate()
  assert.deepEqual([told, begun], [[broken], ['l0-l1']])
})
