import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AppliedListener } from '../../src/host/apply/applied-listener.js'
import { Applier, type ApplierSettings } from '../../src/host/apply/applier.js'
import { makeBallot } from '../../src/paxos/ballot.js'
import { type LogEntry, NOOP, type Slot, type Value } from '../../src/paxos/types.js'
import { sizeOf } from '../../src/paxos/value.js'
import { sessionCodec } from '../../src/replication/session-records.js'
import { Sessions } from '../../src/replication/sessions.js'
import type { CheckpointInfo } from '../../src/storage/storage.js'
import { batchOf, GENESIS, opening, Recorder } from './fixture.js'

const BALLOT = makeBallot(1, 1)
const NO_LISTENER: AppliedListener = {
  onOpened: () => {},
  onClosed: () => {},
  onLevel: () => {},
  onOutcome: () => {},
  isAwaited: () => false,
}
const FRESH: CheckpointInfo = {
  appliedUpTo: 0,
  timeMs: 0,
  stateDigest: 0,
  memberships: [],
  boundarySlots: 0,
  boundaryCommands: 0,
  boundaryBytes: 0,
  skippedSlots: [],
  level: 0,
  levelVersion: '',
}

interface Fixture {
  readonly machine: Recorder
  readonly sessions: Sessions
  readonly applier: Applier
  readonly boundaries: { slot: Slot; stateDigest: number }[]
}

function start(settings: Partial<ApplierSettings> = {}): Fixture {
  const machine = new Recorder()
  const sessions = new Sessions(machine, sessionCodec)
  const boundaries: Fixture['boundaries'] = []
  const applier = new Applier({
    sessions,
    checkpoint: FRESH,
    genesis: GENESIS,
    listener: NO_LISTENER,
    checkpoints: { slotsMax: 5, commandsMax: 8 },
    onBoundary: (slot, stateDigest) => boundaries.push({ slot, stateDigest }),
    ...settings,
  })
  if (applier.isFresh) applier.applyInitial(machine, GENESIS)
  return { machine, sessions, applier, boundaries }
}

/** The values of the slots that follow. */
function decide({ applier }: Fixture, ...values: Value[]): void {
  const entries = values.map((value, i): LogEntry => ({ slot: applier.appliedUpTo + 1 + i, ballot: BALLOT, value }))
  applier.enqueue(entries)
  applier.run(() => false)
}

/** Ends a checkpoint, and gives the contents of the disk after it. `stored`: the contents before it. */
function saveCheckpoint(
  { applier }: Fixture,
  stored = new Map<string, Uint8Array>(),
): { info: CheckpointInfo; entries: { key: string; value: Uint8Array }[] } {
  const { info, changes } = applier.checkpoint()
  for (const { key, value } of changes) stored.set(key, value ?? assert.fail())
  applier.onCheckpointed()
  const entries = Array.from(stored, ([key, value]) => ({ key, value }))
  return { info, entries: entries.toSorted((a, b) => (a.key < b.key ? -1 : 1)) }
}

/** Loads the state of a checkpoint, as recovery does. */
function load({ sessions }: Fixture, { info, entries }: ReturnType<typeof saveCheckpoint>): void {
  const restoration = sessions.restore({ read: () => undefined }, info)
  restoration.load(entries.map((entry) => ({ ...entry, keyspace: 'state' })))
  restoration.finish()
}

const promote: Value = { kind: 'membership', epoch: 3, change: { kind: 'promote', nodeId: 4 } }
const bind: Value = { kind: 'membership', epoch: 2, change: { kind: 'add', nodeId: 4, peerAddress: 'n4:1', clientAddress: '' } }

