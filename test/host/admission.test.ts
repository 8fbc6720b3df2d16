import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Admission, admit } from '../../src/host/admission.js'
import { Memberships } from '../../src/paxos/memberships.js'
import type { Member, MembershipRecord, NodeId } from '../../src/paxos/types.js'

const member = (nodeId: NodeId, dataDirId = `dir-${nodeId}`, votesFrom = 1): Member => ({
  nodeId,
  dataDirId,
  peerAddress: `n${nodeId}:1`,
  clientAddress: '',
  votesFrom,
  returning: false,
})

/** Node 2 was removed, node 3 got another directory, node 6 was added; node 5 was once a member. */
const BEFORE: MembershipRecord = { epoch: 4, fromSlot: 1, members: [1, 2, 3, 4].map((id) => member(id)), lastNodeId: 5 }
const AFTER: MembershipRecord = {
  epoch: 5,
  fromSlot: 100,
  members: [member(1), member(3, 'dir-3-new', 0), member(4), member(6, '', 0)],
  lastNodeId: 6,
}

function askAt(decidedUpTo: number): (nodeId: NodeId, dataDirId: string, clusterId?: string) => string {
  const memberships = new Memberships([BEFORE, AFTER], 64)
  memberships.forget(decidedUpTo)
  const cluster = { clusterId: 'c', memberships, isMembershipSettled: true, known: AFTER }
  return (nodeId, dataDirId, clusterId = 'c') => told(admit({ nodeId, dataDirId, clusterId }, cluster))
}

function told(admission: Admission): string {
  if (admission === undefined) return 'admitted'
  return admission === 'joinOnly' ? admission : admission.reason
}

it('a node is admitted by its directory, as long as a membership that names it governs an open slot, or will', () => {
  const early = askAt(98)
  const late = askAt(99)
  assert.deepEqual([early(1, 'dir-1'), late(1, 'dir-1')], ['admitted', 'admitted'])
  assert.deepEqual([early(2, 'dir-2'), late(2, 'dir-2')], ['admitted', 'REMOVED'])
  assert.deepEqual([early(3, 'dir-3'), late(3, 'dir-3')], ['admitted', 'DATA_DIR_MISMATCH'])
  assert.deepEqual([early(3, 'dir-3-new'), late(3, 'dir-3-new')], ['admitted', 'admitted'])
})

it('nobody is sent away as removed before a restart would know so, too', () => {
  const memberships = new Memberships([BEFORE, AFTER], 64)
  memberships.forget(99)
  const cluster = { clusterId: 'c', memberships, isMembershipSettled: false, known: AFTER }
  assert.equal(told(admit({ nodeId: 2, dataDirId: 'dir-2', clusterId: 'c' }, cluster)), 'joinOnly')
})

it('a member that has not said its directory, or knows of no cluster, may only join', () => {
  const ask = askAt(99)
  assert.equal(ask(6, 'dir-6'), 'joinOnly')
  assert.equal(ask(6, 'dir-6', ''), 'joinOnly')
  assert.equal(ask(4, 'dir-4-lost', ''), 'joinOnly')
  assert.equal(ask(4, 'dir-4', ''), 'admitted')
  assert.equal(ask(4, 'dir-4-lost'), 'DATA_DIR_MISMATCH')
})

it('a node of another cluster, one that was removed and one that was never added are refused, each for its own reason', () => {
  const ask = askAt(99)
  assert.equal(ask(1, 'dir-1', 'other'), 'WRONG_CLUSTER')
  assert.equal(ask(5, 'dir-5'), 'REMOVED')
  assert.equal(ask(5, 'dir-new', ''), 'REMOVED')
  assert.equal(ask(7, 'dir-7', ''), 'UNKNOWN_MEMBER')
})

it('a node that has learned little yet admits whoever its welcome named, and those with its cluster that may have come since', () => {
  const cluster = { clusterId: 'c', memberships: new Memberships([BEFORE], 64), isMembershipSettled: true, known: AFTER }
  assert.equal(admit({ nodeId: 3, dataDirId: 'dir-3-new', clusterId: 'c' }, cluster), undefined)
  assert.equal(told(admit({ nodeId: 6, dataDirId: 'dir-6', clusterId: 'c' }, cluster)), 'joinOnly')
  assert.equal(admit({ nodeId: 7, dataDirId: 'dir-7', clusterId: 'c' }, cluster), undefined)
})

it('a node without a cluster admits everybody: one may be forming', () => {
  assert.equal(admit({ nodeId: 9, dataDirId: 'x', clusterId: '' }, undefined), undefined)
})
