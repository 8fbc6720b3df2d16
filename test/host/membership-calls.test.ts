import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MemberError } from '../../src/host/api.js'
import { MembershipCalls } from '../../src/host/membership/membership-calls.js'
import type { MembershipRefusalReason } from '../../src/paxos/membership-changes.js'
import { genesisRecord, Memberships } from '../../src/paxos/memberships.js'
import type { MembershipChange, NodeId, Slot } from '../../src/paxos/types.js'

const ADD: MembershipChange = { kind: 'add', nodeId: 4, peerAddress: 'n4:1', clientAddress: '' }

/** Three members, a window of ten slots, and a core that does what the test says. */
function setUp() {
  const members = [1, 2, 3].map((nodeId) => ({
    nodeId,
    dataDirId: `dir-${nodeId}`,
    peerAddress: `n${nodeId}:1`,
    clientAddress: '',
  }))
  const genesis = { clusterId: 'c', members, initialCommands: [], windowSlots: 10, quotaBytes: 0, level: 1, levelVersion: '' }
  const memberships = new Memberships([genesisRecord(genesis)], 10)
  const events: string[] = []
  const outcomes: unknown[] = []
  const core = {
    memberships,
    decidedUpTo: 5 as Slot,
    leaderId: 2 as NodeId,
    settledEpoch: 1,
    changeMembership: (requestId: number, change: MembershipChange): 'sent' | 'noLeader' => {
      if (core.leaderId === 0) return 'noLeader'
      events.push(`${change.kind} ${change.nodeId} #${requestId}`)
      return 'sent'
    },
    handOver: (to: NodeId): boolean => {
      if (core.leaderId === 0) return false
      events.push(`ask ${core.leaderId} to hand over to ${to}`)
      return true
    },
  }
  const calls = new MembershipCalls(core, 0)
  const settle = (outcome: unknown): void => void outcomes.push(outcome instanceof MemberError ? outcome.code : outcome)
  const refuse = (reason: MembershipRefusalReason, nowMs: number): void =>
    calls.onRefusals([{ kind: 'changeMembershipRefused', requestId: 1, reason, message: 'no' }], nowMs)
  const decide = (slot: Slot, change: MembershipChange): void => {
    core.decidedUpTo = slot
    assert.ok(memberships.onDecided(slot, { kind: 'membership', epoch: memberships.latest.epoch + 1, change }))
  }
  return { core, calls, events, outcomes, settle, refuse, decide }
}

