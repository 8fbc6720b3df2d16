import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeStorage } from './conformance.js'
import { MemoryDisk, MemoryStorage } from './memory-storage.js'
import { accepted, decidedSlots, entry, infoAt, state } from './samples.js'

describeStorage('MemoryStorage', async () => {
  const disk = new MemoryDisk()
  return { open: async (options) => MemoryStorage.open(disk, options), remove: async () => undefined }
})

test('a simulated crash keeps what was written now and loses what was not', () => {
  const disk = new MemoryDisk('00000000-0000-4000-8000-000000000001')
  const before = MemoryStorage.open(disk)
  before.appendNow([...decidedSlots(3), accepted(4)])
  before.saveCheckpointNow(infoAt(3), state({ a: [1] }))
  // The crash: what was to be written next is not, and the storage is not closed.
  const after = MemoryStorage.open(disk)
  assert.equal(after.dataDirId, '00000000-0000-4000-8000-000000000001')
  assert.deepEqual(after.recovered.accepted, [entry(4)])
  assert.deepEqual(after.readLogNow(2, 3, 1_000), [entry(2), entry(3)])
  assert.deepEqual(after.checkpoint, infoAt(3))
  assert.deepEqual(after.loadCheckpointNow(), state({ a: [1] }))
  assert.equal(disk.writeCount, 2)
})
