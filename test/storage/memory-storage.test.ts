import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accepted, decidedSlots, describeStorage, entry } from './conformance.js'
import { MemoryDisk, MemoryStorage } from './memory-storage.js'

describeStorage('MemoryStorage', async () => {
  const disk = new MemoryDisk()
  return { open: async () => MemoryStorage.open(disk), remove: async () => undefined }
})

test('a simulated crash keeps what was written now and loses what was not', () => {
  const disk = new MemoryDisk('00000000-0000-4000-8000-000000000001')
  const before = MemoryStorage.open(disk)
  before.appendNow([...decidedSlots(3), accepted(4)])
  before.saveCheckpointNow({ appliedUpTo: 3, timeMs: 5, stateDigest: 6 }, [{ key: 'a', value: Uint8Array.of(1) }])
  // The crash: what was to be written next is not, and the storage is not closed.
  const after = MemoryStorage.open(disk)
  assert.equal(after.dataDirId, '00000000-0000-4000-8000-000000000001')
  assert.deepEqual(after.recovered.accepted, [entry(4)])
  assert.deepEqual(after.readLogNow(2, 3, 1_000), [entry(2), entry(3)])
  assert.deepEqual(after.checkpoint, { appliedUpTo: 3, timeMs: 5, stateDigest: 6 })
  assert.deepEqual(after.loadCheckpointNow(), [{ key: 'a', value: Uint8Array.of(1) }])
  assert.equal(disk.writeCount, 2)
})
