import assert from 'node:assert/strict'
import type { StateEntry } from '../../src/replication/state-machine.js'
import type { CheckpointPage, CheckpointView, Storage } from '../../src/storage/storage.js'
import {
  accepted,
  accounts,
  decidedSlots,
  decidedUpTo,
  entriesOf,
  entry,
  GENESIS,
  HIGHEST,
  history,
  infoAt,
  state,
} from './samples.js'
import type { NewDisk, OnDisk, Reopen } from './test-disk.js'

const SENDER_SLOT = 50
const HISTORY = history({ 'h/1': [1], 'h/2': [2], 'h/3': [3] })
const STATE = accounts(300)

/** A storage with a checkpoint to send. */
export async function fillSender(storage: Storage): Promise<void> {
  await storage.append([{ kind: 'genesis', genesis: GENESIS }, ...decidedSlots(SENDER_SLOT)])
  await storage.saveCheckpoint(infoAt(20), [...STATE.slice(100), ...history({ 'h/0': [0], 'h/1': [0] }), ...state({ gone: [1] })])
  const changes = [...HISTORY, ...history({ 'h/0': undefined }), ...STATE.slice(0, 100), ...state({ gone: undefined })]
  await storage.saveCheckpoint(infoAt(SENDER_SLOT), changes)
}

/** A storage with another checkpoint, and votes below and above that of the sender. */
export async function fillReceiver(storage: Storage): Promise<void> {
  await storage.append([{ kind: 'genesis', genesis: GENESIS }, ...decidedSlots(10), accepted(12), accepted(60)])
  await storage.append([{ kind: 'promised', ballot: HIGHEST }])
  await storage.saveCheckpoint(infoAt(7), [...accounts(20), ...state({ own: [1] }), ...history({ own: [2], 'h/1': [9] })])
}

export async function viewOf(storage: Storage): Promise<CheckpointView> {
  const view = await storage.viewCheckpoint()
  assert.ok(view !== undefined)
  return view
}

export async function pagesOf(view: CheckpointView, pageBytes = 1_000, afterKey?: Uint8Array): Promise<CheckpointPage[]> {
  const pages: CheckpointPage[] = []
  for await (const page of view.pages(afterKey, pageBytes)) pages.push(page)
  return pages
}

/** The contents that a node would find in it. */
export async function contentsOf(storage: Storage) {
  const names = ['own', 'h/0', 'h/1', 'h/2', 'h/3']
  return {
    checkpoint: storage.checkpoint,
    state: await entriesOf(storage),
    history: names.map((name) => storage.readHistory(name)?.[0]),
    compactedUpTo: storage.compactedUpTo,
    recovered: { ...storage.recovered },
  }
}

/** The contents of the receiver after the install. */
export const INSTALLED = {
  checkpoint: infoAt(SENDER_SLOT),
  state: STATE,
  history: [undefined, undefined, 1, 2, 3],
  compactedUpTo: SENDER_SLOT,
  recovered: {
    genesis: GENESIS,
    promised: HIGHEST,
    decidedUpTo: SENDER_SLOT,
    accepted: [entry(60)],
    compactedUpTo: SENDER_SLOT,
  },
}

