import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { StateEntry } from '../../src/machine/state-machine.js'
import { makeBallot } from '../../src/paxos/ballot.js'
import type { DurableRecord, Genesis, LogEntry, Slot } from '../../src/paxos/types.js'
import { NOOP } from '../../src/paxos/types.js'
import type { Storage } from '../../src/storage/storage.js'

/** One node's disk: what `open` gives stands on it, again and again. */
export interface TestDisk {
  open(): Promise<Storage>
  remove(): Promise<void>
}

export const GENESIS: Genesis = {
  clusterId: '8a6e0804-2bd0-4672-b79d-d97027f9071a',
  members: [1, 2, 3].map((nodeId) => ({
    nodeId,
    dataDirId: `00000000-0000-4000-8000-00000000000${nodeId}`,
    peerAddress: `127.0.0.1:720${nodeId}`,
    clientAddress: `127.0.0.1:710${nodeId}`,
  })),
  initialCommands: [Uint8Array.of(1, 2, 3), new Uint8Array()],
}

const BALLOT = makeBallot(1, 1)
const HIGHER = makeBallot(1, 2)
const HIGHEST = makeBallot(7, 1)

export function entry(slot: Slot, ballot = BALLOT, bytes = 10): LogEntry {
  return { slot, ballot, value: { kind: 'batch', timeMs: 1_000 + slot, commands: [new Uint8Array(bytes).fill(slot)] } }
}

export function accepted(slot: Slot, ballot = BALLOT, bytes = 10): DurableRecord {
  return { kind: 'accepted', entry: entry(slot, ballot, bytes) }
}

function decidedUpTo(slot: Slot): DurableRecord {
  return { kind: 'decidedUpTo', slot }
}

/** Votes for slots from 1 and their decision. */
export function decidedSlots(count: number, bytes = 10): DurableRecord[] {
  return [...Array.from({ length: count }, (_, i) => accepted(i + 1, BALLOT, bytes)), decidedUpTo(count)]
}

