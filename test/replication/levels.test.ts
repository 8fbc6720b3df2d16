import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeEnvelope, encodeRaiseLevel } from '../../src/replication/envelope.js'
import { KNOWN_LEVELS, knowsLevel, LEVEL_MAX, LEVELS, resultOfRaise } from '../../src/replication/levels.js'
import { sessionCodec } from '../../src/replication/session-records.js'
import { Sessions } from '../../src/replication/sessions.js'
import type { Moment, StateMachine } from '../../src/replication/state-machine.js'

const TOKEN = new Uint8Array(16).fill(3)

/** Notes at which level each command comes. */
function levelledMachine(levelMax?: number) {
  const levels: number[] = []
  const machine: StateMachine = {
    ...(levelMax !== undefined && { levelMax }),
    apply(_command: Uint8Array, { level }: Moment) {
      levels.push(level)
      return new Uint8Array()
    },
    query: () => new Uint8Array(),
    changes: () => [],
    onCheckpointed: () => {},
    restore: () => ({ load: () => {}, finish: () => {} }),
  }
  return { levels, sessions: new Sessions(machine, sessionCodec) }
}

test('the levels that this binary knows ascend from 1 without a gap, each with what it brought', () => {
  assert.deepEqual(
    LEVELS.map(({ level }) => level),
    Array.from(LEVELS, (_, i) => i + 1),
  )
  assert.ok(LEVELS.every(({ version, brought }) => version !== '' && brought !== ''))
  assert.deepEqual([KNOWN_LEVELS.levelMin, KNOWN_LEVELS.levelMax], [1, LEVEL_MAX])
  const known = { levelMin: 2, levelMax: 3 }
  assert.deepEqual(
    [1, 2, 3, 4].map((level) => knowsLevel(known, level)),
    [false, true, true, false],
  )
})

test('an envelope that raises the level is read as it was written', () => {
  const level = 2 ** 32 - 1
  assert.deepEqual(decodeEnvelope(encodeRaiseLevel(level, '1.2.3', TOKEN)), {
    kind: 'level',
    level,
    version: '1.2.3',
    token: TOKEN,
  })
  assert.deepEqual(resultOfRaise(0x01020304), Uint8Array.of(1, 2, 3, 4))
})

test('a machine is told the level in force with each command; it is raised, never lowered, and restored', () => {
  const { levels, sessions } = levelledMachine(5)
  sessions.begin({ quotaBytes: 0, level: 2, levelVersion: 'seed' })
  let requestNumber = 0
  const clientId = sessions.openSession(TOKEN, { slot: 1, timeMs: 1, level: 2 })
  const run = (): void => {
    requestNumber++
    const request = { clientId, token: TOKEN, requestNumber, firstUnacknowledged: requestNumber, command: new Uint8Array() }
    sessions.apply(request, { slot: 1, timeMs: 1, level: 0 })
  }
  run()
  for (const [level, levelVersion] of [
    [3, 'third'],
    [3, 'again'],
    [1, 'lower'],
    [5, 'fifth'],
    [4, 'lower'],
  ] as const) {
    sessions.raiseLevel({ level, levelVersion })
    run()
  }
  assert.deepEqual(levels, [2, 3, 3, 3, 5, 5])
  assert.deepEqual(sessions.raised, { level: 5, levelVersion: 'fifth' })
  assert.throws(() => sessions.raiseLevel({ level: 6, levelVersion: '' }), /not known/)

  const restored = levelledMachine(5)
  restored.sessions.restore({ read: () => undefined }, { level: 4, levelVersion: 'fourth' }).finish()
  assert.deepEqual(restored.sessions.raised, { level: 4, levelVersion: 'fourth' })
  const older = levelledMachine(3)
  assert.throws(() => older.sessions.restore({ read: () => undefined }, { level: 4, levelVersion: '' }), /unknown level/)
})

test('a machine that says nothing knows level 1 alone', () => {
  const { sessions } = levelledMachine()
  assert.deepEqual(sessions.knownLevels, { levelMin: 1, levelMax: 1 })
})
