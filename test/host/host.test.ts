import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { MemberError } from '../../src/host/api.js'
import { NOOP } from '../../src/paxos/types.js'
import { TOKEN } from '../support/token.js'
import { BALLOT, batchOf, commandOf, Follower, newDisk, opening, Recorder, until } from './fixture.js'

describe('the host', () => {
  const running: Follower[] = []

  async function start(...args: Parameters<typeof Follower.start>): Promise<Follower> {
    const follower = await Follower.start(...args)
    running.push(follower)
    return follower
  }

  afterEach(async () => {
    for (const follower of running.splice(0)) {
      for (const step of ['append', 'prepare', 'commit'] as const) follower.storage.release(step)
      await follower.host.stop()
    }
  })

  it('answers an accept only when it is on disk', async () => {
    const f = await start()
    f.storage.hold('append')
    f.accept(1, NOOP)
    await until('the write', () => f.events.includes('append…'))
    await delay(30)
    assert.ok(!f.events.includes('accepted to 2'))
    f.storage.release('append')
    await until('the answer', () => f.events.includes('accepted to 2'))
    assert.ok(f.events.indexOf('appended promised accepted') < f.events.indexOf('accepted to 2'))
  })

  it('sends what needs no disk before the write ends, and while one hangs', async () => {
    const f = await start()
    f.storage.hold('append')
    f.accept(1, NOOP)
    await until('the write', () => f.events.includes('append…'))
    f.receive([{ kind: 'heartbeat', ballot: BALLOT, round: 1, decidedUpTo: 0, heard: [], settledEpoch: 1 }])
    await until('the acknowledgement', () => f.events.includes('heartbeatAck to 2'))
    assert.ok(!f.events.some((event) => event.startsWith('appended')))
  })

  it('has one write in flight, and what comes meanwhile shares the next', async () => {
    const f = await start()
    f.storage.hold('append')
    f.accept(1, NOOP)
    await until('the write', () => f.events.includes('append…'))
    for (let slot = 2; slot <= 9; slot++) f.accept(slot, NOOP, 0)
    await delay(30)
    f.storage.release('append')
    await until('all answers', () => f.events.filter((event) => event === 'accepted to 2').length === 9)
    const writes = f.events.filter((event) => event.startsWith('appended'))
    assert.deepEqual(writes, ['appended promised accepted', `appended ${'accepted '.repeat(8).trim()}`])
  })

  it('stops at a failed write, without an answer and without another try', async () => {
    const f = await start()
    f.storage.fail('append')
    f.accept(1, NOOP)
    await until('the failure', () => f.failures.length > 0)
    f.accept(2, NOOP)
    await delay(30)
    assert.match(String(f.failures[0]?.cause), /append fails/)
    assert.equal(f.failures.length, 1)
    assert.equal(f.events.filter((event) => event === 'append…').length, 1)
    assert.ok(!f.events.includes('accepted to 2'))
    await f.host.stop()
  })

  it('stops when a message breaks an invariant, and answers nothing more', async () => {
    const f = await start()
    f.accept(1, batchOf(1))
    await until('the answer', () => f.events.includes('accepted to 2'))
    f.accept(1, batchOf(2))
    await until('the failure', () => f.failures.length > 0)
    assert.equal(f.events.filter((event) => event === 'accepted to 2').length, 1)
  })

  it('applies what is decided before its own write ends, once each and in order', async () => {
    const f = await start()
    f.storage.hold('append')
    f.accept(1, opening())
    f.accept(2, batchOf(1, 2))
    f.accept(3, batchOf(2, 3))
    f.decided(3)
    await until('slot 3', () => f.applier.appliedUpTo === 3)
    assert.ok(!f.events.some((event) => event.startsWith('appended')))
    assert.deepEqual(f.machine.applied, ['initial', 'c1', 'c2', 'c3'])
  })

  it('gives way to the network while it applies much', async () => {
    const f = await start()
    const busyMs = 4
    f.machine.onApply = () => {
      for (const endMs = performance.now() + busyMs; performance.now() < endMs; );
    }
    f.accept(1, opening())
    for (let slot = 2; slot <= 31; slot++) f.accept(slot, batchOf(slot), 0)
    f.decided(31)
    await until('some slots', () => f.applier.appliedUpTo >= 3)
    f.receive([{ kind: 'heartbeat', ballot: BALLOT, round: 1, decidedUpTo: 31, heard: [], settledEpoch: 1 }])
    await until('the acknowledgement', () => f.events.includes('heartbeatAck to 2'))
    assert.ok(f.applier.appliedUpTo < 31, 'it was answered in between')
    await until('the rest', () => f.applier.appliedUpTo === 31)
  })

  it('has reads wait for the end of a slot that takes several turns, and lets them in before the next', async () => {
    const f = await start()
    f.machine.onApply = () => {
      for (const endMs = performance.now() + 1; performance.now() < endMs; );
    }
    f.accept(1, opening())
    const slots = [2, 3, 4, 5, 6]
    for (const slot of slots) f.accept(slot, batchOf(...Array.from({ length: 10 }, (_, i) => slot * 10 + i)), 0)
    f.decided(6)
    const seen: number[] = []
    let isWaiting = false
    let midSlots = 0
    await until('all slots', () => {
      if (f.applier.isMidSlot) midSlots++
      if (!isWaiting) {
        isWaiting = true
        f.readIndexWaiters.addLocal(performance.now() + 60_000, () => {
          isWaiting = false
          // Without the initial command.
          seen.push(f.machine.applied.length - 1)
        })
      }
      return f.applier.appliedUpTo === 6
    })
    assert.ok(midSlots > 0, 'slots took several turns')
    assert.deepEqual(
      seen.filter((count) => count % 10 !== 0),
      [],
    )
    assert.ok(new Set(seen).size >= 3, 'reads came between slots')
  })

  it('takes no more of a catch-up than it can hold until it is applied, and takes it later', async () => {
    const f = await start()
    const page = (slots: number[]) =>
      f.receive([
        {
          kind: 'catchUpReply',
          entries: slots.map((slot) => ({
            slot,
            ballot: BALLOT,
            value: slot === 1 ? opening() : commandOf(slot, 'x'.repeat(8 << 20)),
          })),
          decidedUpTo: 8,
          compactedUpTo: 0,
          hasMore: false,
        },
      ])
    const wasFull: boolean[] = []
    f.machine.onApply = () => {
      wasFull.push(f.applier.isFull)
      if (wasFull.length === 1) page([8])
    }
    page([1, 2, 3, 4, 5, 6, 7])
    await until('slot 7', () => f.applier.appliedUpTo >= 7)
    await delay(30)
    assert.deepEqual([wasFull[0], wasFull.at(-1)], [true, false])
    assert.equal(f.applier.appliedUpTo, 7)
    page([8])
    await until('slot 8', () => f.applier.appliedUpTo === 8)
  })

  it('holds a read until the slot that the leader named is applied', async () => {
    const f = await start()
    f.receive([{ kind: 'heartbeat', ballot: BALLOT, round: 1, decidedUpTo: 0, heard: [], settledEpoch: 1 }])
    const outcomes: unknown[] = []
    f.readIndexWaiters.add(performance.now() + 10_000, (outcome) => outcomes.push(outcome))
    f.host.schedule()
    await until('the question', () => f.events.includes('readIndex to 2'))
    const question = f.sent.find(({ message }) => message.kind === 'readIndex')?.message
    assert.ok(question?.kind === 'readIndex')
    f.receive([{ kind: 'readIndexReply', readId: question.readId, slot: 1 }])
    f.accept(1, opening())
    await until('the answer', () => f.events.includes('accepted to 2'))
    assert.deepEqual(outcomes, [])
    f.decided(1)
    await until('the read', () => outcomes.length > 0)
    assert.deepEqual(outcomes, [1])
  })

  it('does not spin while a command waits for a leader', async () => {
    const f = await start()
    f.desk.invoke(new Uint8Array([1]), performance.now() + 10_000, () => {})
    f.host.schedule()
    await delay(20)
    const before = f.stepCount
    await delay(200)
    assert.ok(f.stepCount - before < 40, `${f.stepCount - before} steps in 200 ms`)
    f.requester.stop('the test is over')
  })

  it('ends each wait at its deadline when there is no leader', async () => {
    const f = await start()
    const codes: string[] = []
    const settle = (outcome: unknown): void => {
      codes.push(outcome instanceof MemberError ? outcome.code : 'done')
    }
    const deadlineMs = performance.now() + 50
    f.desk.invoke(new Uint8Array([1]), performance.now() + 3_600_000, () => {})
    f.desk.invoke(new Uint8Array([2]), deadlineMs, settle)
    f.desk.openSession(deadlineMs, settle)
    f.desk.submit(
      { clientId: 1, token: TOKEN, requestNumber: 1, firstUnacknowledged: 1, command: new Uint8Array() },
      deadlineMs,
      settle,
    )
    f.readIndexWaiters.add(deadlineMs, settle)
    f.host.schedule()
    await until('four answers', () => codes.length === 4)
    assert.deepEqual(codes, ['NO_QUORUM', 'NO_QUORUM', 'NO_QUORUM', 'NO_QUORUM'])
  })

  it('writes the state and the watermark when it is stopped, and begins nothing after that', async () => {
    const disk = newDisk()
    const f = await start(disk)
    f.accept(1, opening())
    f.accept(2, batchOf(1))
    f.decided(2)
    await until('slot 2', () => f.applier.appliedUpTo === 2)
    await f.host.stop()
    const eventCount = f.events.length
    f.accept(3, NOOP)
    f.host.schedule()
    await delay(30)
    assert.equal(f.events.length, eventCount)
    assert.equal(disk.decidedUpTo, 2)
    assert.equal(disk.checkpoint.appliedUpTo, 2)
    assert.deepEqual(f.failures, [])
  })

  it('can be stopped while peers keep its disk busy without a pause', async () => {
    const f = await start()
    let slot = 0
    let isOver = false
    // There is always something to write by the time that a write ends.
    f.storage.onAppend = () => {
      if (!isOver) f.accept(++slot, NOOP)
    }
    f.accept(++slot, NOOP)
    await until('some writes', () => slot > 10)
    const result = await Promise.race([f.host.stop().then(() => 'stopped'), delay(2_000).then(() => 'still busy')])
    isOver = true
    assert.equal(result, 'stopped')
  })

  it('is told when the last write fails', async () => {
    const f = await start()
    f.accept(1, opening())
    f.decided(1)
    await until('slot 1', () => f.applier.appliedUpTo === 1)
    f.storage.fail('commit')
    await f.host.stop()
    assert.equal(f.failures.length, 1)
  })

  it('waits no longer for a stop once it has failed', async () => {
    const f = await start()
    f.storage.hold('append')
    f.accept(1, NOOP)
    await until('the write', () => f.events.includes('append…'))
    const stopped = f.host.stop()
    f.storage.fail('append')
    f.storage.release('append')
    await stopped
    assert.equal(f.failures.length, 1)
  })

  it('carries a restart on from the checkpoint: each slot once, initial commands once', async () => {
    const disk = newDisk()
    const first = await start(disk)
    first.accept(1, opening())
    first.accept(2, batchOf(1))
    first.decided(2)
    await until('slot 2', () => first.applier.appliedUpTo === 2)
    await first.host.stop()
    const { stateDigest } = first.applier

    const second = await start(disk)
    assert.deepEqual(second.machine.applied, ['initial', 'c1'])
    assert.equal(second.applier.stateDigest, stateDigest)
    second.accept(3, batchOf(1, 2))
    second.decided(3)
    await until('slot 3', () => second.applier.appliedUpTo === 3)
    assert.deepEqual(second.machine.applied, ['initial', 'c1', 'c2'])
  })

  it('replays what is decided behind the checkpoint, and what has no checkpoint at all', async () => {
    const disk = newDisk()
    const f = await start(disk)
    f.accept(1, opening())
    f.accept(2, batchOf(1))
    f.accept(3, batchOf(2))
    f.decided(3)
    await until('the watermark on disk', () => disk.decidedUpTo === 3)
    // As after kill -9: nothing of the state was written.
    assert.equal(disk.checkpoint.appliedUpTo, 0)
    const again = await start(disk, {}, new Recorder())
    assert.deepEqual(again.machine.applied, ['initial', 'c1', 'c2'])
    assert.equal(again.applier.stateDigest, f.applier.stateDigest)
  })
})