/** Checkpoints that go from one storage to another. */
export function describeReceiving(onDisk: OnDisk, newDisk: NewDisk): void {
  /** A test with a filled sender. */
  function withSender(title: string, run: (sender: Storage, receiver: Storage, reopen: Reopen) => Promise<void>): void {
    onDisk(title, async (receiver, reopen) => {
      const disk = await newDisk()
      const sender = await disk.open()
      try {
        await fillSender(sender)
        await run(sender, receiver, reopen)
      } finally {
        await sender.close()
        await disk.remove()
      }
    })
  }

  onDisk('a view is of the last committed checkpoint, whatever comes after it', async (storage) => {
    await fillSender(storage)
    const view = await viewOf(storage)
    const { checkpointId, bytes, ...header } = view.header
    const { appliedUpTo: slot, ...info } = infoAt(SENDER_SLOT)
    assert.deepEqual(header, { clusterId: GENESIS.clusterId, slot, ...info, genesis: GENESIS })
    const pages = await pagesOf(view)
    assert.ok(pages.length > 5)
    const keys = pages.flatMap((page) => page.keys.map((key) => Buffer.from(key).toString()))
    assert.deepEqual(keys, [...HISTORY.map(({ key }) => `h${key}`), ...STATE.map(({ key }) => `s${key}`)])
    const sizes = pages.flatMap((page) => [...page.keys, ...page.records].map((part) => part.length))
    assert.equal(
      bytes,
      sizes.reduce((sum, size) => sum + size, 0),
    )
    assert.deepEqual([view.end.historyCount, view.end.stateCount], [HISTORY.length, STATE.length])

    await storage.append([accepted(SENDER_SLOT + 1), decidedUpTo(SENDER_SLOT + 1)])
    const next = [...accounts(300).map((e): StateEntry => ({ ...e, value: undefined })), ...history({ 'h/2': undefined })]
    await storage.saveCheckpoint(infoAt(SENDER_SLOT + 1), next)
    assert.deepEqual(await pagesOf(view), pages)
    const newer = await viewOf(storage)
    assert.notEqual(newer.header.checkpointId, checkpointId)
    assert.deepEqual([newer.end.stateCount, newer.header.slot], [0, SENDER_SLOT + 1])
    await Promise.all([view.close(), newer.close()])
  })

  onDisk(
    'a view that is asked for while a checkpoint is prepared is of the one before, and stays so',
    async (storage) => {
      await fillSender(storage)
      const before = await viewOf(storage)
      const pages = await pagesOf(before)
      const prepared = await storage.prepareCheckpoint(
        infoAt(SENDER_SLOT, 7),
        accounts(500).map((e) => ({ ...e, value: undefined })),
      )
      const meanwhile = await viewOf(storage)
      assert.deepEqual([meanwhile.header, meanwhile.end], [before.header, before.end])
      await prepared.commit()
      assert.deepEqual(await pagesOf(meanwhile), pages)
      await Promise.all([before.close(), meanwhile.close()])
      const after = await viewOf(storage)
      assert.equal(after.end.stateCount, 0)
      await after.close()
    },
    { pieceBytes: 500 },
  )

  onDisk('pages go on after any key', async (storage) => {
    await fillSender(storage)
    const view = await viewOf(storage)
    const all = (await pagesOf(view, 1)).map((page) => page.keys[0])
    for (const [i, key] of [...all.entries()].filter(([j]) => j < 5 || j % 50 === 0 || j > 300)) {
      assert.deepEqual(
        (await pagesOf(view, 1, key)).map((page) => page.keys[0]),
        all.slice(i + 1),
      )
    }
    assert.deepEqual((await pagesOf(view, 1, Buffer.from('h~'))).length, STATE.length, 'after a key that is not there')
    await view.close()
  })

  withSender('a checkpoint from a peer replaces the own one', async (sender, first, reopen) => {
    await fillReceiver(first)
    const view = await viewOf(sender)
    const incoming = await first.receiveCheckpoint(view.header)
    assert.equal(incoming.lastKey, undefined)
    for (const page of await pagesOf(view)) await incoming.add(page)
    assert.deepEqual((await contentsOf(first)).checkpoint, infoAt(7), 'until the install the own one counts')
    await incoming.install(view.end)
    const { recovered, ...installed } = INSTALLED
    const { recovered: _, ...found } = await contentsOf(first)
    assert.deepEqual(found, installed)
    assert.deepEqual(await first.readLog(1, 100, 1_000), [])

    let storage = await reopen()
    assert.deepEqual(await contentsOf(storage), { ...installed, recovered })
    assert.equal(storage.unfinished, undefined)
    assert.deepEqual((await viewOf(storage)).header.checkpointId, view.header.checkpointId, 'it may be handed on')
    // It goes on from there, checkpoints of its own included.
    await storage.append([accepted(SENDER_SLOT + 1, HIGHEST), decidedUpTo(SENDER_SLOT + 1)])
    assert.deepEqual(await storage.readLog(SENDER_SLOT + 1, 60, 1_000), [entry(SENDER_SLOT + 1, HIGHEST)])
    await storage.saveCheckpoint(infoAt(SENDER_SLOT + 1), [...state({ new: [1] }), ...history({ 'h/1': undefined })])
    storage = await reopen()
    assert.deepEqual(await entriesOf(storage), [...STATE, ...state({ new: [1] })])
    assert.deepEqual(storage.readHistory('h/1'), undefined)
    await view.close()
  })

  withSender('a new node gets the genesis with it', async (sender, first, reopen) => {
    const view = await viewOf(sender)
    const incoming = await first.receiveCheckpoint(view.header)
    for (const page of await pagesOf(view, 1_000_000)) await incoming.add(page)
    await incoming.install(view.end)
    const { recovered } = await reopen()
    assert.deepEqual(recovered, {
      genesis: GENESIS,
      promised: 0,
      decidedUpTo: SENDER_SLOT,
      accepted: [],
      compactedUpTo: SENDER_SLOT,
    })
    await view.close()
  })

  withSender(
    'a second checkpoint may follow the first, and what the node has decided beyond stays',
    async (sender, first, reopen) => {
      let storage = first
      await fillReceiver(storage)
      for (const slot of [SENDER_SLOT, SENDER_SLOT + 1, SENDER_SLOT + 2]) {
        if (slot > SENDER_SLOT) {
          await sender.append([accepted(slot), decidedUpTo(slot)])
          await sender.saveCheckpoint(infoAt(slot), state({ [`new/${slot}`]: [1] }))
        }
        const view = await viewOf(sender)
        const incoming = await storage.receiveCheckpoint(view.header)
        for (const page of await pagesOf(view)) await incoming.add(page)
        await incoming.install(view.end)
        await view.close()
        storage = await reopen()
        assert.equal(storage.checkpoint.appliedUpTo, slot)
        assert.equal((await entriesOf(storage)).length, STATE.length + slot - SENDER_SLOT)
      }
      const last = SENDER_SLOT + 2
      await storage.append([accepted(last + 1, HIGHEST), accepted(last + 2, HIGHEST), decidedUpTo(last + 2)])
      await sender.append([accepted(last + 1), decidedUpTo(last + 1)])
      await sender.saveCheckpoint(infoAt(last + 1), [])
      const view = await viewOf(sender)
      const incoming = await storage.receiveCheckpoint(view.header)
      for (const page of await pagesOf(view)) await incoming.add(page)
      await incoming.install(view.end)
      await view.close()
      storage = await reopen()
      const { decidedUpTo: decided, compactedUpTo } = storage.recovered
      assert.deepEqual([decided, compactedUpTo], [last + 2, last + 1])
      assert.deepEqual(await storage.readLog(last + 2, last + 2, 100), [entry(last + 2, HIGHEST)])
    },
  )

  withSender('an interrupted transfer is resumed, also after a restart', async (sender, first, reopen) => {
    let storage = first
    await fillReceiver(storage)
    const view = await viewOf(sender)
    const count = (await pagesOf(view)).length
    let lastKey: Uint8Array | undefined
    for (let done = 0; done < count; done++) {
      const incoming = await storage.receiveCheckpoint(view.header)
      assert.deepEqual(incoming.lastKey && Buffer.from(incoming.lastKey), lastKey && Buffer.from(lastKey))
      const [page] = await pagesOf(view, 1_000, incoming.lastKey)
      assert.ok(page !== undefined)
      await incoming.add(page)
      lastKey = page.keys.at(-1)
      if (done % 2 === 0) continue
      storage = await reopen()
      assert.deepEqual(storage.unfinished?.header, view.header)
      assert.deepEqual(Buffer.from(storage.unfinished?.lastKey ?? []), lastKey && Buffer.from(lastKey))
      assert.deepEqual((await contentsOf(storage)).checkpoint, infoAt(7))
    }
    await (await storage.receiveCheckpoint(view.header)).install(view.end)
    storage = await reopen()
    assert.deepEqual(await contentsOf(storage), INSTALLED)
    await view.close()
  })

  withSender('the remains of an earlier transfer are discarded when another begins', async (sender, first, reopen) => {
    await fillReceiver(first)
    const view = await viewOf(sender)
    const incoming = await first.receiveCheckpoint(view.header)
    for (const page of await pagesOf(view)) await incoming.add(page)
    await sender.append([accepted(SENDER_SLOT + 1), decidedUpTo(SENDER_SLOT + 1)])
    await sender.saveCheckpoint(infoAt(SENDER_SLOT + 1), [
      ...STATE.slice(1).map((e) => ({ ...e, value: undefined })),
      ...history({ 'h/2': undefined }),
    ])
    const newer = await viewOf(sender)
    const other = await first.receiveCheckpoint(newer.header)
    assert.equal(other.lastKey, undefined)
    await assert.rejects(incoming.install(view.end), /one checkpoint is received at a time/)
    for (const page of await pagesOf(newer)) await other.add(page)
    await other.install(newer.end)
    const storage = await reopen()
    assert.deepEqual(await entriesOf(storage), STATE.slice(0, 1))
    assert.deepEqual([storage.readHistory('h/1')?.[0], storage.readHistory('h/2')], [1, undefined])
    await Promise.all([view.close(), newer.close()])
  })

  withSender(
    'a page that is damaged, or is not the next one, is refused and the transfer goes on',
    async (sender, first, reopen) => {
      await fillReceiver(first)
      const view = await viewOf(sender)
      const pages = await pagesOf(view)
      const incoming = await first.receiveCheckpoint(view.header)
      const [one, two] = pages as [CheckpointPage, CheckpointPage]
      const damaged = two.records.map((record, i) => (i === 2 ? Buffer.from(record).fill(7, 1, 2) : record))
      await incoming.add(one)
      const bad: readonly (readonly [CheckpointPage, RegExp])[] = [
        [{ ...two, records: damaged }, /does not match its checksum/],
        [{ keys: two.keys, records: two.records.slice(1) }, /a record for each key/],
        [{ keys: [], records: [] }, /a record for each key/],
        [{ keys: two.keys.toReversed(), records: two.records.toReversed() }, /not the next one/],
        [one, /not the next one/],
        [{ keys: [Buffer.from('t1')], records: [Buffer.from('123456')] }, /not checkpoint entries/],
        [{ keys: [Buffer.from('mgenesis')], records: [Buffer.from('123456')] }, /not checkpoint entries/],
      ]
      for (const [page, says] of bad) await assert.rejects(incoming.add(page), { name: 'RecordError', message: says })
      for (const page of pages.slice(1)) await incoming.add(page)
      await incoming.install(view.end)
      assert.deepEqual(await contentsOf(await reopen()), INSTALLED)
      await view.close()
    },
  )

  withSender('a checkpoint that lacks a page is not installed, and begins anew', async (sender, first, reopen) => {
    await fillReceiver(first)
    const view = await viewOf(sender)
    const pages = await pagesOf(view)
    const [firstPage] = pages
    assert.ok(firstPage !== undefined)
    const before = await contentsOf(first)
    const incoming = await first.receiveCheckpoint(view.header)
    for (const page of pages.slice(1)) await incoming.add(page)
    await assert.rejects(incoming.install(view.end), { name: 'RecordError', message: /differ from those that were sent/ })
    await assert.rejects(incoming.add(firstPage), /one checkpoint is received at a time/)
    let storage = await reopen()
    assert.equal(storage.unfinished, undefined)
    assert.deepEqual((await contentsOf(storage)).state, before.state)
    const again = await storage.receiveCheckpoint(view.header)
    assert.equal(again.lastKey, undefined)
    for (const page of pages) await again.add(page)
    await again.install(view.end)
    storage = await reopen()
    assert.deepEqual(await contentsOf(storage), INSTALLED)
    await view.close()
  })

  withSender('a checkpoint of another cluster is refused', async (sender, first) => {
    await first.append([{ kind: 'genesis', genesis: { ...GENESIS, clusterId: '00000000-0000-4000-8000-000000000000' } }])
    const view = await viewOf(sender)
    await assert.rejects(first.receiveCheckpoint(view.header), { name: 'RecordError', message: /belongs to cluster 8a6e/ })
    await view.close()
  })

  withSender('a checkpoint that is not above the own one is refused', async (sender, first) => {
    await fillSender(first)
    const view = await viewOf(sender)
    await assert.rejects(first.receiveCheckpoint(view.header), /a checkpoint never goes back/)
    await view.close()
  })
}
