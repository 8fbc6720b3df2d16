import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Memberships } from '../../src/paxos/memberships.js'
import type { MembershipChange, Slot } from '../../src/paxos/types.js'
import { membershipsOf } from './role.js'

const WINDOW = 5

function decide(memberships: Memberships, slot: Slot, change: MembershipChange, epoch = memberships.latest.epoch + 1): boolean {
  return memberships.onDecided(slot, { kind: 'membership', epoch, change })
}

function addOf(nodeId: number): MembershipChange {
  return { kind: 'add', nodeId, peerAddress: `peer-${nodeId}:1`, clientAddress: '' }
}

test('a change decided in slot s governs from s + window on, and those before it until then', () => {
  const memberships = membershipsOf([1, 2, 3], WINDOW)
  assert.equal(decide(memberships, 10, { kind: 'remove', nodeId: 3 }), true)
  assert.deepEqual(
    [10, 14, 15, 99].map((slot) => memberships.at(slot).voterIds.length),
    [3, 3, 2, 2],
  )
  assert.equal(memberships.governing.length, 2)
  memberships.forget(13)
  assert.equal(memberships.governing.length, 2)
  memberships.forget(14)
  assert.deepEqual([memberships.governing.length, memberships.current.epoch], [1, 2])
})

test('a change has no effect before the one before it is in force, twice, or made for another membership', () => {
  const memberships = membershipsOf([1, 2, 3], WINDOW)
  assert.equal(decide(memberships, 10, addOf(4), 3), false)
  assert.equal(decide(memberships, 10, addOf(4)), true)
  assert.equal(decide(memberships, 14, { kind: 'remove', nodeId: 3 }), false)
  assert.equal(decide(memberships, 15, addOf(4), 2), false)
  assert.equal(decide(memberships, 15, { kind: 'remove', nodeId: 3 }), true)
})

test('node ids are never given again, and the last voter stays', () => {
  const memberships = membershipsOf([1, 2], WINDOW)
  assert.equal(decide(memberships, 1, addOf(7)), true)
  for (const nodeId of [1, 5, 7]) assert.equal(decide(memberships, 10, addOf(nodeId)), false, `node ${nodeId}`)
  assert.equal(decide(memberships, 10, { kind: 'remove', nodeId: 7 }), true)
  assert.equal(decide(memberships, 20, addOf(7)), false)
  assert.equal(decide(memberships, 20, { kind: 'remove', nodeId: 2 }), true)
  assert.equal(decide(memberships, 30, { kind: 'remove', nodeId: 1 }), false)
  assert.equal(decide(memberships, 30, { kind: 'reset', nodeId: 1, dataDirId: 'dir-1', newDataDirId: 'x' }), false)
})

test('a learner votes only when it has a directory and is promoted, from the slot on in which that is in force', () => {
  const memberships = membershipsOf([1, 2, 3], WINDOW)
  decide(memberships, 1, addOf(4))
  assert.equal(decide(memberships, 10, { kind: 'promote', nodeId: 4 }), false)
  assert.equal(decide(memberships, 10, { kind: 'bind', nodeId: 4, dataDirId: 'dir-4' }), true)
  assert.equal(decide(memberships, 20, { kind: 'bind', nodeId: 4, dataDirId: 'other' }), false)
  assert.equal(memberships.votesFrom(4, 'dir-4'), 0)
  assert.equal(decide(memberships, 20, { kind: 'promote', nodeId: 4 }), true)
  assert.equal(memberships.votesFrom(4, 'dir-4'), 25)
  assert.equal(memberships.votesFrom(4, 'other'), 0)
})

test('a member whose directory is damaged becomes a learner that is promoted again; only its known directory can be replaced', () => {
  const memberships = membershipsOf([1, 2, 3], WINDOW)
  assert.equal(decide(memberships, 1, { kind: 'reset', nodeId: 2, dataDirId: 'other', newDataDirId: 'new' }), false)
  assert.equal(decide(memberships, 1, { kind: 'reset', nodeId: 2, dataDirId: 'dir-2', newDataDirId: 'new' }), true)
  const { latest } = memberships
  assert.deepEqual(latest.voterIds, [1, 3])
  assert.deepEqual([latest.member(2)?.returning, latest.member(2)?.votesFrom], [true, 0])
  assert.equal(memberships.votesFrom(2, 'dir-2'), 1, 'until it is in force, the former life counts')
  memberships.forget(10)
  assert.equal(memberships.votesFrom(2, 'dir-2'), 0)
})

test('memberships that are stored and read again are the same', () => {
  const memberships = membershipsOf([1, 2, 3], WINDOW)
  decide(memberships, 10, addOf(4))
  const again = new Memberships(memberships.toRecords(), WINDOW)
  assert.deepEqual(again.toRecords(), memberships.toRecords())
  assert.deepEqual([again.at(14).epoch, again.at(15).epoch], [1, 2])
})
