import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DurableRecord, LogEntry, Slot } from '../../src/paxos/types.js'
import { NOOP } from '../../src/paxos/types.js'
import { RecordError } from '../../src/storage/records.js'
import { turns } from './fake-runtime.js'
import { scriptedHost } from './scripted-host.js'

const RECORD: DurableRecord = { kind: 'promised', ballot: 1 }
const entryAt = (slot: Slot): LogEntry => ({ slot, ballot: 1, value: NOOP })

describe('a checkpoint of a peer', () => {
  it('is installed when all that the core has to write is written, and told to the core before anything else is', async () => {
    const t = scriptedHost()
    await t.runtime.pass(10)
    t.core.records = [RECORD]
    t.hold('append')
    await t.runtime.pass(10)
    t.core.records = [RECORD]
    const installed = t.install()
    await turns()
    assert.deepEqual(t.events, ['append…'])
    t.release('append')
    await installed
    assert.deepEqual(t.events, [
      'append…',
      'append',
      'append…',
      'append',
      'install…',
      'install',
      'core: installed 100',
      'load…',
      'load',
    ])
    assert.equal(t.applier.appliedUpTo, 100)
    assert.deepEqual(t.failures, [])
  })

  it('lets nothing reach the core while it is being written, and everything while it is loaded', async () => {
    const t = scriptedHost()
    await t.runtime.pass(10)
    t.hold('install')
    t.hold('load')
    const installed = t.install()
    await turns()
    const ticks = t.core.tickCount
    t.host.receive(2, [{ kind: 'poll', pollId: 1 }], 'dir-2')
    await t.runtime.pass(100)
    assert.deepEqual([t.core.tickCount - ticks, t.events], [0, ['install…']])
    t.release('install')
    await turns()
    t.host.receive(2, [{ kind: 'poll', pollId: 2 }], 'dir-2')
    t.core.records = [RECORD]
    t.core.decided = [entryAt(101)]
    await t.runtime.pass(100)
    assert.deepEqual(t.events.slice(2), ['core: installed 100', 'load…', 'core: poll of 2', 'append…', 'append'])
    assert.equal(t.applier.appliedUpTo, 5, 'what is decided meanwhile waits')
    t.release('load')
    await installed
    await t.runtime.pass(10)
    assert.equal(t.applier.appliedUpTo, 101)
  })

  it('waits for a checkpoint of one’s own that is under way, and no other is begun until it is there', async () => {
    const t = scriptedHost()
    t.hold('prepare')
    t.applier.boundaryCount = 1
    await t.runtime.pass(10)
    const installed = t.install()
    t.applier.boundaryCount = 2
    t.applier.appliedUpTo = 6
    t.host.askForCheckpoint()
    await t.runtime.pass(50)
    assert.deepEqual(t.events, ['prepare…'])
    t.release('prepare')
    await t.runtime.pass(50)
    await installed
    assert.deepEqual(t.events.slice(1, 5), ['prepare', 'commit…', 'commit', 'install…'])
    await t.runtime.pass(50)
    assert.equal(t.events.filter((event) => event === 'prepare…').length, 1)
    t.applier.boundaryCount = 3
    await t.runtime.pass(50)
    assert.equal(t.events.filter((event) => event === 'prepare…').length, 2)
  })

  it('that is not whole changes nothing', async () => {
    const t = scriptedHost()
    t.fails.set('install', new RecordError('not whole'))
    await assert.rejects(t.install(), RecordError)
    t.applier.boundaryCount = 1
    t.host.receive(2, [{ kind: 'poll', pollId: 1 }], 'dir-2')
    await t.runtime.pass(50)
    assert.deepEqual(t.events, ['install…', 'core: poll of 2', 'prepare…', 'prepare', 'commit…', 'commit'])
    assert.deepEqual(t.failures, [])
  })

  it('that came too late is not installed', async () => {
    const t = scriptedHost()
    t.core.decidedUpTo = 100
    await assert.rejects(t.install(), { code: 'NOT_FOUND' })
    assert.deepEqual(t.events, [])
  })

  it('is waited for by a stop, which then writes no checkpoint of the old state', async () => {
    const t = scriptedHost()
    await t.runtime.pass(10)
    t.hold('load')
    const installed = t.install()
    await turns()
    const stopped = t.host.stop()
    await turns()
    assert.equal(t.events.at(-1), 'load…')
    t.release('load')
    await Promise.all([installed, stopped])
    assert.ok(!t.events.includes('save…'))
    const late = scriptedHost()
    late.hold('append')
    late.core.records = [RECORD]
    await late.runtime.pass(10)
    const refused = assert.rejects(late.install(), { code: 'UNREACHABLE' })
    await turns()
    const over = late.host.stop()
    late.release('append')
    await Promise.all([refused, over])
    assert.ok(!late.events.includes('install…'))
  })

  it('is asked for as long as the core wants one', async () => {
    const t = scriptedHost()
    t.core.checkpointWanted = { from: 2, minSlot: 50 }
    await t.runtime.pass(25)
    assert.ok(t.wanted.length >= 2)
    assert.deepEqual(t.wanted[0], { from: 2, minSlot: 50 })
  })
})

