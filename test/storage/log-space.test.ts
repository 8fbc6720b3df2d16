import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { WRITE_BUFFER_BYTES } from '../../src/storage/leveldb/database.js'
import { accepted, BALLOT, decidedUpTo, infoAt, state } from './samples.js'

const MIB = 1_024 * 1_024

test('the room of trimmed slots and of their chain comes back, while writes go on', async () => {
  const root = mkdtempSync(join(tmpdir(), 'synod-space-'))
  const directory = join(root, 'node')
  const sizeOnDisk = (): number => {
    const files = readdirSync(join(directory, 'db')).map((name) => join(directory, 'db', name))
    return files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
  }
  try {
    const window = { slots: 1_000, bytes: 2 * MIB }
    const storage = await LevelStorage.open({ directory, nodeId: 1, window, reclaimBytes: 8 * MIB })
    const entryBytes = 50_000
    let written = 0
    let highest = 0
    for (let slot = 1; written < 120 * MIB; slot += 10) {
      const votes = Array.from({ length: 10 }, (_, i) => accepted(slot + i, BALLOT, entryBytes))
      await storage.append([...votes, decidedUpTo(slot + 9)])
      written += 10 * entryBytes
      if (slot % 40 === 1) await storage.saveCheckpoint(infoAt(slot + 9), state({ a: [slot % 256] }))
      highest = Math.max(highest, sizeOnDisk())
    }
    const { compactedUpTo } = storage
    await storage.close()
    assert.ok(written - compactedUpTo * entryBytes < 6 * MIB, 'the log is trimmed')
    // The window, what LevelDB has not sorted yet, and what the next compaction gives back.
    const allowed = 2 * MIB + 8 * MIB + 5 * WRITE_BUFFER_BYTES
    assert.ok(highest < allowed, `${highest} bytes at most, ${allowed} allowed`)
    const again = await LevelStorage.open({ directory, nodeId: 1 })
    assert.equal(again.compactedUpTo, compactedUpTo)
    await again.close()
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
