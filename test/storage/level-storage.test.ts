import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { describeStorage } from './conformance.js'
import { accepted, BALLOT, decidedUpTo, GENESIS, infoAt } from './samples.js'

describeStorage('LevelStorage', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'synod-storage-'))
  return {
    open: (options) => LevelStorage.open({ directory: join(directory, 'node'), nodeId: 1, ...options }),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
})

test('the log after a checkpoint that somebody reads is kept until it is let go, but not without a bound', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'synod-storage-'))
  const storage = await LevelStorage.open({ directory: join(directory, 'node'), nodeId: 1, window: { slots: 5, bytes: 4_000 } })
  try {
    await storage.append([{ kind: 'genesis', genesis: GENESIS }])
    const decide = async (from: number, to: number): Promise<void> => {
      for (let slot = from; slot <= to; slot++) await storage.append([accepted(slot), decidedUpTo(slot)])
      await storage.saveCheckpoint(infoAt(to), [])
      await storage.append([accepted(to + 1)])
    }
    await decide(1, 20)
    const view = await storage.viewCheckpoint()
    await decide(21, 60)
    assert.equal(storage.compactedUpTo, 20)
    await view?.close()
    await decide(61, 70)
    assert.equal(storage.compactedUpTo, 65)
    await storage.viewCheckpoint()
    for (let slot = 71; slot <= 140; slot++) await storage.append([accepted(slot, BALLOT, 1_000), decidedUpTo(slot)])
    await storage.saveCheckpoint(infoAt(140), [])
    await storage.append([accepted(141)])
    assert.ok(storage.compactedUpTo > 70, 'sixteen windows are the most')
  } finally {
    await storage.close()
    await rm(directory, { recursive: true, force: true })
  }
})

test('a view that cannot be made is refused, and the node writes on; what a crash has left of one is removed at the start', async () => {
  const root = await mkdtemp(join(tmpdir(), 'synod-storage-'))
  const views = join(root, 'views')
  try {
    let storage = await LevelStorage.open({ directory: root, nodeId: 1 })
    await storage.append([{ kind: 'genesis', genesis: GENESIS }, accepted(1), decidedUpTo(1)])
    await storage.saveCheckpoint(infoAt(1), [])
    writeFileSync(views, 'a file in its place')
    await assert.rejects(storage.viewCheckpoint(), { name: 'StorageError', code: 'NOT_WRITABLE' })
    await storage.append([accepted(2), decidedUpTo(2)])
    await storage.close()
    mkdirSync(join(views, 'view-1'), { recursive: true })
    storage = await LevelStorage.open({ directory: root, nodeId: 1 })
    assert.equal(existsSync(views), false)
    const view = await storage.viewCheckpoint()
    assert.equal(view?.header.slot, 1)
    await view?.close()
    await storage.close()
  } finally {
    await rm(root, { recursive: true, force: true })
  }
})