describe('checkpoint boundaries', () => {
  it('lie also where so many bytes have been applied, wherever a checkpoint was made in between', () => {
    const bytesMax = 3 * sizeOf(NOOP)
    const f = start({ checkpoints: { slotsMax: 100, commandsMax: 100, bytesMax } })
    decide(f, NOOP, NOOP)
    const { info } = saveCheckpoint(f)
    assert.equal(info.boundaryBytes, 2 * sizeOf(NOOP))
    decide(f, NOOP, NOOP)
    assert.deepEqual(
      f.boundaries.map(({ slot }) => slot),
      [3],
    )
    const again = start({ checkpoint: info, checkpoints: { slotsMax: 100, commandsMax: 100, bytesMax } })
    assert.equal(again.applier.checkpoint().info.boundaryBytes, info.boundaryBytes)
  })

  it('lie closer where the machine writes much in memory, the closer the less it may take', () => {
    const MIB = 1 << 20
    for (const [quotaBytes, slots] of [
      [0, [9, 17]],
      [128 * MIB, [3, 5, 7, 9, 11, 13, 15, 17]],
      [1, Array.from({ length: 16 }, (_, i) => 2 + i)],
    ] as const) {
      const f = start({ checkpoints: { slotsMax: 100, commandsMax: 100, bytesMax: 16 * MIB } })
      f.sessions.begin({ ...GENESIS, quotaBytes })
      f.machine.bytesPerCommand = 8 * MIB
      decide(f, opening(), ...Array.from({ length: 16 }, (_, i) => batchOf(i + 1)))
      assert.deepEqual(
        f.boundaries.map(({ slot }) => slot),
        slots,
      )
    }
  })

  it('must be reached by checkpoints before memory is full of what no checkpoint has', () => {
    const f = start()
    f.machine.bytesPerCommand = 64 << 20
    decide(f, opening(), batchOf(1), batchOf(2), batchOf(3))
    assert.equal(f.applier.isFarAhead, false)
    const { info } = f.applier.checkpoint()
    decide(f, batchOf(4))
    assert.equal(f.applier.isFarAhead, true)
    f.applier.onCheckpointed()
    assert.equal(f.applier.isFarAhead, false, 'but for what came after it was taken')
    decide(f, batchOf(5), batchOf(6), batchOf(7))
    assert.equal(f.applier.isFarAhead, true)
    f.applier.reset(info, GENESIS)
    assert.equal(f.applier.isFarAhead, false)
  })

  it('lie where so many slots, or so many commands, have been applied since the last', () => {
    const f = start()
    decide(f, opening(), NOOP, NOOP, NOOP, NOOP, NOOP, batchOf(1, 2, 3), batchOf(4, 5, 6, 7), batchOf(8), NOOP)
    assert.deepEqual(
      f.boundaries.map((boundary) => boundary.slot),
      [5, 9],
    )
    assert.equal(f.applier.boundaryCount, 2)
    assert.equal(f.boundaries[1]?.stateDigest, f.applier.stateDigest)
  })

  it('lie at the same slots on a node that restarts between two, wherever its checkpoints are', () => {
    const values = [opening(), ...Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? batchOf(i + 1, i + 100) : NOOP))]
    const steady = start()
    decide(steady, ...values)
    let node = start()
    const boundaries: Fixture['boundaries'] = []
    const stored = new Map<string, Uint8Array>()
    for (const [i, value] of values.entries()) {
      decide(node, value)
      if (i % 4 !== 2) continue
      const saved = saveCheckpoint(node, stored)
      boundaries.push(...node.boundaries)
      node = start({ checkpoint: saved.info })
      load(node, saved)
    }
    assert.ok(boundaries.length > 4)
    assert.deepEqual([...boundaries, ...node.boundaries], steady.boundaries)
    assert.equal(node.applier.stateDigest, steady.applier.stateDigest)
  })
})

/** Each command takes three steps. */
class Stepping extends Recorder {
  stepCount = 0;

  *applyInSteps(command: Uint8Array): Generator<undefined, Uint8Array> {
    for (; this.stepCount % 3 < 2; this.stepCount++) yield
    this.stepCount++
    return this.apply(command)
  }
}

function beginStepping(): { applier: Applier; machine: Stepping; told: number[] } {
  const machine = new Stepping()
  const told: number[] = []
  const onOutcome: AppliedListener['onOutcome'] = ({ requestNumber }) => told.push(requestNumber)
  const sessions = new Sessions(machine, sessionCodec)
  const applier = new Applier({ sessions, checkpoint: FRESH, genesis: GENESIS, listener: { ...NO_LISTENER, onOutcome } })
  applier.applyInitial(machine, GENESIS)
  applier.enqueue([{ slot: 1, ballot: BALLOT, value: opening() }])
  applier.run(() => false)
  return { applier, machine, told }
}

describe('a slot that takes long', () => {
  it('is applied step by step, a command in several, and told of at its end; till then nothing may be read', () => {
    const { applier, machine, told } = beginStepping()
    applier.enqueue([{ slot: 2, ballot: BALLOT, value: batchOf(1, 2) }])
    const seen: { stepCount: number; isReadable: boolean; told: string }[] = []
    while (applier.hasQueued) {
      applier.run(() => true)
      seen.push({ stepCount: machine.stepCount, isReadable: applier.isReadable, told: told.join() })
    }
    assert.deepEqual(seen.pop(), { stepCount: 6, isReadable: true, told: '1,2' })
    assert.ok(seen.length >= 6)
    assert.ok(seen.every((state) => !state.isReadable && state.told === ''))
    assert.deepEqual(machine.applied.slice(-2), ['c1', 'c2'])
    assert.equal(applier.appliedUpTo, 2)
  })

  it('comes to the same as at once', () => {
    const [stepped, atOnce] = [beginStepping(), beginStepping()]
    for (const { applier } of [stepped, atOnce]) {
      applier.enqueue([2, 3].map((slot) => ({ slot, ballot: BALLOT, value: batchOf(slot, slot + 10) })))
    }
    while (stepped.applier.hasQueued) stepped.applier.run(() => true)
    atOnce.applier.run(() => false)
    assert.equal(stepped.applier.stateDigest, atOnce.applier.stateDigest)
    assert.deepEqual(stepped.machine.applied, atOnce.machine.applied)
    assert.deepEqual(stepped.told, atOnce.told)
  })

  it('is the last one of the run that ends it, so that reads come in between however many follow', () => {
    const { applier } = beginStepping()
    applier.enqueue([2, 3, 4].map((slot) => ({ slot, ballot: BALLOT, value: batchOf(slot) })))
    let left = 2
    applier.run(() => --left < 0)
    assert.ok(applier.isMidSlot)
    applier.run(() => false)
    assert.deepEqual([applier.appliedUpTo, applier.isReadable], [2, true])
    applier.run(() => false)
    assert.equal(applier.appliedUpTo, 4)
  })
})

