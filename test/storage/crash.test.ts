import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { LevelStorage } from '../../src/storage/level-storage.js'
import type { CheckpointPage, CheckpointView } from '../../src/storage/storage.js'
import { contentsOf, fillReceiver, fillSender, INSTALLED, pagesOf, viewOf } from './conformance-receiving.js'
import { CrashingDirectory } from './crashing-directory.js'
import { accepted, accounts, decidedSlots, decidedUpTo, entriesOf, GENESIS, history, infoAt } from './samples.js'

// A crash at every single write, lost or kept: afterwards the checkpoint is the previous one or the next one.

/** Small, so that everything takes several writes. */
const OPTIONS = { window: { slots: 5, bytes: 1_000_000 }, pieceBytes: 2_000 }

/** Runs it, again and again, with a crash at one write after another, until it ends without one. Gives how many crashes there were. */
async function crashEverywhere(settings: {
  readonly fill: (storage: LevelStorage) => Promise<void>
  readonly run: (storage: LevelStorage) => Promise<void>
  readonly afterCrash: (storage: LevelStorage, directory: CrashingDirectory) => Promise<void>
}): Promise<number> {
  for (let crashes = 0; ; crashes++) {
    const directory = new CrashingDirectory()
    await settings.fill(await directory.open(OPTIONS))
    const storage = await directory.open(OPTIONS)
    directory.crashAtWrite(1 + Math.floor(crashes / 2), crashes % 2 === 1)
    const outcome = await settings.run(storage).then(
      () => 'ended',
      (error: unknown) => error,
    )
    if (outcome === 'ended') return crashes
    assert.ok(outcome instanceof Error && 'code' in outcome && outcome.code === 'WRITE_FAILED', String(outcome))
    await settings.afterCrash(await directory.open(OPTIONS), directory)
  }
}

async function senderView(): Promise<{ view: CheckpointView; pages: CheckpointPage[] }> {
  const sender = await new CrashingDirectory().open()
  await fillSender(sender)
  const view = await viewOf(sender)
  return { view, pages: await pagesOf(view, 1_000) }
}

async function receive(storage: LevelStorage, { view, pages }: { view: CheckpointView; pages: CheckpointPage[] }): Promise<void> {
  const incoming = await storage.receiveCheckpoint(view.header)
  for (const page of pages) {
    const [firstKey] = page.keys
    const isOld = firstKey !== undefined && incoming.lastKey !== undefined && Buffer.compare(firstKey, incoming.lastKey) <= 0
    if (!isOld) await incoming.add(page)
  }
  await incoming.install(view.end)
}

type Contents = Awaited<ReturnType<typeof contentsOf>>

function entriesIn({ checkpoint, state, history: rows }: Contents) {
  return { checkpoint, state, rows }
}

/** Removes what is left of the old generation, too. */
async function settle(storage: LevelStorage): Promise<void> {
  await setImmediate()
  await storage.append([accepted(70)])
}

test('a checkpoint from a peer is installed as a whole, or not at all, and goes on from any crash', async () => {
  const sent = await senderView()
  let before: Contents = INSTALLED
  let installedCount = 0
  const crashes = await crashEverywhere({
    fill: async (storage) => {
      await fillReceiver(storage)
      before = await contentsOf(storage)
    },
    run: (storage) => receive(storage, sent),
    afterCrash: async (storage) => {
      const found = await contentsOf(storage)
      if (storage.checkpoint.appliedUpTo === INSTALLED.checkpoint.appliedUpTo) {
        assert.deepEqual(found, INSTALLED)
        installedCount += 1
        return
      }
      // Every write trims the log, that of a page, too.
      const { recovered } = found
      assert.deepEqual(entriesIn(found), entriesIn(before))
      assert.deepEqual(
        [recovered.promised, recovered.decidedUpTo, recovered.accepted.length],
        [INSTALLED.recovered.promised, 10, 2],
      )
      await receive(storage, sent)
      assert.deepEqual(entriesIn(await contentsOf(storage)), entriesIn(INSTALLED))
    },
  })
  assert.ok(crashes > 10, `${crashes} crashes`)
  assert.ok(installedCount >= 1)
})