describe('a host behind a closed gate', () => {
  it('gives its core nothing, ends each wait in time, and goes on when the gate opens', async () => {
    const t = scriptedHost([1, 2, 3])
    const outcomes: unknown[] = []
    t.desk.invoke(new Uint8Array(), 50, (outcome) => outcomes.push(outcome))
    // The scripted core knows no such call: it would fail.
    t.membershipCalls.change({ kind: 'promote', nodeId: 3 }, 10_000, () => {})
    t.host.receive(2, [{ kind: 'poll', pollId: 1 }], 'dir-2')
    await t.runtime.pass(100)
    assert.deepEqual([t.core.tickCount, t.events, outcomes.length, t.failures], [0, [], 1, []])
    t.membershipCalls.stop('enough')
    assert.deepEqual(t.sent.slice(0, 2), ['recall to 2', 'recall to 3'])
    t.host.receive(
      2,
      [
        { kind: 'recalled', writeNumber: 1, recallId: 77 },
        { kind: 'poll', pollId: 1 },
      ],
      'dir-2',
    )
    t.host.receive(2, [{ kind: 'poll', pollId: 2 }], 'dir-2')
    await t.runtime.pass(10)
    assert.deepEqual(t.events, ['core: poll of 2'])
    assert.ok(t.core.tickCount > 0)
  })

  it('answers others, who may be behind theirs', async () => {
    const t = scriptedHost([1, 2, 3])
    t.host.receive(3, [{ kind: 'recall', writeNumber: 1, recallId: 5 }], 'dir-3')
    assert.deepEqual(t.sent, ['recalled to 3'])
  })

  it('stops on an older copy', async () => {
    const t = scriptedHost([1, 2, 3])
    t.host.receive(3, [{ kind: 'recalled', writeNumber: 2, recallId: 77 }], 'dir-3')
    assert.deepEqual(
      t.failures.map((error) => (error as Error & { code: string }).code),
      ['OLDER_COPY'],
    )
    await t.runtime.pass(100)
    assert.equal(t.core.tickCount, 0)
    assert.equal(t.runtime.timerCount, 0)
  })
})

describe('a full disk', () => {
  it('stops the node and says what to do, however deep the cause is', async () => {
    const causes = [
      Object.assign(new Error('write failed'), { code: 'ENOSPC' }),
      new Error('IO error: /data/db/000005.log: No space left on device'),
    ]
    for (const cause of causes) {
      const t = scriptedHost()
      t.fails.set('append', new Error('write 7 failed', { cause }))
      t.core.records = [RECORD]
      await t.runtime.pass(10)
      assert.match(t.failures[0]?.message ?? '', /disk .* is full.*Free some space and start it again/)
    }
    const other = scriptedHost()
    other.fails.set('append', new Error('write 7 failed', { cause: new Error('IO error: read-only') }))
    other.core.records = [RECORD]
    await other.runtime.pass(10)
    assert.match(other.failures[0]?.message ?? '', /a write to the data directory failed/)
  })
})
