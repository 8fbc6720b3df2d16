import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Acceptor } from '../../../src/paxos/acceptor.js'
import { Memberships } from '../../../src/paxos/memberships.js'
import { Removal } from '../../../src/paxos/node/removal.js'
import { ToldMemberships } from '../../../src/paxos/node/told-memberships.js'
import { VotingRight } from '../../../src/paxos/node/voting-right.js'
import { Outbox } from '../../../src/paxos/outbox.js'
import { SettledEpoch } from '../../../src/paxos/settled-epoch.js'
import type { MembershipChange } from '../../../src/paxos/types.js'
import { Watermark } from '../../../src/paxos/watermark.js'
import { membershipsOf, options as optionsWith, outcome, recovered } from '../role.js'

const WINDOW = 4
const options = optionsWith({ windowSlots: WINDOW, electionTimeoutMsMax: 600 })

/** The members 1, 2 and 3 after a change that was decided in slot 1 and is in force. */
function after(change: MembershipChange): Memberships {
  const memberships = membershipsOf([1, 2, 3], WINDOW)
  memberships.onDecided(1, { kind: 'membership', epoch: 2, change })
  memberships.forget(WINDOW)
  return memberships
}

const ADDED = { kind: 'add', nodeId: 4, peerAddress: 'peer-4:1', clientAddress: 'client-4:1' } as const

describe('told memberships', () => {
  it('count only while they are newer than the memberships that the node has learned', () => {
    const memberships = membershipsOf([1, 2, 3], WINDOW)
    const told = new ToldMemberships(1, memberships)
    const newer = after(ADDED).toRecords()
    told.onTold(newer)
    assert.deepEqual([told.known, told.others], [newer, [2, 3, 4]])
    told.onTold(membershipsOf([1, 2]).toRecords())
    assert.equal(told.known, newer, 'an older one is not kept')
    memberships.restart(newer)
    assert.equal(told.known, memberships.governing)
  })

  it('are kept, but not known, before there is a genesis', () => {
    const told = new ToldMemberships(1, new Memberships())
    const records = membershipsOf([1, 2, 3]).toRecords()
    told.onTold(records)
    assert.deepEqual([told.known, told.told], [[], records])
  })

  it('do not change which nodes are known: a removed node is unknown, one that may have been added later is known', () => {
    const told = new ToldMemberships(1, after({ kind: 'remove', nodeId: 3 }))
    assert.deepEqual(
      [2, 3, 4].map((nodeId) => told.isKnown(nodeId)),
      [true, false, true],
    )
  })
})

function removalOf(memberships: Memberships) {
  const out = new Outbox(3)
  const settled = new SettledEpoch(memberships)
  return { out, settled, removal: new Removal({ self: 3, options, memberships, settled, out }) }
}

describe('the removal of a node', () => {
  const removed = { kind: 'remove', nodeId: 3 } as const

  it('stops it two election timeouts after it has learned that this is settled', () => {
    const { out, settled, removal } = removalOf(after(removed))
    for (const nowMs of [0, 5_000]) removal.tick(nowMs)
    assert.equal(out.take(true).halt, undefined, 'not before it is settled')
    settled.raiseTo(2)
    for (const nowMs of [6_000, 7_199]) removal.tick(nowMs)
    assert.equal(out.take(true).halt, undefined)
    removal.tick(7_200)
    assert.equal(out.take(true).halt?.code, 'REMOVED')
  })

  it('is believed of a peer that refuses it, or that welcomes it with a settled membership without it', () => {
    const genesis = {
      clusterId: 'c',
      members: [],
      initialCommands: [],
      windowSlots: WINDOW,
      quotaBytes: 0,
      level: 1,
      levelVersion: '',
    }
    const memberships = after(removed).toRecords()
    for (const [settledEpoch, halts] of [
      [1, false],
      [2, true],
    ] as const) {
      const { out, removal } = removalOf(membershipsOf([1, 2, 3], WINDOW))
      removal.onWelcome({ kind: 'welcome', genesis, memberships, settledEpoch })
      for (const nowMs of [0, 1_200]) removal.tick(nowMs)
      assert.equal(out.take(true).halt !== undefined, halts)
    }
    const { out, removal } = removalOf(membershipsOf([1, 2, 3], WINDOW))
    removal.onRefused()
    for (const nowMs of [0, 1_200]) removal.tick(nowMs)
    assert.equal(out.take(true).halt?.code, 'REMOVED')
  })
})

function rightOf(dataDirId: string, memberships: Memberships, decidedUpTo = 0) {
  const replica = { decidedUpTo }
  const acceptor = new Acceptor(2, new Outbox(2), options, recovered())
  const right = new VotingRight({ self: 2, dataDirId, memberships, acceptor, replica })
  right.onMembershipChanged()
  return { right, acceptor, replica }
}

describe('the right to vote', () => {
  it('belongs to a member with the data directory that the membership has', () => {
    assert.equal(rightOf('dir-2', membershipsOf([1, 2, 3])).right.isHeld, true)
    assert.equal(rightOf('another', membershipsOf([1, 2, 3])).right.isHeld, false)
    assert.equal(rightOf('dir-2', membershipsOf([1, 3])).right.isHeld, false)
  })

  it('is suspended until the node has learned the slots that its directory may have lost', () => {
    const { right, acceptor, replica } = rightOf('dir-2', membershipsOf([1, 2, 3]))
    right.learnFirst(9)
    right.learnFirst(5)
    replica.decidedUpTo = 8
    right.onMembershipChanged()
    assert.equal(acceptor.votesFrom, 0)
    replica.decidedUpTo = 9
    right.onMembershipChanged()
    assert.equal(acceptor.votesFrom, 1)
  })

  it('is known to a leader that knows the slot in which this life of the node was promoted', () => {
    const { right, acceptor } = rightOf('dir-2', membershipsOf([1, 2, 3], WINDOW))
    acceptor.votesFrom = 10
    assert.deepEqual([right.isKnownTo(10 - WINDOW), right.isKnownTo(10 - WINDOW - 1)], [true, false])
  })
})

describe('the watermark', () => {
  it('is written once for each slot, and durable when its record is', () => {
    const out = new Outbox(1)
    const replica = { decidedUpTo: 3 }
    const watermark = new Watermark({ replica, out, durableUpTo: 3 })
    watermark.persist()
    assert.deepEqual(outcome(out).records, [])
    replica.decidedUpTo = 5
    for (let i = 0; i < 2; i++) watermark.persist()
    assert.deepEqual(outcome(out).records, ['decided up to 5'])
    assert.deepEqual([watermark.persistedUpTo, watermark.durableUpTo], [5, 3])
    watermark.onDurable(5)
    assert.equal(watermark.durableUpTo, 5)
  })
})