test('the generation that is not in use any more is removed, whenever a crash interrupts that', async () => {
  const sent = await senderView()
  const count = 5_000
  for (let crashes = 0; crashes < 12; crashes++) {
    const directory = new CrashingDirectory()
    const first = await directory.open({ window: OPTIONS.window })
    await fillReceiver(first)
    await first.saveCheckpoint(infoAt(8), accounts(count))
    await receive(first, sent)
    // The entries of the generation before are still there, or some of them.
    directory.crashAtWrite(1 + Math.floor(crashes / 2), crashes % 2 === 1)
    await settle(first).catch(() => undefined)
    const second = await directory.open(OPTIONS)
    assert.deepEqual((await contentsOf(second)).state, INSTALLED.state)
    for (let turns = 0; directory.tags.has('s') && turns < 1_000; turns++) await settle(second)
    assert.deepEqual([directory.tags.has('s'), directory.tags.has('h'), directory.tags.has('t')], [false, false, true])
  }
})

function historyOf(storage: LevelStorage): (number | undefined)[] {
  return ['a', 'b', 'c'].map((key) => storage.readHistory(key)?.[0])
}

test('a checkpoint that is written in pieces counts as a whole, or not at all', async () => {
  const before = [...accounts(2_000), ...history({ a: [1], b: [2] })]
  const changes = [
    ...accounts(3_000).map((entry, i) => ({ ...entry, value: i % 3 === 0 ? undefined : Uint8Array.of(i % 200, 7) })),
    ...history({ a: [9], b: undefined, c: [9] }),
  ]
  const after = accounts(3_000).flatMap((entry, i) => (i % 3 === 0 ? [] : [{ ...entry, value: Uint8Array.of(i % 200, 7) }]))
  let wholeCount = 0
  const crashes = await crashEverywhere({
    fill: async (storage) => {
      await storage.append([{ kind: 'genesis', genesis: GENESIS }, ...decidedSlots(20)])
      await storage.saveCheckpoint(infoAt(10), before)
      await storage.append([accepted(21), decidedUpTo(21)])
    },
    run: (storage) => storage.saveCheckpoint(infoAt(20), changes),
    afterCrash: async (storage, directory) => {
      assert.ok(!directory.tags.has('b'), 'what undoes it is gone')
      if (storage.checkpoint.appliedUpTo === 20) {
        wholeCount += 1
        assert.deepEqual(await entriesOf(storage), after)
        assert.deepEqual(historyOf(storage), [9, undefined, 9])
        return
      }
      assert.deepEqual(storage.checkpoint, infoAt(10))
      assert.deepEqual(await entriesOf(storage), accounts(2_000))
      assert.deepEqual(historyOf(storage), [1, 2, undefined])
      const view = await viewOf(storage)
      assert.equal(view.end.stateCount, 2_000)
      await view.close()
      await storage.saveCheckpoint(infoAt(20), changes)
      assert.deepEqual(await entriesOf(storage), after)
    },
  })
  assert.ok(crashes > 10, `${crashes} crashes`)
  assert.equal(wholeCount, 1)
})

test('a crash while an unfinished checkpoint is taken back is taken back, too', async () => {
  const changes = accounts(600).map((entry) => ({ ...entry, value: Uint8Array.of(7) }))
  for (let crashes = 0; crashes < 16; crashes++) {
    const directory = new CrashingDirectory()
    const first = await directory.open(OPTIONS)
    await first.append(decidedSlots(20))
    await first.saveCheckpoint(infoAt(10), accounts(400))
    await first.prepareCheckpoint(infoAt(20), changes)
    const dying = directory.open(OPTIONS)
    directory.crashAtWrite(1 + Math.floor(crashes / 2), crashes % 2 === 1)
    await dying.catch((error: unknown) => assert.ok(error instanceof Error))
    const storage = await directory.open(OPTIONS)
    assert.deepEqual(await entriesOf(storage), accounts(400))
    await storage.saveCheckpoint(infoAt(20), changes)
    assert.deepEqual(await entriesOf(storage), changes)
  }
})

test('the log is trimmed as a whole with its write', async () => {
  const crashes = await crashEverywhere({
    fill: async (storage) => {
      await storage.append(decidedSlots(100))
      await storage.saveCheckpoint(infoAt(90), [])
    },
    run: async (storage) => {
      for (let slot = 101; slot <= 110; slot++) {
        await storage.append([accepted(slot), decidedUpTo(slot)])
        if (slot === 105) await storage.saveCheckpoint(infoAt(104), [])
      }
    },
    afterCrash: async (storage) => {
      const { compactedUpTo, recovered } = storage
      assert.equal(recovered.compactedUpTo, compactedUpTo)
      assert.ok(compactedUpTo <= storage.checkpoint.appliedUpTo)
      const log = await storage.readLog(compactedUpTo + 1, recovered.decidedUpTo, 1_000_000)
      assert.deepEqual([log.length, log[0]?.slot], [recovered.decidedUpTo - compactedUpTo, compactedUpTo + 1])
    },
  })
  assert.ok(crashes >= 20, `${crashes} crashes`)
})
