import assert from 'node:assert/strict'
import type { Slot } from '../../src/paxos/types.js'
import type { Storage } from '../../src/storage/storage.js'
import { accepted, BALLOT, decidedUpTo, entry, infoAt } from './samples.js'
import type { OnDisk } from './test-disk.js'

/** One slot after another is voted on and decided, each in a write of its own. */
async function decideSlots(storage: Storage, from: Slot, to: Slot, bytes = 10): Promise<void> {
  for (let slot = from; slot <= to; slot++) await storage.append([accepted(slot, BALLOT, bytes), decidedUpTo(slot)])
}

const WINDOW = { slots: 10, bytes: 1_000_000 }

/** The log behind the checkpoint. */
export function describeTrimming(onDisk: OnDisk): void {
  onDisk(
    'the log is trimmed behind the checkpoint, but for the window',
    async (first, reopen) => {
      let storage = first
      await decideSlots(storage, 1, 30)
      assert.equal(storage.compactedUpTo, 0, 'nothing is trimmed that no checkpoint holds')
      await storage.saveCheckpoint(infoAt(15), [])
      await decideSlots(storage, 31, 31)
      assert.equal(storage.compactedUpTo, 15, 'never above the checkpoint')
      await storage.saveCheckpoint(infoAt(31), [])
      await decideSlots(storage, 32, 40)
      assert.equal(storage.compactedUpTo, 30)
      for (const isAnew of [false, true]) {
        if (isAnew) storage = await reopen()
        assert.equal(storage.compactedUpTo, 30)
        assert.deepEqual(await storage.readLog(30, 40, 1_000), [])
        assert.deepEqual(await storage.readLog(1, 40, 1_000), [])
        assert.deepEqual(
          await storage.readLog(31, 40, 100_000),
          Array.from({ length: 10 }, (_, i) => entry(31 + i)),
        )
      }
      assert.deepEqual([storage.recovered.compactedUpTo, storage.recovered.decidedUpTo], [30, 40])
      await storage.append([accepted(41), decidedUpTo(41)])
      await storage.saveCheckpoint(infoAt(41), [])
      await storage.append([accepted(42)])
      assert.equal((await reopen()).compactedUpTo, 31)
    },
    { window: WINDOW },
  )

  onDisk(
    'the window is bounded by bytes, too',
    async (storage, reopen) => {
      await decideSlots(storage, 1, 40, 1_000)
      await storage.saveCheckpoint(infoAt(35), [])
      await storage.append([accepted(41)])
      assert.ok(storage.compactedUpTo >= 30 && storage.compactedUpTo <= 35, String(storage.compactedUpTo))
      const from = storage.compactedUpTo + 1
      assert.equal((await (await reopen()).readLog(from, 40, 1_000_000)).length, 40 - from + 1)
    },
    { window: { slots: 1_000, bytes: 9_500 } },
  )

  onDisk(
    'the log that somebody needs is kept until it is let go of',
    async (storage) => {
      await decideSlots(storage, 1, 20)
      await storage.saveCheckpoint(infoAt(20), [])
      const letGo = [storage.holdLog(15), storage.holdLog(17)]
      await decideSlots(storage, 21, 60)
      await storage.saveCheckpoint(infoAt(60), [])
      await storage.append([accepted(61)])
      assert.equal(storage.compactedUpTo, 15)
      letGo[0]?.()
      await storage.append([accepted(62)])
      assert.equal(storage.compactedUpTo, 17)
      assert.equal((await storage.readLog(18, 60, 1_000_000)).length, 43)
      letGo[1]?.()
      await storage.append([accepted(63)])
      assert.equal(storage.compactedUpTo, 50)
    },
    { window: WINDOW },
  )

  onDisk(
    'a small write trims a bounded part of a long log, and the next ones the rest',
    async (storage, reopen) => {
      const count = 500
      const votes = Array.from({ length: count }, (_, i) => accepted(i + 1))
      await storage.append([...votes, decidedUpTo(count)])
      await storage.saveCheckpoint(infoAt(count), [])
      const watermarks: Slot[] = [storage.compactedUpTo]
      for (let slot = count + 1; storage.compactedUpTo < count - 10; slot++) {
        await storage.append([accepted(slot), decidedUpTo(slot)])
        watermarks.push(storage.compactedUpTo)
      }
      assert.ok(watermarks.length > 5)
      assert.ok(watermarks.every((slot, i) => i === 0 || slot - (watermarks[i - 1] ?? 0) <= 66))
      assert.equal((await reopen()).compactedUpTo, watermarks.at(-1))
    },
    { window: WINDOW },
  )

  onDisk(
    'a log that is read while it is trimmed is read without a gap, or not at all',
    async (storage) => {
      await decideSlots(storage, 1, 100)
      await storage.saveCheckpoint(infoAt(100), [])
      for (let slot = 101; slot <= 130; slot++) {
        const from = storage.compactedUpTo + 1
        const [entries] = await Promise.all([storage.readLog(from, slot - 1, 100_000), decideSlots(storage, slot, slot)])
        if (entries.length > 0) assert.deepEqual([entries[0]?.slot, entries.length], [from, slot - from])
      }
    },
    { window: WINDOW },
  )
}
