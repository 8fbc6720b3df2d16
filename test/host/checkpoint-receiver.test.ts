import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pino } from 'pino'
import { CheckpointReceiver } from '../../src/host/checkpoint/checkpoint-receiver.js'
import { checkLevel, UnsupportedLevelError } from '../../src/host/halt-error.js'
import type { NodeId } from '../../src/paxos/types.js'
import type { CheckpointHeader } from '../../src/protocol/checkpoint.js'
import {
  type CheckpointPart,
  type CheckpointRequest,
  type CheckpointSink,
  TransferError,
  type TransferErrorCode,
} from '../../src/protocol/checkpoint-transfer.js'
import { RecordError } from '../../src/storage/records.js'
import type { IncomingCheckpoint, UnfinishedCheckpoint } from '../../src/storage/storage.js'
import { StorageError } from '../../src/storage/storage-error.js'
import { END, headerOf, pageOf } from '../transport/checkpoint-parts.js'
import { FakeRuntime } from './fake-runtime.js'

interface Fetch {
  readonly from: NodeId
  readonly request: CheckpointRequest
  readonly sink: CheckpointSink
  isCalledOff: boolean
}

function setUp(change: { voters?: NodeId[]; leaderId?: NodeId; unfinished?: UnfinishedCheckpoint } = {}) {
  const { voters = [2, 3, 4], leaderId = 2, unfinished } = change
  const runtime = new FakeRuntime()
  const fetches: Fetch[] = []
  const events: string[] = []
  const failures: Error[] = []
  const state = { decidedUpTo: 9, addFails: undefined as Error | undefined, installFails: undefined as Error | undefined }
  let staged: { id: string; lastKey: Uint8Array | undefined } = {
    id: unfinished?.header.checkpointId ?? '',
    lastKey: unfinished?.lastKey,
  }
  const lines: Record<string, unknown>[] = []
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const receiver = new CheckpointReceiver({
    storage: {
      unfinished,
      receiveCheckpoint: async (header: CheckpointHeader): Promise<IncomingCheckpoint> => {
        events.push(`receive ${header.checkpointId}`)
        if (header.checkpointId !== staged.id) staged = { id: header.checkpointId, lastKey: undefined }
        return {
          get lastKey() {
            return staged.lastKey
          },
          add: async (page) => {
            if (state.addFails !== undefined) throw state.addFails
            staged.lastKey = page.keys.at(-1)
            events.push(`add ${page.keys[0]?.[1]}`)
          },
          install: async () => {},
        }
      },
    },
    runtime,
    logger,
    fetch: (from, request, sink) => {
      const fetch: Fetch = { from, request, sink, isCalledOff: false }
      fetches.push(fetch)
      return () => {
        fetch.isCalledOff = true
      }
    },
    checkLevel: (raised) => checkLevel(raised, { levelMin: 1, levelMax: 3 }),
    clusterId: () => 'cluster',
    decidedUpTo: () => state.decidedUpTo,
    voters: () => voters,
    leaderId: () => leaderId,
    install: async (_incoming, header) => {
      if (state.installFails !== undefined) throw state.installFails
      events.push(`install ${header.slot}`)
    },
    onFailed: (error) => failures.push(error),
  })
  const last = (): Fetch => fetches.at(-1) as Fetch
  const give = async (...parts: CheckpointPart[]): Promise<void> => {
    for (const part of parts) await last().sink.onPart(part)
  }
  const fail = (code: TransferErrorCode): void => last().sink.onFailed(new TransferError(code, 'as the test wants it'))
  const want = (from = 3, minSlot = 50): void => receiver.want({ from, minSlot })
  return { runtime, fetches, events, failures, state, receiver, last, give, fail, want, lines }
}

const HEADER: CheckpointPart = { header: headerOf() }