describe('a change of the membership', () => {
  it('is repeated until it is decided, and answered when it is in force and settled', () => {
    const t = setUp()
    t.calls.change(ADD, 10_000, t.settle)
    t.calls.tick(0)
    t.calls.tick(199)
    t.calls.tick(200)
    assert.deepEqual(t.events, ['add 4 #1', 'add 4 #1'])
    t.decide(20, ADD)
    t.calls.tick(400)
    t.core.decidedUpTo = 28
    t.calls.tick(600)
    assert.deepEqual([t.events.length, t.outcomes], [2, []])
    t.core.decidedUpTo = 29
    t.calls.tick(601)
    assert.equal(t.outcomes.length, 0, 'nobody says yet that a majority of the new members has it on disk')
    t.core.settledEpoch = 2
    t.calls.tick(602)
    const [outcome] = t.outcomes as [{ slot: Slot; membership: { epoch: number; fromSlot: Slot; members: { nodeId: NodeId }[] } }]
    assert.deepEqual([outcome.slot, outcome.membership.epoch, outcome.membership.fromSlot], [20, 2, 30])
    assert.deepEqual(
      outcome.membership.members.map((m) => m.nodeId),
      [1, 2, 3, 4],
    )
    t.calls.tick(20_000)
    assert.equal(t.outcomes.length, 1)
  })

  it('is told to nobody while the core may not be told anything, and still ends in time', () => {
    const t = setUp()
    t.calls.change(ADD, 1_000, t.settle)
    t.calls.transfer(3, 1_000, t.settle)
    for (const nowMs of [0, 500, 1_000]) t.calls.tick(nowMs, false)
    assert.deepEqual([t.events, t.outcomes], [[], ['NO_QUORUM', 'OUTCOME_UNKNOWN']])
  })

  it('that is so already needs no leader', () => {
    const t = setUp()
    t.core.leaderId = 0
    t.core.decidedUpTo = 40
    t.decide(41, { kind: 'remove', nodeId: 3 })
    t.core.decidedUpTo = 60
    t.core.settledEpoch = 2
    t.calls.change({ kind: 'remove', nodeId: 3 }, 10_000, t.settle)
    t.calls.change({ kind: 'promote', nodeId: 2 }, 10_000, t.settle)
    t.calls.tick(0)
    assert.equal(t.outcomes.length, 2)
    assert.equal(t.events.length, 0)
  })

  it('is refused at once, by its reason', () => {
    for (const reason of ['NODE_ID_USED', 'TOO_MANY_MEMBERS', 'DATA_DIR_MISMATCH', 'MEMBER_NOT_FOUND'] as const) {
      const t = setUp()
      t.calls.change(ADD, 10_000, t.settle)
      t.calls.tick(0)
      t.refuse(reason, 1)
      assert.deepEqual(t.outcomes, [reason])
    }
  })

  it('may have been carried out when a repeat is refused: that is waited for', () => {
    const t = setUp()
    t.calls.change(ADD, 10_000, t.settle)
    t.calls.tick(0)
    t.calls.tick(200)
    t.refuse('NODE_ID_USED', 210)
    assert.equal(t.outcomes.length, 0)
    t.decide(20, ADD)
    t.core.decidedUpTo = 29
    t.core.settledEpoch = 2
    t.calls.tick(300)
    assert.equal((t.outcomes[0] as { slot: Slot }).slot, 20)
    const other = setUp()
    other.calls.change(ADD, 10_000, other.settle)
    for (const nowMs of [0, 200]) other.calls.tick(nowMs)
    for (const nowMs of [210, 400, 1_209]) other.refuse('NODE_ID_USED', nowMs)
    assert.deepEqual(other.outcomes, [])
    other.refuse('NODE_ID_USED', 1_210)
    assert.deepEqual(other.outcomes, ['NODE_ID_USED'])
  })

  it('is repeated for a while to a leader that has not heard of everybody, and may have just begun', () => {
    for (const reason of ['NOT_CAUGHT_UP', 'QUORUM_AT_RISK'] as const) {
      const t = setUp()
      t.calls.change(ADD, 10_000, t.settle)
      for (const nowMs of [0, 200, 400, 600, 800]) {
        t.calls.tick(nowMs)
        t.refuse(reason, nowMs)
      }
      assert.deepEqual([t.events.length, t.outcomes], [5, []])
      t.refuse(reason, 1_000)
      assert.deepEqual(t.outcomes, [reason])
    }
  })

  it('that was refused at first may have been proposed since: then its outcome is not known', () => {
    const t = setUp()
    t.calls.change(ADD, 1_000, t.settle)
    t.calls.tick(0)
    t.refuse('QUORUM_AT_RISK', 1)
    for (let nowMs = 200; nowMs <= 1_000; nowMs += 200) t.calls.tick(nowMs)
    assert.deepEqual(t.outcomes, ['OUTCOME_UNKNOWN'])
  })

  it('waits for the one before it, and says so at its deadline', () => {
    const t = setUp()
    t.calls.change(ADD, 1_000, t.settle)
    for (let nowMs = 0; nowMs < 1_000; nowMs += 200) {
      t.calls.tick(nowMs)
      t.refuse('CHANGE_IN_PROGRESS', nowMs)
    }
    assert.deepEqual([t.events.length, t.outcomes], [5, []])
    t.calls.tick(1_000)
    assert.deepEqual(t.outcomes, ['CHANGE_IN_PROGRESS'])
  })

  it('is done, too, when this node stops because it was removed itself, and of nothing else', () => {
    const t = setUp()
    t.calls.change({ kind: 'remove', nodeId: 3 }, 10_000, t.settle)
    t.calls.change({ kind: 'remove', nodeId: 2 }, 10_000, t.settle)
    t.calls.tick(0)
    t.calls.stop('bye', 3)
    assert.deepEqual([typeof t.outcomes[0], t.outcomes[1]], ['object', 'OUTCOME_UNKNOWN'])
  })

  it('says at its deadline, and when the member stops, whether it may still happen', () => {
    const t = setUp()
    t.calls.change(ADD, 1_000, t.settle)
    t.calls.tick(0)
    t.calls.tick(1_000)
    t.core.leaderId = 0
    t.calls.change(ADD, 2_000, t.settle)
    t.calls.tick(1_001)
    t.calls.tick(2_000)
    t.calls.change(ADD, 9_000, t.settle)
    t.calls.tick(2_001)
    t.calls.stop('bye')
    t.core.leaderId = 2
    t.calls.change(ADD, 9_000, t.settle)
    t.calls.tick(3_000)
    t.calls.stop('bye')
    assert.deepEqual(t.outcomes, ['OUTCOME_UNKNOWN', 'NO_QUORUM', 'STOPPED', 'OUTCOME_UNKNOWN'])
  })
})

