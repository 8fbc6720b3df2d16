import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pino } from 'pino'
import type { AppliedListener } from '../../src/host/apply/applied-listener.js'
import { UnsupportedLevelError } from '../../src/host/halt-error.js'
import { replayLog } from '../../src/host/start/recovery.js'
import type { Slot, Value } from '../../src/paxos/types.js'
import { encodeRaiseLevel } from '../../src/replication/envelope.js'
import { sessionCodec } from '../../src/replication/session-records.js'
import { Sessions } from '../../src/replication/sessions.js'
import type { Moment } from '../../src/replication/state-machine.js'
import { MemoryDisk, MemoryStorage } from '../storage/memory-storage.js'
import { BALLOT, batchOf, Follower, GENESIS, newDisk, opening, Recorder, until } from './fixture.js'

const WATCHER = new Uint8Array(16).fill(9)

/** Knows levels up to a highest one, and notes each command with the level at which it came. */
class Levelled extends Recorder {
  readonly levelMax: number

  constructor(levelMax: number) {
    super()
    this.levelMax = levelMax
  }

  override apply(command: Uint8Array, at?: Moment): Uint8Array {
    const result = super.apply(command)
    this.applied.push(`${this.applied.pop()}@${at?.level}`)
    return result
  }
}

function commandsOf(value: Value): readonly Uint8Array[] {
  return value.kind === 'batch' ? value.commands : []
}

async function digestAfter(value: Value): Promise<number> {
  return (await replay(await diskWith([opening(), value]), 3)).applier.stateDigest
}

/** A slot with the commands of `before`, the level, and those of `after`. */
function raiseAmid(level: number, before: Value, after: Value): Value {
  const raise = encodeRaiseLevel(level, '9.9.9', WATCHER)
  return { kind: 'batch', timeMs: 1, commands: [...commandsOf(before), raise, ...commandsOf(after)] }
}

const LOG: readonly Value[] = [opening(), batchOf(1), raiseAmid(2, batchOf(2), batchOf(3)), batchOf(4)]

/** A disk on which so much of the log is decided. */
async function diskWith(log: readonly Value[], genesis = GENESIS): Promise<MemoryDisk> {
  const disk = newDisk()
  disk.genesis = genesis
  const storage = MemoryStorage.open(disk)
  const entries = log.map((value, i) => ({ kind: 'learned' as const, entry: { slot: i + 1, ballot: BALLOT, value } }))
  await storage.append([...entries, { kind: 'decidedUpTo', slot: log.length }])
  return disk
}

async function replay(disk: MemoryDisk, levelMax: number, storage = MemoryStorage.open(disk)) {
  const machine = new Levelled(levelMax)
  const sessions = new Sessions(machine, sessionCodec)
  const raised: Slot[] = []
  const listener: AppliedListener = {
    onOpened: () => {},
    onClosed: () => {},
    onLevel: (token, slot) => void raised.push(token === undefined ? 0 : slot),
    onOutcome: () => {},
    isAwaited: () => false,
  }
  const replayed = await replayLog({ storage, sessions, machine, listener, logger: pino({ level: 'silent' }), nowMs: () => 0 })
  return { ...replayed, machine, sessions, storage, raised }
}

const UNSUPPORTED = {
  name: 'HaltError',
  code: 'UNSUPPORTED_LEVEL',
  message: /at level 2, which version 9\.9\.9 has raised; this binary knows level 1/,
}

describe('the level of the log', () => {
  it('is in force for the next command of the same slot, and is told of with the slot', async () => {
    const { machine, sessions, raised, applier } = await replay(await diskWith(LOG), 2)
    assert.deepEqual(machine.applied, ['initial@1', 'c1@1', 'c2@1', 'c3@2', 'c4@2'])
    assert.deepEqual([sessions.raised, raised], [{ level: 2, levelVersion: '9.9.9' }, [3]])
    const { info } = applier.checkpoint()
    assert.deepEqual([info.level, info.levelVersion], [2, '9.9.9'])
  })

  it('is in the digest of the state', async () => {
    const digests = await Promise.all(
      [raiseAmid(2, batchOf(1), batchOf(2)), raiseAmid(3, batchOf(1), batchOf(2)), batchOf(1, 2)].map(digestAfter),
    )
    assert.equal(new Set(digests).size, 3)
  })

  it('stops a binary that does not know it before the next command, and every start after that, until one knows it', async () => {
    const disk = await diskWith(LOG)
    await assert.rejects(replay(disk, 1), UNSUPPORTED)
    assert.deepEqual(disk.unsupportedLevel, { level: 2, levelVersion: '9.9.9' })
    const unread = MemoryStorage.open(disk)
    unread.readLog = () => assert.fail('the log is not looked at')
    unread.loadCheckpoint = () => assert.fail('nor the checkpoint')
    await assert.rejects(replay(disk, 1, unread), UNSUPPORTED)
    const { machine, storage } = await replay(disk, 2)
    assert.deepEqual(machine.applied.at(-1), 'c4@2')
    assert.equal(storage.unsupportedLevel, undefined)
  })

  it('stops a binary that does not know that of the genesis, or of the checkpoint, of which no entry is read', async () => {
    const genesis = { ...GENESIS, level: 2, levelVersion: '9.9.9' }
    const fresh = await diskWith([], genesis)
    await assert.rejects(replay(fresh, 1), UNSUPPORTED)
    assert.equal(fresh.unsupportedLevel?.level, 2)

    const disk = await diskWith(LOG)
    const { applier, storage } = await replay(disk, 2)
    const { info, changes } = applier.checkpoint()
    await storage.saveCheckpoint(info, changes)
    await assert.rejects(replay(disk, 1), UNSUPPORTED)
    assert.equal(disk.unsupportedLevel?.level, 2)
  })

  it('stops a running node: what came before is told and kept, what follows is not applied', async () => {
    const disk = newDisk()
    const machine = new Levelled(1)
    const follower = await Follower.start(disk, {}, machine)
    for (const [i, value] of LOG.entries()) follower.accept(i + 1, value)
    follower.decided(LOG.length)
    await until('it stops', () => follower.failures.length > 0)
    assert.ok(follower.failures[0] instanceof UnsupportedLevelError)
    assert.deepEqual(machine.applied, ['initial@1', 'c1@1', 'c2@1'])
    assert.deepEqual(disk.unsupportedLevel, { level: 2, levelVersion: '9.9.9' })
    await assert.rejects(replay(disk, 1), UNSUPPORTED)
    // That the slots are decided may have been lost with the node; that they were accepted was not.
    const { machine: newer } = await replay(disk, 2)
    assert.deepEqual(newer.applied.slice(0, 3), disk.decidedUpTo === 0 ? ['initial@1'] : ['initial@1', 'c1@1', 'c2@1'])
  })

  it('is no matter where it is in force already, or where its slot is skipped', async () => {
    const lower = await replay(await diskWith([opening(), raiseAmid(1, batchOf(1), batchOf(2))]), 1)
    assert.equal(lower.sessions.raised.level, 1)
    const skipped: Value = { ...raiseAmid(2, batchOf(1), batchOf(2)), skipped: true } as Value
    const { sessions } = await replay(await diskWith([opening(), skipped]), 1)
    assert.equal(sessions.raised.level, 1)
  })
})
