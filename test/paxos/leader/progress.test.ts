import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Progress } from '../../../src/paxos/leader/progress.js'
import { Silences } from '../../../src/paxos/silence.js'
import type { NodeId, Slot } from '../../../src/paxos/types.js'
import { clockOf, membershipsOf, options as optionsWith } from '../role.js'

const SELF = 1
const BALLOT = 65_537
const options = optionsWith({ electionTimeoutMsMin: 300, electionTimeoutMsMax: 600 })

function progressOf(memberCount: number, silences = new Silences(options)) {
  const memberships = membershipsOf(
    Array.from({ length: memberCount }, (_, i) => i + 1),
    options.windowSlots,
  )
  const clock = clockOf(memberships)
  const progress = new Progress({ self: SELF, memberships, replica: { decidedUpTo: 50 }, clock, options, silences, nowMs: 0 })
  return { memberships, progress }
}

function ack(progress: Progress, from: NodeId, nowMs: number, decidedUpTo: Slot = 1, durableUpTo: Slot = 0): void {
  progress.onAck(from, { kind: 'heartbeatAck', ballot: BALLOT, round: 1, decidedUpTo, durableUpTo, wallMs: 0 }, nowMs)
}

test('a member has progress once it has acknowledged, and is heard for the shortest election timeout after that', () => {
  const { progress } = progressOf(3)
  assert.deepEqual([progress.isHeard(2), progress.recentOf(2), progress.decidedUpTo(2)], [false, undefined, 0])
  ack(progress, 2, 100, 7, 5)
  progress.tick(400)
  assert.deepEqual([progress.isHeard(2), progress.recentOf(2), progress.durableUpTo(2)], [true, 7, 5])
  progress.tick(401)
  assert.deepEqual([progress.isHeard(2), progress.recentOf(2), progress.decidedUpTo(2)], [false, undefined, 7])
  assert.deepEqual([...progress.decidedSlots], [[2, 7]])
})

test("the leader's own progress is its replica's", () => {
  assert.equal(progressOf(3).progress.recentOf(SELF), 50)
})

test('a node that was not a member when the leader began is tracked from its first acknowledgement on', () => {
  const { progress } = progressOf(3)
  ack(progress, 9, 100, 3)
  progress.tick(100)
  assert.equal(progress.recentOf(9), 3)
})

test('a majority is heard while enough members have acknowledged within the longest election timeout', () => {
  const { progress } = progressOf(5)
  progress.tick(600)
  assert.equal(progress.hearsMajority(), true, 'all count as heard when the leader begins')
  progress.tick(601)
  assert.equal(progress.hearsMajority(), false)
  for (const from of [2, 3]) ack(progress, from, 601)
  assert.equal(progress.hearsMajority(), true)
})

test('a member that was reset starts without progress', () => {
  const { memberships, progress } = progressOf(3)
  for (const from of [2, 3]) ack(progress, from, 100, 7, 7)
  const change = { kind: 'reset', nodeId: 2, dataDirId: 'dir-2', newDataDirId: 'dir-2b' } as const
  memberships.onDecided(8, { kind: 'membership', epoch: 2, change })
  progress.onMembershipChanged()
  assert.deepEqual([progress.decidedUpTo(2), progress.durableUpTo(2), progress.isHeard(2)], [0, 0, false])
  assert.deepEqual([progress.decidedUpTo(3), progress.durableUpTo(3), progress.isHeard(3)], [7, 7, true])
})

test('a leader that stepped down is more patient when it leads again', () => {
  const silences = new Silences(options)
  const { progress } = progressOf(3, silences)
  progress.tick(700)
  progress.noteSilences()
  const again = progressOf(3, silences).progress
  again.tick(600 + 2 * 700)
  assert.equal(again.hearsMajority(), true)
  again.tick(600 + 2 * 700 + 1)
  assert.equal(again.hearsMajority(), false)
})
