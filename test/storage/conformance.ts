import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { DurableRecord, LogEntry, Slot } from '../../src/paxos/types.js'
import { NOOP } from '../../src/paxos/types.js'
import type { StateEntry } from '../../src/replication/state-machine.js'
import { NO_CHECKPOINT } from '../../src/storage/storage.js'
import { describeReceiving } from './conformance-receiving.js'
import { describeTrimming } from './conformance-trimming.js'
import {
  accepted,
  accounts,
  BALLOT,
  decidedSlots,
  decidedUpTo,
  entriesOf,
  entry,
  GENESIS,
  HIGHER,
  HIGHEST,
  history,
  infoAt,
  state,
} from './samples.js'
import { type NewDisk, type OnDisk, onDisksOf } from './test-disk.js'

/** The contract that every Storage must keep. */
export function describeStorage(name: string, newDisk: NewDisk): void {
  const onDisk = onDisksOf(newDisk)

  describe(`${name} keeps the contract of Storage`, () => {
    onDisk('a new disk holds nothing, and its id stays', async (storage, reopen) => {
      const { dataDirId } = storage
      assert.match(dataDirId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      const empty = { genesis: undefined, promised: 0, decidedUpTo: 0, accepted: [], compactedUpTo: 0 }
      assert.deepEqual(storage.recovered, empty)
      assert.deepEqual(storage.checkpoint, NO_CHECKPOINT)
      assert.deepEqual([storage.compactedUpTo, storage.replacesDataDirId, storage.unfinished], [0, '', undefined])
      assert.equal(await storage.viewCheckpoint(), undefined)
      assert.equal(storage.readHistory('a'), undefined)
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
      assert.deepEqual(storage.recovered, {
        genesis: GENESIS,
        promised: HIGHEST,
        decidedUpTo: 4,
        accepted: [entry(5, HIGHER)],
        compactedUpTo: 0,
      })
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

    onDisk('a failed slot is kept until it is resolved, and is then skipped or retried', async (first, reopen) => {
      let storage = first
      await storage.append([accepted(1), accepted(2), accepted(3), accepted(4), decidedUpTo(3)])
      await storage.saveCheckpoint(infoAt(1), [])
      const failure = { slot: 2, commandIndex: 0, what: 'command 1 of 1: thrown' }
      for (const how of ['retry', 'skip'] as const) {
        await storage.noteApplyFailure(failure)
        storage = await reopen()
        assert.deepEqual(storage.applyFailure, failure)
        await storage.resolveApplyFailure(how)
        for (const isAnew of [false, true]) {
          if (isAnew) storage = await reopen()
          assert.equal(storage.applyFailure, undefined)
          const [read] = await storage.readLog(2, 3, 0)
          assert.deepEqual(read, how === 'skip' ? { ...entry(2), value: { ...entry(2).value, skipped: true } } : entry(2))
        }
      }
      await storage.append([accepted(5), decidedUpTo(5)])
      assert.deepEqual(await (await reopen()).readLog(3, 5, 1_000_000), [entry(3), entry(4), entry(5)])
    })

    onDisk('a level that is not known is known of after a restart, until it is told that it is', async (first, reopen) => {
      let storage = first
      assert.equal(storage.unsupportedLevel, undefined)
      for (const unsupported of [{ level: 7, levelVersion: '7.0.1' }, { level: 8, levelVersion: '' }, undefined]) {
        await storage.noteUnsupportedLevel(unsupported)
        for (const isAnew of [false, true]) {
          if (isAnew) storage = await reopen()
          assert.deepEqual(storage.unsupportedLevel, unsupported)
        }
      }
    })

    onDisk('a slot that is not decided, or that the checkpoint holds, cannot have failed', async (storage) => {
      await storage.append([accepted(1), accepted(2), decidedUpTo(1)])
      await assert.rejects(storage.noteApplyFailure({ slot: 2, commandIndex: 0, what: '' }), /decided/)
    })

    onDisk('what is appended while a write is in flight follows it, in the order of the calls', async (storage, reopen) => {
      const ended: string[] = []
      const tell = (name: string) => () => ended.push(name)
      await Promise.all([
        storage.append([accepted(1)]).then(tell('first')),
        storage.append([accepted(2)]).then(tell('second')),
        storage.append([accepted(2, HIGHER), accepted(3)]).then(tell('third')),
      ])
      assert.deepEqual(ended, ['first', 'second', 'third'])
      assert.deepEqual((await reopen()).recovered.accepted, [entry(1), entry(2, HIGHER), entry(3)])
    })

    onDisk('appends go before a checkpoint that waits for the disk', async (storage) => {
      await storage.append(decidedSlots(2))
      const prepared = await storage.prepareCheckpoint(infoAt(2), [])
      const ended: string[] = []
      await Promise.all([
        storage.append([accepted(3)]).then(() => ended.push('first append')),
        prepared.commit().then(() => ended.push('commit')),
        storage.append([accepted(4)]).then(() => ended.push('second append')),
      ])
      assert.deepEqual(ended, ['first append', 'second append', 'commit'])
    })

    onDisk('each write has the next number, and the numbers go on after a restart', async (storage, reopen) => {
      const first = storage.lastWrite
      await storage.append([accepted(1)])
      assert.equal(storage.lastWrite, first + 1)
      await storage.append([])
      assert.equal(storage.lastWrite, first + 1, 'there was nothing to write')
      assert.equal((await reopen()).lastWrite, first + 1)
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
      await assert.rejects(storage.saveCheckpoint(NO_CHECKPOINT, []), closed)
      await assert.rejects(storage.viewCheckpoint(), closed)
      assert.throws(() => storage.readHistory('a'), closed)
      await assert.rejects(entriesOf(storage), closed)
    })

    describeReadLog(onDisk)
    describeCheckpoint(onDisk)
    describeTrimming(onDisk)
    describeReceiving(onDisk, newDisk)
  })
}

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
    const one = { ...infoAt(3), stateDigest: 0xfedc_ba98 }
    await storage.saveCheckpoint(one, [...state({ a: [1], b: [2], 'c/é': [3, 3], empty: [] }), ...history({ a: [5], z: [6] })])
    assert.deepEqual(storage.checkpoint, one)
    storage = await reopen()
    assert.deepEqual(storage.checkpoint, one)
    assert.deepEqual(await entriesOf(storage), state({ a: [1], b: [2], 'c/é': [3, 3], empty: [] }))

    const two = { ...infoAt(9), memberships: [], boundarySlots: 0, boundaryCommands: 0, boundaryBytes: 0 }
    const changes = [...state({ b: undefined, a: [9], d: [4], never: undefined }), ...history({ a: [7], y: [8], z: undefined })]
    await storage.saveCheckpoint(two, changes)
    assert.deepEqual(await entriesOf(storage), state({ a: [9], 'c/é': [3, 3], d: [4], empty: [] }))
    storage = await reopen()
    assert.deepEqual(storage.checkpoint, two)
    assert.deepEqual(await entriesOf(storage), state({ a: [9], 'c/é': [3, 3], d: [4], empty: [] }))
    assert.deepEqual(
      ['a', 'y', 'z', 'b'].map((key) => storage.readHistory(key)),
      [Uint8Array.of(7), Uint8Array.of(8), undefined, undefined],
    )
    assert.equal(storage.recovered.decidedUpTo, 9)
  })

  onDisk('state entries come in the order of their bytes, as often as they are asked for', async (storage, reopen) => {
    // In UTF-16, as strings compare, the last two are the other way round.
    const inOrder = state({ '': [0], A: [1], a: [2], é: [3], '\uff5e': [4], '\u{10000}': [5] })
    await storage.saveCheckpoint(NO_CHECKPOINT, inOrder.toReversed())
    const again = await reopen()
    assert.deepEqual(await entriesOf(again), inOrder)
    assert.deepEqual(await entriesOf(again), inOrder)
  })

  onDisk('history is what the last committed checkpoint holds', async (storage, reopen) => {
    await storage.saveCheckpoint(NO_CHECKPOINT, history({ a: [1], b: [1] }))
    const prepared = await storage.prepareCheckpoint(NO_CHECKPOINT, history({ a: [2], b: undefined, c: [2] }))
    const read = () => ['a', 'b', 'c'].map((key) => storage.readHistory(key)?.[0])
    assert.deepEqual(read(), [1, 1, undefined])
    await prepared.commit()
    assert.deepEqual(read(), [2, undefined, 2])
    const again = await reopen()
    assert.deepEqual(
      ['a', 'b', 'c'].map((key) => again.readHistory(key)?.[0]),
      [2, undefined, 2],
    )
  })

  onDisk('values are asked for at any time before the preparation ends', async (storage, reopen) => {
    let asked = 0
    const lazy = {
      key: 'a',
      keyspace: 'state' as const,
      get value() {
        asked += 1
        return Uint8Array.of(asked)
      },
    }
    await storage.saveCheckpoint(NO_CHECKPOINT, [lazy])
    assert.equal(asked, 1, 'a value is encoded once')
    assert.deepEqual(await entriesOf(await reopen()), state({ a: [1] }))
  })

  onDisk('others have their turn while many changes are walked, and appends are written', async (storage, reopen) => {
    const count = 3_000
    let walked = 0
    function* changes(): Generator<StateEntry> {
      for (const entry of accounts(count)) {
        walked += 1
        yield entry
      }
    }
    const appendedAt: number[] = []
    const saved = storage.saveCheckpoint(NO_CHECKPOINT, changes())
    for (let slot = 1; appendedAt.at(-1) !== count; slot++) {
      await storage.append([accepted(slot)])
      appendedAt.push(walked)
      await setImmediate()
    }
    await saved
    assert.ok(appendedAt.length > 0)
    assert.deepEqual(await entriesOf(await reopen()), accounts(count))
  })

  onDisk('a big checkpoint comes back whole, and so does a big change of it', async (storage, reopen) => {
    const count = 3_000
    await storage.saveCheckpoint(infoAt(0, 1), accounts(count))
    const changed = accounts(count).map((entry, i) => ({ ...entry, value: i % 3 === 0 ? undefined : Uint8Array.of(9) }))
    const again = await reopen({ pieceBytes: 1_000 })
    await again.saveCheckpoint(infoAt(0, 2), changed.slice(0, 1_500))
    const expected = [...changed.slice(0, 1_500), ...accounts(count).slice(1_500)].filter((entry) => entry.value !== undefined)
    assert.deepEqual(await entriesOf(again), expected)
    const last = await reopen()
    assert.equal(last.checkpoint.stateDigest, 2)
    assert.deepEqual(await entriesOf(last), expected)
  })

  for (const pieceBytes of [1, 1_000, 1_000_000]) {
    onDisk(
      `a checkpoint that was prepared and not committed leaves nothing, in pieces of ${pieceBytes} bytes`,
      async (first, reopen) => {
        await first.append([{ kind: 'genesis', genesis: GENESIS }, ...decidedSlots(5)])
        const before = [...accounts(700), ...history({ a: [1], b: [2] })]
        await first.saveCheckpoint(infoAt(3), before)
        let storage = await reopen({ pieceBytes })
        const changes = [
          ...accounts(900).map((entry, i) => ({ ...entry, value: i % 2 === 0 ? undefined : Uint8Array.of(7) })),
          ...history({ a: [9], b: undefined, c: [9] }),
        ]
        const historyNow = () => ['a', 'b', 'c'].map((key) => storage.readHistory(key)?.[0])
        const view = async () => ({ checkpoint: storage.checkpoint, end: (await storage.viewCheckpoint())?.end })
        const expected = await view()
        const expectedHistory = historyNow()
        await storage.prepareCheckpoint(infoAt(5), changes)
        assert.deepEqual(await view(), expected)
        assert.deepEqual(await entriesOf(storage), accounts(700))
        storage = await reopen({ pieceBytes })
        assert.deepEqual(await view(), expected)
        assert.deepEqual(historyNow(), expectedHistory)
        assert.deepEqual(await entriesOf(storage), accounts(700))
        await storage.saveCheckpoint(infoAt(5), changes)
        storage = await reopen()
        assert.deepEqual(
          await entriesOf(storage),
          accounts(900).flatMap((entry, i) => (i % 2 === 0 ? [] : [{ ...entry, value: Uint8Array.of(7) }])),
        )
        assert.deepEqual(historyNow(), [9, undefined, 9])
      },
      { pieceBytes },
    )
  }

  onDisk('one checkpoint is prepared at a time', async (storage) => {
    const prepared = await storage.prepareCheckpoint(NO_CHECKPOINT, [])
    await assert.rejects(storage.prepareCheckpoint(NO_CHECKPOINT, []), /one checkpoint is prepared or installed at a time/)
    await prepared.commit()
    await storage.saveCheckpoint(NO_CHECKPOINT, [])
  })

  onDisk('the marks of peers go with the next write of any kind, the highest for each directory', async (first, reopen) => {
    let storage = first
    storage.noteMarks(
      new Map([
        ['x', 5],
        ['y', 7],
      ]),
    )
    assert.deepEqual(storage.marks, new Map())
    await storage.saveCheckpoint(NO_CHECKPOINT, [])
    storage.noteMarks(
      new Map([
        ['x', 4],
        ['y', 8],
        ['z', 1],
      ]),
    )
    assert.deepEqual(
      storage.marks,
      new Map([
        ['x', 5],
        ['y', 7],
      ]),
    )
    storage = await reopen()
    assert.deepEqual(
      storage.marks,
      new Map([
        ['x', 5],
        ['y', 7],
      ]),
      'marks that no write has included are lost',
    )
    storage.noteMarks(
      new Map([
        ['x', 4],
        ['y', 8],
        ['z', 1],
      ]),
    )
    await storage.append([{ kind: 'promised', ballot: 65_537 }])
    assert.equal(await storage.viewCheckpoint(), undefined, 'marks alone are no checkpoint')
    assert.deepEqual(
      (await reopen()).marks,
      new Map([
        ['x', 5],
        ['y', 8],
        ['z', 1],
      ]),
    )
  })

  onDisk('a checkpoint never goes back, and never runs ahead of what is decided', async (storage) => {
    await storage.append(decidedSlots(5))
    await storage.saveCheckpoint(infoAt(4), [])
    await storage.saveCheckpoint(infoAt(4), [])
    await assert.rejects(storage.saveCheckpoint(infoAt(3), []), /a checkpoint never goes back/)
  })

  onDisk('a checkpoint holds only what is durably decided', async (storage) => {
    await storage.append([...decidedSlots(5), accepted(6)])
    await assert.rejects(storage.saveCheckpoint(infoAt(6), []), /a checkpoint holds only what is durably decided/)
  })
}