export async function entriesOf(storage: Storage): Promise<StateEntry[]> {
  const entries: StateEntry[] = []
  for await (const { key, value } of storage.loadCheckpoint()) entries.push({ key, value })
  return entries.toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

function state(entries: Record<string, readonly number[] | undefined>): StateEntry[] {
  return Object.entries(entries).map(([key, bytes]) => ({ key, value: bytes && Uint8Array.from(bytes) }))
}

/** What holds for every Storage. */
export function describeStorage(name: string, newDisk: () => Promise<TestDisk>): void {
  /** A test that gets a fresh disk, and a way to close what is open and open it again. */
  function onDisk(title: string, run: (storage: Storage, reopen: () => Promise<Storage>) => Promise<void>): void {
    test(title, async () => {
      const disk = await newDisk()
      let storage = await disk.open()
      try {
        await run(storage, async () => {
          await storage.close()
          storage = await disk.open()
          return storage
        })
      } finally {
        await storage.close()
        await disk.remove()
      }
    })
  }

  describe(`${name} keeps the contract of Storage`, () => {
    onDisk('a new disk holds nothing, and its id stays', async (storage, reopen) => {
      const { dataDirId } = storage
      assert.match(dataDirId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      const empty = { genesis: undefined, promised: 0, decidedUpTo: 0, accepted: [] }
      assert.deepEqual(storage.recovered, empty)
      assert.deepEqual(storage.checkpoint, { appliedUpTo: 0, timeMs: 0, stateDigest: 0 })
      assert.deepEqual(await storage.readLog(1, 10, 1_000), [])
      const again = await reopen()
      assert.equal(again.dataDirId, dataDirId)
      assert.deepEqual(again.recovered, empty)
    })

    onDisk('everything appended is found again, whenever it is opened anew', async (first, reopen) => {
      let storage = first
      await storage.append([{ kind: 'genesis', genesis: GENESIS }])
      storage = await reopen()
      assert.deepEqual(storage.recovered.genesis, GENESIS)
      await storage.append([{ kind: 'promised', ballot: BALLOT }])
      storage = await reopen()
      assert.equal(storage.recovered.promised, BALLOT)
      await storage.append([accepted(1), accepted(2), accepted(4)])
      storage = await reopen()
      assert.deepEqual(storage.recovered.accepted, [entry(1), entry(2), entry(4)])
      await storage.append([decidedUpTo(1)])
      storage = await reopen()
      assert.equal(storage.recovered.decidedUpTo, 1)
      assert.deepEqual(storage.recovered.accepted, [entry(2), entry(4)])
      await storage.append([])
      await storage.append([accepted(3), decidedUpTo(4), accepted(5, HIGHER), { kind: 'promised', ballot: HIGHEST }])
      storage = await reopen()
      assert.deepEqual(storage.recovered, { genesis: GENESIS, promised: HIGHEST, decidedUpTo: 4, accepted: [entry(5, HIGHER)] })
      assert.deepEqual(await storage.readLog(1, 4, 10_000), [entry(1), entry(2), entry(3), entry(4)])
    })

    onDisk('a later vote or a learned value takes the place of an earlier vote', async (first, reopen) => {
      let storage = first
      await storage.append([accepted(1), accepted(2), accepted(3)])
      await storage.append([accepted(1, HIGHER), { kind: 'learned', entry: { slot: 2, ballot: HIGHER, value: NOOP } }])
      await storage.append([accepted(3, HIGHER), accepted(3, HIGHEST)])
      storage = await reopen()
      const found = [entry(1, HIGHER), { slot: 2, ballot: HIGHER, value: NOOP }, entry(3, HIGHEST)]
      assert.deepEqual(storage.recovered.accepted, found)
      await storage.append([decidedUpTo(3)])
      assert.deepEqual(await storage.readLog(1, 3, 10_000), found)
      storage = await reopen()
      assert.deepEqual(await storage.readLog(1, 3, 10_000), found)
    })

    onDisk(
      'a vote, and a learned value that is not known to be decided, count as a promise after a restart',
      async (first, reopen) => {
        await first.append([accepted(1, HIGHER)])
        const second = await reopen()
        assert.equal(second.recovered.promised, HIGHER)
        await second.append([{ kind: 'learned', entry: entry(2, HIGHEST) }])
        assert.equal((await reopen()).recovered.promised, HIGHEST)
      },
    )

    for (const { rule, before, after } of BROKEN_RULES) {
      onDisk(`a write that breaks a rule is refused, and ends the storage: ${rule}`, async (storage, reopen) => {
        await storage.append(before)
        await assert.rejects(storage.append(after), { name: 'InvariantError', message: `broken invariant: ${rule}` })
        await assert.rejects(storage.append([{ kind: 'promised', ballot: HIGHEST }]), { code: 'WRITE_FAILED' })
        assert.notEqual((await reopen()).recovered.promised, HIGHEST)
      })
    }

    onDisk('one write is in flight at a time', async (storage, reopen) => {
      const first = storage.append([accepted(1)])
      const overlapping = [
        storage.append([accepted(2)]),
        storage.saveCheckpoint({ appliedUpTo: 0, timeMs: 0, stateDigest: 0 }, []),
      ]
      await Promise.all(overlapping.map((write) => assert.rejects(write, /one write is in flight at a time/)))
      await first
      await storage.append([accepted(3)])
      assert.deepEqual((await reopen()).recovered.accepted, [entry(1), entry(3)])
    })

    onDisk('close waits for the write in flight', async (storage, reopen) => {
      const write = storage.append([accepted(1)])
      const again = await reopen()
      await write
      assert.deepEqual(again.recovered.accepted, [entry(1)])
    })

    onDisk('a closed storage refuses everything, and may be closed again', async (storage) => {
      await storage.close()
      await storage.close()
      const closed = { name: 'StorageError', code: 'CLOSED' }
      await assert.rejects(storage.append([accepted(1)]), closed)
      await assert.rejects(storage.append([]), closed)
      await assert.rejects(storage.readLog(1, 1, 1), closed)
      await assert.rejects(storage.saveCheckpoint({ appliedUpTo: 0, timeMs: 0, stateDigest: 0 }, []), closed)
      await assert.rejects(entriesOf(storage), closed)
    })

    describeReadLog(onDisk)
    describeCheckpoint(onDisk)
  })
}

type OnDisk = (title: string, run: (storage: Storage, reopen: () => Promise<Storage>) => Promise<void>) => void

const BROKEN_RULES: readonly { rule: string; before: DurableRecord[]; after: DurableRecord[] }[] = [
  {
    rule: 'a promise is never lowered',
    before: [{ kind: 'promised', ballot: HIGHER }],
    after: [{ kind: 'promised', ballot: BALLOT }],
  },
  { rule: 'a promise is never lowered', before: [accepted(1, HIGHER)], after: [{ kind: 'promised', ballot: BALLOT }] },
  {
    rule: 'a genesis is never replaced',
    before: [{ kind: 'genesis', genesis: GENESIS }],
    after: [{ kind: 'genesis', genesis: GENESIS }],
  },
  { rule: 'a decided slot is never written again', before: decidedSlots(2), after: [accepted(2, HIGHER)] },
  { rule: 'decidedUpTo never goes back', before: decidedSlots(2), after: [decidedUpTo(1)] },
  { rule: 'the log holds every decided slot', before: [accepted(1), accepted(3)], after: [decidedUpTo(3)] },
  { rule: 'an entry has a ballot', before: [accepted(1)], after: [accepted(2, 0)] },
]

function describeReadLog(onDisk: OnDisk): void {
  onDisk('readLog gives decided entries only, between its bounds', async (storage) => {
    await storage.append([...decidedSlots(5), accepted(6)])
    const slots = async (from: Slot, to: Slot): Promise<Slot[]> => (await storage.readLog(from, to, 10_000)).map((e) => e.slot)
    assert.deepEqual(await slots(1, 5), [1, 2, 3, 4, 5])
    assert.deepEqual(await slots(2, 3), [2, 3])
    assert.deepEqual(await slots(4, 4), [4])
    assert.deepEqual(await slots(5, 6), [5])
    assert.deepEqual(await slots(6, 9), [])
    assert.deepEqual(await slots(4, 3), [])
    await assert.rejects(slots(0, 3), /the log begins with slot 1/)
  })

  onDisk('readLog cuts a page after about maxBytes, never before the first entry', async (storage, reopen) => {
    await storage.append(decidedSlots(300, 100))
    for (const from of [await storage.readLog(7, 300, 0), await (await reopen()).readLog(7, 300, 1)]) {
      assert.deepEqual(from, [entry(7, BALLOT, 100)])
    }
  })

  onDisk('readLog pages through a log that is longer than LevelDB reads at once', async (storage) => {
    const slotCount = 2_500
    await storage.append(decidedSlots(slotCount, 20))
    assert.equal((await storage.readLog(1, slotCount, 10_000_000)).length, slotCount)
    const found: LogEntry[] = []
    while (found.length < slotCount) {
      const page = await storage.readLog(found.length + 1, slotCount, 10_000)
      assert.ok(page.length > 0 && page.length < 1_000)
      found.push(...page)
    }
    assert.deepEqual(
      found.map((e) => e.slot),
      Array.from({ length: slotCount }, (_, i) => i + 1),
    )
  })
}

function describeCheckpoint(onDisk: OnDisk): void {
  onDisk('a checkpoint is merged into the one before, and found again', async (first, reopen) => {
    let storage = first
    await storage.append(decidedSlots(9))
    const one = { appliedUpTo: 3, timeMs: 1_003, stateDigest: 0xfedc_ba98 }
    await storage.saveCheckpoint(one, state({ a: [1], b: [2], 'c/é': [3, 3], empty: [] }))
    assert.deepEqual(storage.checkpoint, one)
    storage = await reopen()
    assert.deepEqual(storage.checkpoint, one)
    assert.deepEqual(await entriesOf(storage), state({ a: [1], b: [2], 'c/é': [3, 3], empty: [] }))

    const two = { appliedUpTo: 9, timeMs: 1_009, stateDigest: 7 }
    await storage.saveCheckpoint(two, state({ b: undefined, a: [9], d: [4], never: undefined }))
    storage = await reopen()
    assert.deepEqual(storage.checkpoint, two)
    assert.deepEqual(await entriesOf(storage), state({ a: [9], 'c/é': [3, 3], d: [4], empty: [] }))
    assert.equal(storage.recovered.decidedUpTo, 9)
  })

  onDisk('of two changes of one key in a checkpoint the later counts', async (storage, reopen) => {
    const changes = [...state({ a: [1], b: [1] }), ...state({ a: undefined, b: [2] }), ...state({ a: [3] })]
    await storage.saveCheckpoint({ appliedUpTo: 0, timeMs: 0, stateDigest: 0 }, changes)
    assert.deepEqual(await entriesOf(await reopen()), state({ a: [3], b: [2] }))
  })

  onDisk('the changes are read before saveCheckpoint returns, so that the machine may go on', async (storage, reopen) => {
    const live = new Set(state({ a: [1] }))
    const saved = storage.saveCheckpoint({ appliedUpTo: 0, timeMs: 0, stateDigest: 0 }, live)
    for (const later of state({ b: [2] })) live.add(later)
    await saved
    assert.deepEqual(await entriesOf(await reopen()), state({ a: [1] }))
  })

  onDisk('a big checkpoint comes back whole', async (storage, reopen) => {
    const count = 3_000
    const changes = Array.from({ length: count }, (_, i) => ({ key: `account/${i}`, value: Uint8Array.of(i % 256, 1) }))
    await storage.saveCheckpoint({ appliedUpTo: 0, timeMs: 0, stateDigest: 1 }, changes)
    await storage.saveCheckpoint({ appliedUpTo: 0, timeMs: 0, stateDigest: 2 }, changes.slice(0, 1_500))
    const found = await entriesOf(await reopen())
    assert.equal(found.length, count)
    assert.deepEqual(new Set(found.map((e) => e.key)).size, count)
  })

  onDisk('a checkpoint never goes back, and never runs ahead of what is decided', async (storage) => {
    await storage.append(decidedSlots(5))
    const at = (appliedUpTo: Slot) => storage.saveCheckpoint({ appliedUpTo, timeMs: 0, stateDigest: 0 }, [])
    await at(4)
    await at(4)
    await assert.rejects(at(3), /a checkpoint never goes back/)
  })

  onDisk('a checkpoint holds only what is durably decided', async (storage) => {
    await storage.append([...decidedSlots(5), accepted(6)])
    const saved = storage.saveCheckpoint({ appliedUpTo: 6, timeMs: 0, stateDigest: 0 }, [])
    await assert.rejects(saved, /a checkpoint holds only what is durably decided/)
  })
}
