import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MemberError } from '../../src/host/api.js'
import { LevelCalls } from '../../src/host/membership/level-calls.js'
import type { NodeId } from '../../src/paxos/types.js'

function setUp() {
  const events: string[] = []
  const outcomes: unknown[] = []
  const world = { level: 1, members: [1, 2, 3] }
  const calls = new LevelCalls({
    self: 1,
    own: { levelMin: 1, levelMax: 3, version: '3.0' },
    members: () => world.members.map((nodeId) => ({ nodeId })),
    inForce: () => ({ slot: 7, level: world.level }),
    ask: (nodeId) => void events.push(`ask ${nodeId}`),
    raise: (level, _deadlineMs, settle) => {
      events.push(`raise ${level}`)
      world.level = level
      settle({ slot: 9 })
    },
  })
  const settle = (outcome: unknown): void =>
    void outcomes.push(outcome instanceof MemberError ? `${outcome.code}: ${outcome.message}` : outcome)
  const heard = (from: NodeId, levelMax: number, version = `${levelMax}.0`): void =>
    calls.onRoster(from, { levelMin: 1, levelMax, version })
  return { world, calls, events, outcomes, settle, heard }
}

describe('raising the level', () => {
  it('asks every other member anew, again while it is silent, and raises once all of them know it', () => {
    const t = setUp()
    for (const nodeId of [2, 3]) t.heard(nodeId, 3)
    t.calls.raise(2, 10_000, t.settle)
    t.calls.tick(1_000)
    t.heard(2, 2)
    t.calls.tick(1_100)
    t.calls.tick(1_300)
    assert.deepEqual([t.events.splice(0), t.outcomes], [['ask 2', 'ask 3', 'ask 3'], []])
    t.heard(3, 3)
    assert.deepEqual([t.events, t.outcomes], [['raise 2'], [{ slot: 9, level: 2 }]])
  })

  it('names each member that does not know it, or is silent for two seconds, and raises nothing', () => {
    const t = setUp()
    t.calls.raise(3, 10_000, t.settle)
    t.heard(2, 2)
    t.heard(3, 1, '')
    assert.deepEqual(t.outcomes.splice(0), [
      'LEVEL_UNKNOWN_TO_MEMBER: the level is not raised: node 2 knows levels 1 to 2 (version 2.0), not 3; node 3 knows levels 1 to 1, not 3',
    ])
    t.calls.raise(4, 10_000, t.settle)
    for (const nodeId of [2, 3]) t.heard(nodeId, 4)
    assert.match(String(t.outcomes.splice(0)), /node 1 knows levels 1 to 3 \(version 3\.0\), not 4$/)
    t.calls.raise(3, 10_000, t.settle)
    t.calls.tick(0)
    t.heard(2, 3)
    t.calls.tick(1_999)
    assert.deepEqual(t.outcomes, [])
    t.calls.tick(2_000)
    assert.deepEqual(t.outcomes, [
      'LEVEL_UNKNOWN_TO_MEMBER: the level is not raised: node 3 does not say what it knows: is it running?',
    ])
    assert.ok(!t.events.some((event) => event.startsWith('raise')))
  })

  it('is given up when its caller has gone', () => {
    const t = setUp()
    const gone = { aborted: false }
    t.calls.raise(2, 10_000, t.settle, gone)
    t.calls.tick(0)
    gone.aborted = true
    t.calls.tick(10)
    assert.deepEqual(t.outcomes, ['CANCELLED: the caller gave up before the level was proposed'])
    for (const nodeId of [2, 3]) t.heard(nodeId, 3)
    assert.deepEqual(t.events, ['ask 2', 'ask 3'])
  })

  it('does not outlast its deadline, nor the member', () => {
    const t = setUp()
    t.calls.raise(2, 500, t.settle)
    t.calls.tick(0)
    t.calls.tick(500)
    assert.equal(t.outcomes.length, 1)
    t.calls.raise(2, 10_000, t.settle)
    t.calls.stop('over')
    assert.deepEqual(t.outcomes[1], 'STOPPED: over')
  })

  it('takes the highest that all know for 0, and changes nothing where that is in force', () => {
    const t = setUp()
    t.calls.raise(0, 10_000, t.settle)
    t.heard(2, 2)
    t.heard(3, 9)
    t.calls.raise(0, 10_000, t.settle)
    t.heard(2, 2)
    t.heard(3, 9)
    t.calls.raise(1, 10_000, t.settle)
    t.heard(2, 1)
    t.heard(3, 1)
    assert.deepEqual(
      [t.events, t.outcomes],
      [
        ['raise 2'],
        [
          { slot: 9, level: 2 },
          { slot: 7, level: 2 },
          { slot: 7, level: 2 },
        ],
      ],
    )
  })

  it('waits for a member that has come meanwhile; alone it waits for nobody', () => {
    const t = setUp()
    t.calls.raise(2, 10_000, t.settle)
    t.world.members.push(4)
    t.heard(2, 2)
    t.heard(3, 2)
    assert.deepEqual(t.outcomes, [])
    t.heard(4, 2)
    assert.deepEqual(t.outcomes, [{ slot: 9, level: 2 }])
    t.world.members = [1]
    t.calls.raise(3, 10_000, t.settle)
    t.calls.tick(0)
    assert.deepEqual(t.outcomes[1], { slot: 9, level: 3 })
  })

  it('remembers what members said last, this node among them, and not every stranger for ever', () => {
    const t = setUp()
    t.heard(2, 2)
    t.heard(2, 1)
    assert.deepEqual(
      [...t.calls.known].map(([nodeId, { levelMax }]) => [nodeId, levelMax]),
      [
        [1, 3],
        [2, 1],
      ],
    )
    for (let nodeId = 10; nodeId < 500; nodeId++) t.heard(nodeId, 1)
    assert.ok(t.calls.known.size <= 200 && t.calls.known.has(1) && t.calls.known.has(2))
  })
})