/** The digest of the state after these results, each of one command. */
function digestAfter(...results: Uint8Array[]): number {
  const f = start()
  decide(f, opening())
  for (const [i, result] of results.entries()) {
    f.machine.apply = () => result
    decide(f, batchOf(i + 1))
  }
  return f.applier.stateDigest
}

describe('the digest of the state', () => {
  it('is the same after an empty result wherever its bytes stand, and goes on from what was before', () => {
    // Node's CRC begins anew at a null pointer, which the second of these is, and the first is not.
    const empties = [new Uint8Array(0), new TextEncoder().encode(''), Buffer.from('x').subarray(1)]
    const digests = empties.map((empty) => digestAfter(Uint8Array.of(1), empty))
    assert.deepEqual(digests, Array(3).fill(digests[0]))
    for (const empty of empties) assert.notEqual(digestAfter(Uint8Array.of(2), empty), digests[0])
    assert.notEqual(digestAfter(Uint8Array.of(1)), digests[0])
  })
})

function batchAt(timeMs: number, requestNumber: number): Value {
  const batch = batchOf(requestNumber)
  assert.equal(batch.kind, 'batch')
  return { ...batch, timeMs }
}

describe('the applier', () => {
  it('folds changes of the membership, and carries no command out for them', () => {
    const f = start()
    assert.deepEqual(
      f.applier.memberships.map((m) => [m.epoch, m.fromSlot]),
      [[1, 1]],
    )
    decide(f, opening(), bind)
    assert.deepEqual(
      f.applier.memberships.map((m) => [m.epoch, m.fromSlot]),
      [
        [1, 1],
        [2, 2 + GENESIS.windowSlots],
      ],
    )
    assert.deepEqual(f.applier.checkpoint().info.memberships, f.applier.memberships)
    assert.deepEqual(f.machine.applied, ['initial'])
    decide(f, ...Array.from({ length: GENESIS.windowSlots - 1 }, () => NOOP))
    assert.deepEqual(
      f.applier.memberships.map((m) => m.epoch),
      [2],
      'the first one governs no slot any more',
    )
  })

  it('never lets log time go back, whatever a leader of before had in its value', () => {
    const f = start()
    const times: number[] = []
    const apply = f.machine.apply.bind(f.machine)
    f.machine.apply = (command, at?: { timeMs: number }) => {
      times.push(at?.timeMs ?? Number.NaN)
      return apply(command)
    }
    decide(f, opening(), batchAt(100, 1), batchAt(40, 2), batchAt(101, 3))
    assert.deepEqual(times, [100, 100, 101])
    assert.equal(f.applier.timeMs, 101)
    assert.equal(saveCheckpoint(f).info.timeMs, 101)
  })

  it('goes on with the memberships of the checkpoint that it starts from', () => {
    const first = start()
    decide(first, bind, NOOP)
    const { info } = saveCheckpoint(first)
    const second = start({ checkpoint: info })
    assert.deepEqual(second.applier.memberships, first.applier.memberships)
    decide(second, promote)
    assert.equal(second.applier.memberships.at(-1)?.epoch, 2, 'a change of one that is not in force yet is without effect')
  })

  it('applies nothing while its state is being replaced, and then what lies above the new one', () => {
    const ahead = start()
    decide(ahead, opening(), batchOf(1), batchOf(2), bind)
    const saved = saveCheckpoint(ahead)
    const f = start()
    decide(f, opening())
    f.applier.suspend()
    const late: Value[] = [batchOf(1), batchOf(2), bind, batchOf(3)]
    f.applier.enqueue(late.map((value, i) => ({ slot: 2 + i, ballot: BALLOT, value })))
    f.applier.run(() => false)
    assert.deepEqual([f.applier.appliedUpTo, f.applier.hasQueued, f.machine.applied], [1, false, ['initial']])
    assert.equal(f.applier.isReadable, false)
    load(f, saved)
    f.applier.reset(saved.info, GENESIS)
    assert.deepEqual([f.applier.appliedUpTo, f.applier.hasQueued, f.applier.isReadable], [4, true, true])
    f.applier.run(() => false)
    decide(ahead, batchOf(3))
    assert.deepEqual(f.machine.applied, ['initial', 'c1', 'c2', 'c3'])
    assert.deepEqual(f.applier.checkpoint().info, ahead.applier.checkpoint().info)
    assert.deepEqual(f.boundaries, ahead.boundaries)
  })

  it('stops the node rather than leave a slot out', () => {
    const f = start()
    f.applier.enqueue([{ slot: 2, ballot: BALLOT, value: NOOP }])
    assert.throws(() => f.applier.run(() => false), /without a gap/)
  })
})
