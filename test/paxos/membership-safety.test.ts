import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeId } from '../../src/paxos/types.js'
import { Cluster } from './cluster.js'

// Schedules meant to break a safety rule while the membership changes. The cluster checks agreement, the invariants and every read.

function led(nodeIds: readonly NodeId[], windowSlots: number, leader: NodeId = 1): Cluster {
  const cluster = new Cluster({ nodeIds, options: { windowSlots } })
  cluster.elect(leader)
  cluster.run(100)
  return cluster
}

/** A learner that has said which directory is its own, and is level. */
function addLearner(cluster: Cluster, nodeId: NodeId, at: NodeId): void {
  cluster.addHost(nodeId)
  cluster.runUntil(`node ${nodeId} learns`, () => {
    if (!(cluster.node(at).memberships?.latest.has(nodeId) ?? false)) {
      cluster.change(at, { kind: 'add', nodeId, peerAddress: `peer-${nodeId}:1`, clientAddress: `client-${nodeId}:1` })
    }
    return cluster.node(nodeId).phase === 'following' && cluster.node(nodeId).decidedUpTo === cluster.log.length
  })
  cluster.run(200)
}

test('a promise that comes late says nothing of slots that its sender knows to be decided: its leader learns them first', () => {
  const cluster = led([1, 2, 3], 1, 3)
  for (const nodeId of [4, 5]) addLearner(cluster, nodeId, 3)
  const before = cluster.log.length
  const decideWith = (voters: readonly NodeId[]): void => {
    for (const to of voters) cluster.settle({ kind: 'accept', to })
    for (const from of voters) cluster.settle({ kind: 'accepted', from })
  }
  const teach = (to: NodeId): void => {
    for (const kind of ['decided', 'catchUp', 'catchUpReply'] as const) {
      cluster.settle(kind === 'catchUp' ? { kind, from: to } : { kind, to })
    }
  }
  const promote = (nodeId: NodeId): void => {
    cluster.change(3, { kind: 'promote', nodeId })
  }
  // The promotion of 4 with the vote of 2, that of 5 with those of 1 and 4, the command with those of 4 and 5.
  promote(4)
  decideWith([2])
  teach(4)
  cluster.drop()
  cluster.tick(3, 200)
  cluster.settle({ kind: 'prepare', to: 4 })
  cluster.settle({ kind: 'promise', from: 4 })
  promote(5)
  cluster.drop({ to: 2 })
  decideWith([1, 4])
  for (const nodeId of [4, 5]) teach(nodeId)
  cluster.drop()
  cluster.tick(3, 200)
  cluster.settle({ kind: 'prepare', to: 5 })
  cluster.settle({ kind: 'promise', from: 5 })
  cluster.propose(3, 'acknowledged')
  for (const nodeId of [1, 2]) cluster.drop({ to: nodeId })
  decideWith([4, 5])
  teach(4)
  assert.deepEqual(cluster.log.slice(before), ['promote n4 (membership 6)', 'promote n5 (membership 7)', 'acknowledged'])
  assert.equal(cluster.node(4).decidedUpTo, cluster.log.length)
  // Nodes 1 and 2 know of none of the three, and 1 leads with the promise of 2. It needs that of 4 later on.
  cluster.drop()
  for (const nodeId of [3, 5]) cluster.crash(nodeId)
  for (const nodeId of [1, 2, 4]) cluster.tick(nodeId, 700)
  cluster.settle({ kind: 'poll', from: 1, to: 2 })
  cluster.settle({ kind: 'pollReply', to: 1 })
  cluster.settle({ kind: 'prepare', from: 1, to: 2 })
  cluster.settle({ kind: 'promise', to: 1 })
  cluster.drop({ from: 4 })
  assert.deepEqual([cluster.node(1).phase, cluster.node(1).decidedUpTo], ['leading', before])
  for (let i = 0; i < 10; i++) {
    for (const kind of ['accept', 'accepted', 'prepare', 'promise'] as const) cluster.settle({ kind })
    cluster.tick(1, 50)
  }
  for (const nodeId of [3, 5]) cluster.restart(nodeId)
  cluster.run(3_000)
  assert.equal(cluster.log[before + 2], 'acknowledged')
})

test('reads: who begins anew does not confirm a leader that knows only its former life', () => {
  const cluster = led([1, 2, 3, 4, 5, 6, 7], 4)
  cluster.pause(1)
  cluster.runUntil('another leads', () => cluster.leaders.some((leader) => leader !== 1))
  for (const nodeId of [5, 6, 7]) {
    cluster.crash(nodeId)
    cluster.run(500)
    cluster.replaceDirectory(nodeId)
    cluster.restart(nodeId)
    cluster.runUntil(`node ${nodeId} is let in`, () => cluster.node(nodeId).phase === 'following')
    cluster.crash(nodeId)
  }
  const leader = cluster.leaders.find((nodeId) => nodeId !== 1) ?? assert.fail()
  cluster.runUntil('a command is decided', () => {
    cluster.propose(leader, 'newer')
    cluster.run(50)
    return cluster.log.includes('newer')
  })
  cluster.drop()
  cluster.connectOnly([1, 5], [1, 6], [1, 7])
  for (const nodeId of [5, 6, 7]) cluster.restart(nodeId)
  cluster.resume(1)
  // Its clock stood still with it: it thinks that it leads.
  const read = cluster.read(1)
  cluster.settle({ kind: 'heartbeat', from: 1 })
  cluster.settle({ kind: 'heartbeatAck', to: 1 })
  assert.equal(cluster.grants.has(read), false)
})