describe('a transfer of leadership', () => {
  it('is asked of whoever leads until the one that is wanted does', () => {
    const t = setUp()
    t.calls.transfer(3, 10_000, t.settle)
    t.calls.tick(0)
    t.core.leaderId = 1
    t.calls.tick(200)
    t.core.leaderId = 0
    t.calls.tick(400)
    assert.deepEqual([t.events, t.outcomes], [['ask 2 to hand over to 3', 'ask 1 to hand over to 3'], []])
    t.core.leaderId = 3
    t.calls.tick(401)
    assert.deepEqual(t.outcomes, [3])
  })

  it('to anybody is done when another leads, and to who leads already at once', () => {
    const t = setUp()
    t.calls.transfer(0, 10_000, t.settle)
    t.calls.transfer(2, 10_000, t.settle)
    t.calls.tick(0)
    t.calls.tick(200)
    assert.deepEqual([t.events, t.outcomes], [['ask 2 to hand over to 1', 'ask 2 to hand over to 3'], [2]])
    t.core.leaderId = 1
    t.calls.tick(300)
    assert.deepEqual(t.outcomes, [2, 1])
  })

  it('is refused for whoever cannot lead, and ends at its deadline', () => {
    const t = setUp()
    t.decide(20, ADD)
    t.calls.transfer(4, 1_000, t.settle)
    t.calls.transfer(9, 1_000, t.settle)
    t.calls.transfer(3, 1_000, t.settle)
    t.calls.tick(0)
    t.calls.tick(1_000)
    t.core.leaderId = 0
    t.calls.transfer(3, 2_000, t.settle)
    t.calls.tick(1_001)
    t.calls.tick(2_000)
    assert.deepEqual(t.outcomes, ['MEMBER_NOT_FOUND', 'MEMBER_NOT_FOUND', 'OUTCOME_UNKNOWN', 'NO_QUORUM'])
  })

  it('is given up when its caller has gone, and so is a change; what the leader was asked may still happen', () => {
    const t = setUp()
    const gone = { aborted: false }
    t.calls.change(ADD, 10_000, t.settle, gone)
    t.calls.transfer(3, 10_000, t.settle, gone)
    t.calls.tick(0)
    t.core.leaderId = 0
    t.calls.change(ADD, 10_000, t.settle, gone)
    t.calls.transfer(3, 10_000, t.settle, gone)
    t.calls.tick(10)
    gone.aborted = true
    t.core.leaderId = 2
    t.calls.tick(20)
    assert.deepEqual(t.outcomes, ['OUTCOME_UNKNOWN', 'CANCELLED', 'OUTCOME_UNKNOWN', 'CANCELLED'])
    assert.equal(t.events.length, 2)
  })
})
