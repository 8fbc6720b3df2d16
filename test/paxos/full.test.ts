import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster } from './cluster.js'

// A node is full while its host holds as much that is decided, and not applied, as it can.

function established(nodeIds: readonly number[], change = {}): Cluster {
  const cluster = new Cluster({ nodeIds, options: change })
  cluster.elect(1)
  cluster.run(100)
  return cluster
}

function isLevel(cluster: Cluster): boolean {
  return cluster.nodeIds.every((nodeId) => cluster.node(nodeId).decidedUpTo === cluster.log.length)
}

test('a full follower neither votes nor learns, still follows, and catches up when it has room', () => {
  const cluster = established([1, 2, 3], { batchCommandsMax: 1, recentSlotsMax: 4 })
  cluster.setFull(3, true)
  const before = cluster.node(3).decidedUpTo
  for (let i = 0; i < 20; i++) {
    cluster.propose(1, `v${i}`)
    cluster.run(100)
  }
  assert.ok(cluster.log.includes('v19'))
  assert.ok(cluster.node(3).decidedUpTo <= before + 1)
  assert.equal(cluster.node(3).openVotes.length, 0)
  assert.deepEqual([cluster.node(3).phase, cluster.node(1).phase], ['following', 'leading'])
  const read = cluster.read(3)
  cluster.run(300)
  assert.ok(cluster.grants.has(read), 'it gives reads a slot, and they wait until that is applied')
  cluster.setFull(3, false)
  cluster.runUntil('all are level', () => isLevel(cluster))
})

test('a full majority decides nothing, keeps its leader, and continues when one member has room', () => {
  const cluster = established([1, 2, 3])
  for (const nodeId of [2, 3]) cluster.setFull(nodeId, true)
  const before = cluster.log.length
  cluster.propose(1, 'a')
  cluster.run(3_000)
  assert.equal(cluster.log.length, before)
  assert.equal(cluster.node(1).phase, 'leading')
  cluster.setFull(2, false)
  cluster.runUntil('it is decided', () => cluster.log.includes('a'), 3_000)
  cluster.setFull(3, false)
  cluster.runUntil('all are level', () => isLevel(cluster))
})

test('a full leader proposes nothing, still answers reads, and proposes the queued commands when it has room', () => {
  const cluster = established([1, 2, 3])
  cluster.setFull(1, true)
  const before = cluster.log.length
  cluster.propose(1, 'a')
  const read = cluster.read(2)
  cluster.run(2_000)
  assert.equal(cluster.log.length, before)
  assert.ok(cluster.grants.has(read))
  assert.equal(cluster.node(1).phase, 'leading')
  cluster.setFull(1, false)
  cluster.runUntil('it is decided', () => cluster.log.includes('a') && isLevel(cluster))
})

test('all nodes are full when the leader dies: another leads, and decides the open slots when there is room', () => {
  const cluster = established([1, 2, 3, 4, 5])
  cluster.propose(1, 'a')
  cluster.settle({ kind: 'accept', to: 2 })
  cluster.drop()
  cluster.crash(1)
  for (const nodeId of [2, 3, 4, 5]) cluster.setFull(nodeId, true)
  cluster.runUntil('another leads', () => [2, 3, 4, 5].some((nodeId) => cluster.node(nodeId).phase === 'leading'))
  cluster.run(1_000)
  assert.equal(cluster.log.includes('a'), false)
  for (const nodeId of [2, 3, 4, 5]) cluster.setFull(nodeId, false)
  cluster.runUntil('it is decided', () => cluster.log.includes('a'))
  cluster.restart(1)
  cluster.runUntil('all are level', () => isLevel(cluster))
})

test('votes for far slots take all the room: lower slots are still learned and accepted', () => {
  const cluster = established([1, 2, 3], { batchCommandsMax: 1, openBytesMax: 100, windowBytesMax: 100 })
  // Node 3 misses the first, and has no room after a few of the others.
  for (let i = 0; i < 4; i++) cluster.propose(1, `value-${i}-of-some-length`)
  const first = cluster.node(1).decidedUpTo + 1
  cluster.drop({ kind: 'accept', to: 3 })
  cluster.run(2_000)
  assert.ok(cluster.node(3).decidedUpTo >= first + 3)
  cluster.runUntil('all are level', () => isLevel(cluster))
})