describe('the receiver of checkpoints', () => {
  it('fetches one, and puts it in place', async () => {
    const t = setUp()
    t.want()
    t.want()
    assert.equal(t.fetches.length, 1)
    assert.deepEqual([t.last().from, t.last().request], [3, { minSlot: 50, checkpointId: '', afterKey: undefined }])
    await t.give(HEADER, pageOf(1), pageOf(2), END)
    assert.deepEqual(t.events, ['receive view-1', 'add 1', 'add 2', 'install 100'])
    assert.equal(t.receiver.isBusy, false)
    assert.deepEqual(t.failures, [])
  })

  it('stops the node, and keeps nothing, when a peer offers one of a level that is not known', async () => {
    const t = setUp()
    t.want()
    await t.give({ header: headerOf({ level: 4, levelVersion: '4.0' }) }, pageOf(1))
    assert.deepEqual(t.events, [])
    assert.ok(t.failures[0] instanceof UnsupportedLevelError)
    assert.deepEqual(t.failures[0].raised.level, 4)
    assert.equal(t.last().isCalledOff, true)
    t.want()
    assert.equal(t.fetches.length, 1)
  })

  it('asks the leader last, whoever is known to have it', async () => {
    const t = setUp({ leaderId: 3 })
    const order: NodeId[] = []
    for (let i = 0; i < 4; i++) {
      t.want(3)
      order.push(t.last().from)
      t.fail('NOT_FOUND')
      await t.runtime.pass(5_000)
    }
    assert.deepEqual(new Set(order.slice(0, 2)), new Set([2, 4]))
    assert.equal(order[2], 3)
    assert.notEqual(order[3], 3)
  })

  it('goes on where it was, with the same peer first and then with any other', async () => {
    const t = setUp()
    t.want()
    await t.give(HEADER, pageOf(1), pageOf(2))
    t.fail('UNREACHABLE')
    await t.runtime.pass(5_000)
    t.want()
    const resumed = { minSlot: 50, checkpointId: 'view-1', afterKey: Uint8Array.of(0, 2) }
    assert.deepEqual([t.last().from, t.last().request], [3, resumed])
    t.fail('NOT_FOUND')
    await t.runtime.pass(5_000)
    t.want()
    assert.equal(t.last().from, 4)
    assert.deepEqual(t.last().request, resumed)
    await t.give(HEADER, pageOf(3), END)
    assert.deepEqual(t.events, ['receive view-1', 'add 1', 'add 2', 'receive view-1', 'add 3', 'install 100'])
  })

  it('goes on after a restart with what the last run has left, unless that is too old by now', () => {
    const unfinished = { header: headerOf({ slot: 60, checkpointId: 'left' }), lastKey: Uint8Array.of(9) }
    const t = setUp({ unfinished })
    t.want(3, 60)
    assert.deepEqual(t.last().request, { minSlot: 60, checkpointId: 'left', afterKey: Uint8Array.of(9) })
    const other = setUp({ unfinished })
    other.want(3, 61)
    assert.deepEqual(other.last().request, { minSlot: 61, checkpointId: '', afterKey: undefined })
  })

  it('takes another checkpoint from its beginning when the old one is gone', async () => {
    const t = setUp()
    t.want()
    await t.give(HEADER, pageOf(1))
    t.fail('TIMED_OUT')
    await t.runtime.pass(5_000)
    t.want()
    await t.give({ header: headerOf({ checkpointId: 'view-2', slot: 200 }) }, pageOf(1), END)
    assert.deepEqual(t.events.slice(2), ['receive view-2', 'add 1', 'install 200'])
  })

  it('does not build on what a peer has sent that is damaged, and asks another', async () => {
    const t = setUp()
    t.want()
    await t.give(HEADER, pageOf(1))
    t.state.addFails = new RecordError('a bad checksum')
    await t.give(pageOf(2))
    assert.equal(t.last().isCalledOff, true)
    t.state.addFails = undefined
    await t.runtime.pass(5_000)
    t.want()
    assert.equal(t.last().from, 4)
    assert.equal(t.last().request.checkpointId, '')
    t.state.installFails = new RecordError('not what was sent')
    await t.give(HEADER, pageOf(1), END)
    assert.equal(t.receiver.isBusy, false)
    await t.runtime.pass(5_000)
    t.want()
    assert.equal(t.last().request.checkpointId, '')
    assert.deepEqual(t.failures, [])
  })

  it('refuses one of another cluster, one that is too old, and one that it needs no more', async () => {
    const t = setUp()
    const bad = [headerOf({ clusterId: 'other' }), headerOf({ slot: 49 }), headerOf({ slot: 100 })]
    for (const [i, header] of bad.entries()) {
      await t.runtime.pass(5_000)
      if (i === 2) t.state.decidedUpTo = 100
      t.want()
      await t.give({ header })
      assert.equal(t.last().isCalledOff, true)
      assert.equal(t.receiver.isBusy, false)
    }
    t.state.decidedUpTo = 9
    await t.runtime.pass(5_000)
    t.want()
    await t.give(HEADER, pageOf(1))
    t.state.decidedUpTo = 100
    await t.give(END)
    assert.deepEqual(t.events, ['receive view-1', 'add 1'])
    assert.deepEqual(t.failures, [])
  })

  it('waits longer from round to round, and never longer than five seconds', async () => {
    const t = setUp({ voters: [3] })
    t.runtime.chance = 0.999
    const waits: number[] = []
    for (let i = 0; i < 8; i++) {
      const before = t.fetches.length
      const beganMs = t.runtime.nowMs()
      for (t.want(); t.fetches.length === before; t.want()) await t.runtime.pass(10)
      waits.push(t.runtime.nowMs() - beganMs)
      t.fail('NOT_FOUND')
    }
    assert.deepEqual(waits, [0, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000])
  })

  it('stops the node when the disk fails', async () => {
    const t = setUp()
    t.want()
    await t.give(HEADER)
    t.state.addFails = new StorageError('WRITE_FAILED', 'no space')
    await t.give(pageOf(1))
    assert.equal(t.failures[0], t.state.addFails)
    t.want()
    assert.equal(t.fetches.length, 1)
  })

  it('tells how far it is once a second', async () => {
    const t = setUp()
    t.want()
    await t.give({ header: headerOf({ bytes: 4_008 }) })
    for (let i = 1; i <= 4; i++) {
      await t.runtime.pass(400)
      await t.give(pageOf(i, 1_000))
    }
    const progress = t.lines.filter((line) => line['msg'] === 'receiving a checkpoint')
    assert.deepEqual(
      progress.map(({ bytes, ofBytes }) => [bytes, ofBytes]),
      [[3_006, 4_008]],
    )
  })

  it('says nothing more once it is stopped', async () => {
    const t = setUp()
    t.want()
    await t.give(HEADER)
    t.receiver.stop()
    assert.equal(t.last().isCalledOff, true)
    await t.give(pageOf(1), END)
    t.fail('UNREACHABLE')
    t.want()
    assert.deepEqual(t.events, ['receive view-1'])
    assert.equal(t.fetches.length, 1)
  })
})
