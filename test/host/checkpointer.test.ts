import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { NOOP, type Slot } from '../../src/paxos/types.js'
import { batchOf, Follower, newDisk, opening, until } from './fixture.js'

/** A checkpoint is due after so many slots. */
const DUE_SLOTS = 4_096

/** Lets the slots be accepted, decided and applied: a session, one command, then no-ops. */
async function decideUpTo(f: Follower, upTo: Slot): Promise<void> {
  for (let slot = f.applier.appliedUpTo + 1; slot <= upTo; slot++) {
    const value = slot === 1 ? opening() : slot === 2 ? batchOf(1) : NOOP
    f.accept(slot, value, 0)
  }
  f.decided(upTo)
  await until(`slot ${upTo}`, () => f.applier.appliedUpTo === upTo)
}

describe('a checkpoint under way', () => {
  const running: Follower[] = []

  afterEach(async () => {
    for (const follower of running.splice(0)) {
      for (const step of ['append', 'prepare', 'commit'] as const) follower.storage.release(step)
      await follower.host.stop()
    }
  })

  async function start(disk = newDisk()): Promise<Follower> {
    const follower = await Follower.start(disk)
    running.push(follower)
    return follower
  }

  it('lets the node go on: it accepts, answers and applies while one is prepared', async () => {
    const disk = newDisk()
    const f = await start(disk)
    f.storage.hold('prepare')
    await decideUpTo(f, DUE_SLOTS)
    await until('the preparation', () => f.events.includes('prepare…'))
    const answersBefore = f.events.filter((event) => event === 'accepted to 2').length
    await decideUpTo(f, DUE_SLOTS + 10)
    await until('ten answers', () => f.events.filter((event) => event === 'accepted to 2').length === answersBefore + 10)
    assert.equal(disk.checkpoint.appliedUpTo, 0)
    f.storage.release('prepare')
    await until('the checkpoint', () => disk.checkpoint.appliedUpTo === DUE_SLOTS)
    assert.deepEqual(f.failures, [])
  })

  it('is never ahead of the watermark on disk, however slow the disk', async () => {
    const disk = newDisk()
    const f = await start(disk)
    f.storage.hold('append')
    await decideUpTo(f, DUE_SLOTS)
    assert.equal(disk.decidedUpTo, 0)
    f.storage.release('append')
    // The storage refuses one that is ahead, and the node would stop.
    await until('the checkpoint', () => disk.checkpoint.appliedUpTo === DUE_SLOTS)
    assert.ok(disk.decidedUpTo >= DUE_SLOTS)
    assert.deepEqual(f.failures, [])
  })

  it('and what comes after its slot are both there after a crash', async () => {
    const disk = newDisk()
    const f = await start(disk)
    f.storage.hold('prepare')
    await decideUpTo(f, DUE_SLOTS)
    await until('the preparation', () => f.events.includes('prepare…'))
    f.accept(DUE_SLOTS + 1, batchOf(2))
    f.decided(DUE_SLOTS + 1)
    await until('the next slot', () => f.applier.appliedUpTo === DUE_SLOTS + 1)
    f.storage.release('prepare')
    await until('the checkpoint', () => disk.checkpoint.appliedUpTo === DUE_SLOTS)
    await until('the watermark', () => disk.decidedUpTo === DUE_SLOTS + 1)

    const again = await start(disk)
    assert.deepEqual(again.machine.applied, ['initial', 'c1', 'c2'])
    assert.equal(again.applier.stateDigest, f.applier.stateDigest)
  })

  it('is told to the machine once it is on disk, not before', async () => {
    const f = await start()
    f.machine.onDurable = () => f.events.push('the machine knows')
    f.storage.hold('commit')
    await decideUpTo(f, DUE_SLOTS)
    await until('the commit', () => f.events.includes('commit…'))
    await decideUpTo(f, DUE_SLOTS + 10)
    assert.ok(!f.events.includes('the machine knows'))
    f.storage.release('commit')
    await until('the end', () => f.events.includes('the machine knows'))
    await f.host.stop()
    const ends = f.events.filter((event) => event === 'the machine knows' || event.startsWith('checkpoint of'))
    const [first, last] = [DUE_SLOTS, DUE_SLOTS + 10].map((slot) => `checkpoint of ${slot}`)
    assert.deepEqual(ends, [first, 'the machine knows', last, 'the machine knows'])
  })

  it('is finished by a stop, which then writes the last one', async () => {
    const disk = newDisk()
    const f = await start(disk)
    f.storage.hold('prepare')
    await decideUpTo(f, DUE_SLOTS)
    await until('the preparation', () => f.events.includes('prepare…'))
    f.accept(DUE_SLOTS + 1, batchOf(2))
    f.decided(DUE_SLOTS + 1)
    await until('the next slot', () => f.applier.appliedUpTo === DUE_SLOTS + 1)
    const stopped = f.host.stop()
    f.storage.release('prepare')
    await stopped
    const checkpoints = f.events.filter((event) => event.startsWith('checkpoint of'))
    assert.deepEqual(checkpoints, [`checkpoint of ${DUE_SLOTS}`, `checkpoint of ${DUE_SLOTS + 1}`])
    assert.deepEqual((await start(disk)).machine.applied, ['initial', 'c1', 'c2'])
  })

  for (const step of ['prepare', 'commit'] as const) {
    it(`stops the node when its ${step} fails, and leaves the state before it`, async () => {
      const disk = newDisk()
      const f = await start(disk)
      f.storage.fail(step)
      await decideUpTo(f, DUE_SLOTS)
      await until('the failure', () => f.failures.length > 0)
      assert.equal(disk.checkpoint.appliedUpTo, 0)
      await f.host.stop()
      assert.equal(f.failures.length, 1)
      assert.deepEqual((await start(disk)).machine.applied, ['initial', 'c1'])
    })
  }
})
