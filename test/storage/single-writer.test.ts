import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { SingleWriter } from '../../src/storage/single-writer.js'

const diskFull = new Error('no space left')

test('after a failed write nothing is written or read any more, and the first failure is told', async () => {
  const writer = new SingleWriter()
  await writer.write(async () => undefined)
  await assert.rejects(
    writer.write(() => Promise.reject(diskFull)),
    diskFull,
  )
  const failed = { name: 'StorageError', code: 'WRITE_FAILED', cause: diskFull }
  await assert.rejects(
    writer.write(async () => assert.fail('must not be tried')),
    failed,
  )
  assert.throws(() => writer.assertUsable(), failed)
})

test('a failure in the background ends it as well, once the write in flight has ended', async () => {
  const writer = new SingleWriter()
  const write = writer.write(() => setImmediate())
  writer.fail(diskFull)
  await write
  await assert.rejects(
    writer.write(async () => undefined),
    { code: 'WRITE_FAILED', cause: diskFull },
  )
})

test('close waits for the write in flight, whether it fails or not, and tells who closed first', async () => {
  const writer = new SingleWriter()
  let ended = false
  const write = writer.write(async () => {
    await setImmediate()
    ended = true
  })
  const closed = writer.close()
  assert.deepEqual([await closed, ended, await writer.close()], [true, true, false])
  await write
  await assert.rejects(
    writer.write(async () => undefined),
    { code: 'CLOSED' },
  )
})
