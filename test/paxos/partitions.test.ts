import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeId } from '../../src/paxos/types.js'
import { Cluster } from './cluster.js'

// Progress whenever some node can reach a majority, both ways: every set of broken one-way links among three nodes, and the partial
// partitions of "Omni-Paxos: Breaking the Barriers of Partial Connectivity" (EuroSys '23, section 2) among five.

const THREE = [1, 2, 3]
const LINKS = THREE.flatMap((from) => THREE.filter((to) => to !== from).map((to) => ({ from, to })))

/** Waits until some node takes a command and a majority decides it. */
function makeProgress(cluster: Cluster): void {
  const before = cluster.log.length
  cluster.runUntil('a leader decides a command', () => {
    const [leader] = cluster.leaders
    if (leader !== undefined && !cluster.log.includes('progress')) cluster.propose(leader, 'progress')
    return cluster.log.indexOf('progress') >= before
  })
}

function established(nodeIds: readonly NodeId[], leader: NodeId): Cluster {
  const cluster = new Cluster({ nodeIds })
  cluster.elect(leader)
  cluster.run(100)
  return cluster
}

for (const leader of THREE) {
  test(`n${leader} led when links broke: in all 64 patterns that leave some node a majority the cluster makes progress`, () => {
    let worked = 0
    for (let broken = 0; broken < 2 ** LINKS.length; broken++) {
      const isBroken = (from: NodeId, to: NodeId) =>
        LINKS.some((link, i) => link.from === from && link.to === to && (broken >> i) % 2 === 1)
      const hasMajority = THREE.some((a) => THREE.some((b) => a !== b && !isBroken(a, b) && !isBroken(b, a)))
      if (!hasMajority) continue
      const cluster = established(THREE, leader)
      for (const { from, to } of LINKS) if (isBroken(from, to)) cluster.cut(from, to)
      makeProgress(cluster)
      worked++
    }
    assert.equal(worked, 37)
  })
}

test('quorum loss: the leader has one link left, to the only node that still reaches a majority', () => {
  const cluster = established([1, 2, 3, 4, 5], 3)
  cluster.connectOnly([1, 2], [1, 3], [1, 4], [1, 5])
  makeProgress(cluster)
  assert.deepEqual(cluster.leaders, [1])
})

test('constrained election: the leader is cut off, and the only node with a majority has the oldest log', () => {
  const cluster = established([1, 2, 3, 4, 5], 3)
  for (const nodeId of [2, 3, 4, 5]) cluster.cut(nodeId, 1)
  for (const command of ['a', 'b', 'c']) cluster.propose(3, command)
  cluster.settle()
  cluster.connectOnly([1, 2], [1, 4], [1, 5])
  assert.equal(cluster.node(1).decidedUpTo, 1)
  makeProgress(cluster)
  assert.deepEqual(cluster.log.slice(0, 4), ['noop', 'a', 'b', 'c'])
})

test('chained: each end of the chain hears only the middle, and the other end does not replace the leader at one end', () => {
  const cluster = established(THREE, 1)
  cluster.connectOnly([1, 2], [2, 3])
  cluster.run(5_000)
  assert.deepEqual(cluster.leaders, [1])
  assert.equal(cluster.node(2).promised, cluster.node(1).leadingBallot)
})

test('chained: a client of the end that cannot hear the leader is served through the middle', () => {
  const cluster = established(THREE, 1)
  cluster.connectOnly([1, 2], [2, 3])
  cluster.run(1_500)
  cluster.runUntil(
    'a command of node 3 is decided',
    () => cluster.log.includes('far') || cluster.propose(3, 'far') === 'noLeader',
  )
  const read = cluster.read(3)
  cluster.runUntil('its read is answered', () => cluster.grants.has(read))
  cluster.runUntil('it has caught up', () => cluster.node(3).decidedUpTo === cluster.log.length)
})

test('a node that returns from a partition neither replaces the leader nor raises a ballot', () => {
  const cluster = established([1, 2, 3, 4, 5], 1)
  const ballot = cluster.node(1).leadingBallot
  for (const nodeId of [1, 2, 3, 4]) {
    cluster.cut(5, nodeId)
    cluster.cut(nodeId, 5)
  }
  cluster.run(3_000)
  cluster.heal()
  cluster.run(3_000)
  assert.equal(cluster.node(1).leadingBallot, ballot)
  assert.equal(cluster.node(5).leaderId, 1)
})

test('a minority decides nothing, and the cluster continues when the partition heals', () => {
  const cluster = established([1, 2, 3, 4, 5], 1)
  cluster.connectOnly([1, 2], [3, 4], [3, 5], [4, 5])
  cluster.propose(1, 'in the minority')
  cluster.run(3_000)
  assert.ok(!cluster.log.includes('in the minority'))
  makeProgress(cluster)
  cluster.heal()
  cluster.runUntil('all are level', () =>
    cluster.nodeIds.every((nodeId) => cluster.node(nodeId).decidedUpTo === cluster.log.length),
  )
})
