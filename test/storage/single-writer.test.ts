import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { SingleWriter, type WritePriority } from '../../src/storage/log/single-writer.js'

const diskFull = new Error('no space left')

test('after a failed write every call is refused with the first failure as its cause', async () => {
  const writer = new SingleWriter()
  await writer.write('append', async () => undefined)
  await assert.rejects(
    writer.write('append', () => Promise.reject(diskFull)),
    diskFull,
  )
  const failed = { name: 'StorageError', code: 'WRITE_FAILED', cause: diskFull }
  await assert.rejects(
    writer.write('append', async () => assert.fail('must not be tried')),
    failed,
  )
  assert.throws(() => writer.assertUsable(), failed)
})

test('a failure in the background ends it as well, once the write in flight has ended', async () => {
  const writer = new SingleWriter()
  const write = writer.write('append', () => setImmediate())
  writer.fail(diskFull)
  await write
  await assert.rejects(
    writer.write('append', async () => undefined),
    { code: 'WRITE_FAILED', cause: diskFull },
  )
})

test('close waits for the write in flight, whether it fails or not, and tells who closed first', async () => {
  const writer = new SingleWriter()
  let ended = false
  const write = writer.write('append', async () => {
    await setImmediate()
    ended = true
  })
  const closed = writer.close()
  assert.deepEqual([await closed, ended, await writer.close()], [true, true, false])
  await write
  await assert.rejects(
    writer.write('append', async () => undefined),
    { code: 'CLOSED' },
  )
})

test('waiting writes run by priority, and in the order of the calls within one priority', async () => {
  const writer = new SingleWriter()
  const done: string[] = []
  const write = (priority: WritePriority, name: string): Promise<void> =>
    writer.write(priority, async () => {
      await setImmediate()
      done.push(name)
    })
  await Promise.all([
    write('background', 'first'),
    write('background', 'page 1'),
    write('commit', 'commit'),
    write('append', 'append 1'),
    write('background', 'page 2'),
    write('append', 'append 2'),
  ])
  assert.deepEqual(done, ['first', 'append 1', 'append 2', 'commit', 'page 1', 'page 2'])
})

const mustNot = async () => assert.fail('must not be tried')

test('waiting writes are refused when a write fails or the writer is closed, even when their turn has just come', async () => {
  const failing = new SingleWriter()
  const failed = failing.write('append', () => Promise.reject(diskFull))
  const waiting = [failing.write('append', mustNot), failing.write('background', mustNot)]
  await assert.rejects(failed, diskFull)
  for (const write of waiting) await assert.rejects(write, { code: 'WRITE_FAILED', cause: diskFull })

  const closing = new SingleWriter()
  const gate = setImmediate()
  const first = closing.write('append', () => gate)
  const refused = [closing.write('append', mustNot), closing.write('commit', mustNot)]
  // After the first write has let the second one through, and before that has begun.
  const closed = gate.then(() => closing.close())
  for (const write of refused) await assert.rejects(write, { code: 'CLOSED' })
  assert.equal(await closed, true)
  await first
})
