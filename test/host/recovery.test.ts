import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Logger, pino } from 'pino'
import type { AppliedListener } from '../../src/host/apply/applied-listener.js'
import { installState, replayLog } from '../../src/host/start/recovery.js'
import { makeBallot } from '../../src/paxos/ballot.js'
import { type LogEntry, NOOP, type Slot, type Value } from '../../src/paxos/types.js'
import { sessionCodec } from '../../src/replication/session-records.js'
import { Sessions } from '../../src/replication/sessions.js'
import type { HistoryReader, Restoration, StateEntry } from '../../src/replication/state-machine.js'
import type { CheckpointInfo } from '../../src/storage/storage.js'
import { batchOf, GENESIS, opening, Recorder } from './fixture.js'

type Stored = Parameters<typeof replayLog>[0]['storage']

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
const BIND: Value = { kind: 'membership', epoch: 2, change: { kind: 'add', nodeId: 4, peerAddress: 'n4:1', clientAddress: '' } }

/** Remembers how it was restored. */
class Witness extends Recorder {
  readonly pages: string[][] = []
  history: HistoryReader | undefined

  override restore(history?: HistoryReader): Restoration {
    this.history = history
    const restoration = super.restore()
    return {
      load: (entries) => {
        this.pages.push(entries.map(({ key }) => key))
        restoration.load(entries.filter(({ key }) => key === 'applied'))
      },
      finish: () => this.pages.push(['finished']),
    }
  }
}

/** A storage that holds a checkpoint in pages of three entries, and a log in pages of two slots. */
function storageOf(parts: { info?: CheckpointInfo; entries?: StateEntry[]; log?: readonly Value[]; saved?: Slot[] }): Stored {
  const { info = FRESH, entries = [], log = [], saved = [] } = parts
  return {
    checkpoint: info,
    recovered: { genesis: GENESIS, promised: 0, decidedUpTo: log.length, accepted: [], compactedUpTo: 0 },
    readLog: async (from) =>
      log.slice(from - 1, from + 1).map((value, i): LogEntry => ({ slot: from + i, ballot: makeBallot(1, 1), value })),
    loadCheckpoint: async function* () {
      for (let i = 0; i < entries.length; i += 3) yield entries.slice(i, i + 3)
    },
    applyFailure: undefined,
    noteApplyFailure: async () => {},
    unsupportedLevel: undefined,
    noteUnsupportedLevel: async () => {},
    saveCheckpoint: async ({ appliedUpTo }, changes) => {
      for (const { value } of changes) assert.ok(value)
      saved.push(appliedUpTo)
    },
    readHistory: (key) => (key === 'machine/old' ? Uint8Array.of(1) : undefined),
  }
}

function settingsFor(storage: Stored, options: { logger?: Logger; msPerLook?: number } = {}) {
  const machine = new Witness()
  const sessions = new Sessions(machine, sessionCodec)
  let nowMs = 0
  return {
    storage,
    machine,
    sessions,
    listener: NO_LISTENER,
    logger: options.logger ?? pino({ level: 'silent' }),
    nowMs: () => (nowMs += options.msPerLook ?? 0),
  }
}

/** Everything that is told, by its text. */
function listeningLogger(lines: { msg: string; entries?: number }[]): Logger {
  return pino({}, { write: (line: string) => lines.push(JSON.parse(line)) })
}

const LOG = [opening(), batchOf(1), NOOP, batchOf(2), BIND, batchOf(3), NOOP]

/** The checkpoint of a node that has applied so much of the log, with entries for several pages. */
async function checkpointAfter(slots: number): Promise<{ info: CheckpointInfo; entries: StateEntry[] }> {
  const { applier } = await replayLog(settingsFor(storageOf({ log: LOG.slice(0, slots) })))
  const { info, changes } = applier.checkpoint()
  const more = Array.from(
    { length: 8 },
    (_, i): StateEntry => ({
      key: `machine/more${i}`,
      value: new Uint8Array(1),
      keyspace: 'state',
    }),
  )
  return { info, entries: [...changes, ...more].toSorted((a, b) => (a.key < b.key ? -1 : 1)) }
}

it('makes checkpoints while it replays what would fill the memory', async () => {
  const saved: Slot[] = []
  const log = [opening(), ...Array.from({ length: 12 }, (_, i) => batchOf(i + 1))]
  const settings = settingsFor(storageOf({ log, saved }))
  settings.machine.bytesPerCommand = 64 << 20
  const { applier } = await replayLog(settings)
  assert.deepEqual([applier.appliedUpTo, saved], [13, [4, 8, 12]])
})

it('restores a machine from nothing before the initial commands of the cluster', async () => {
  const settings = settingsFor(storageOf({}))
  await replayLog(settings)
  assert.deepEqual([settings.machine.pages, settings.machine.applied], [[['finished']], ['initial']])
})

it('restores from the pages of the checkpoint, and replays what comes after it', async () => {
  const settings = settingsFor(storageOf({ ...(await checkpointAfter(4)), log: LOG }))
  const { applier, memberships } = await replayLog(settings)
  const { machine } = settings
  assert.deepEqual(machine.applied, ['initial', 'c1', 'c2', 'c3'])
  assert.ok(machine.pages.length > 3)
  assert.deepEqual(machine.pages.at(-1), ['finished'])
  assert.deepEqual([machine.history?.read('old'), machine.history?.read('machine/old')], [Uint8Array.of(1), undefined])
  const steady = await replayLog(settingsFor(storageOf({ log: LOG })))
  assert.deepEqual(applier.checkpoint().info, steady.applier.checkpoint().info)
  assert.deepEqual(
    memberships.map(({ epoch, fromSlot }) => [epoch, fromSlot]),
    [
      [1, 1],
      [2, 5 + GENESIS.windowSlots],
    ],
  )
})

it('tells about once a second how far it has come', async () => {
  const lines: { msg: string; entries?: number; appliedUpTo?: number }[] = []
  const checkpoint = await checkpointAfter(4)
  await replayLog(settingsFor(storageOf({ ...checkpoint, log: LOG }), { logger: listeningLogger(lines), msPerLook: 600 }))
  assert.deepEqual(
    lines.map(({ msg, entries, appliedUpTo }) => [msg, entries ?? appliedUpTo]),
    [
      ['restoring the state', 6],
      ['restoring the state', checkpoint.entries.length],
      ['replaying the log', 7],
      ['state restored', 7],
    ],
  )
})

it('begins anew from a checkpoint that a peer has sent, and keeps what is decided above it', async () => {
  const settings = settingsFor(storageOf({ log: LOG.slice(0, 2) }))
  const { applier } = await replayLog(settings)
  const checkpoint = await checkpointAfter(5)
  const storage = storageOf(checkpoint)
  const installed = installState({ ...settings, storage, applier, genesis: GENESIS })
  applier.enqueue(LOG.slice(2).map((value, i) => ({ slot: 3 + i, ballot: makeBallot(1, 1), value })))
  applier.run(() => false)
  assert.equal(applier.appliedUpTo, 2, 'nothing is applied meanwhile')
  await installed
  assert.equal(applier.appliedUpTo, 5)
  applier.run(() => false)
  assert.deepEqual(settings.machine.applied, ['initial', 'c1', 'c2', 'c3'])
  const steady = await replayLog(settingsFor(storageOf({ log: LOG })))
  assert.deepEqual(applier.checkpoint().info, steady.applier.checkpoint().info)
})
