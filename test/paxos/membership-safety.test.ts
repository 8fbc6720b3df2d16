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

test('a late promise has no votes for slots that its sender knows to be decided: the leader learns these first', () => {
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

test('reads: a member that was reset does not confirm a leader that knows only its former life', () => {
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

test('a leader that does not vote writes its decisions to the log', () => {
  const cluster = led([1, 2, 3], 1)
  cluster.change(1, { kind: 'remove', nodeId: 1 })
  cluster.propose(1, 'last')
  cluster.settle()
  assert.equal(cluster.log.at(-1), 'last')
  // The disk says so if the watermark gets there without the value.
  cluster.runUntil('node 1 is told that it was removed', () => cluster.haltOf(1)?.code === 'REMOVED')
  cluster.crash(1)
  cluster.restart(1)
  assert.equal(cluster.node(1).decidedUpTo, cluster.log.indexOf('last') + 1)
})

test('a removed leader that has no node to hand over to steps down', () => {
  const cluster = led([1, 2, 3], 1)
  cluster.change(1, { kind: 'remove', nodeId: 1 })
  cluster.settle()
  for (let ms = 0; ms < 3_000; ms += 10) {
    cluster.run(0)
    for (const nodeId of cluster.nodeIds) cluster.tick(nodeId)
    cluster.drop({ kind: 'takeOver' })
    cluster.settle()
  }
  assert.ok(cluster.leaders.some((nodeId) => nodeId !== 1))
})

test('a removed node of two does not stop before the other has every slot that it needs', () => {
  const cluster = led([1, 2], 2)
  cluster.change(1, { kind: 'remove', nodeId: 2 })
  cluster.settle({ kind: 'accept' })
  cluster.settle({ kind: 'accepted' })
  cluster.settle({ kind: 'accept' })
  cluster.settle({ kind: 'accepted' })
  cluster.drop()
  cluster.crash(1)
  cluster.run(5_000)
  assert.equal(cluster.haltOf(2), undefined)
  cluster.restart(1)
  cluster.runUntil('node 2 stops', () => cluster.haltOf(2)?.code === 'REMOVED')
  cluster.crash(2)
  cluster.runUntil('node 1 goes on by itself', () => {
    cluster.propose(1, 'alone')
    cluster.run(50)
    return cluster.log.includes('alone')
  })
})

test('a node that was removed while it was down is told so when it is back', () => {
  const cluster = led([1, 2, 3, 4], 2)
  cluster.crash(4)
  cluster.runUntil('node 4 is removed', () => {
    cluster.change(1, { kind: 'remove', nodeId: 4 })
    cluster.run(50)
    return cluster.membersAt(1) === '1 2 3'
  })
  cluster.run(500)
  cluster.drop()
  cluster.restart(4)
  cluster.runUntil('node 4 stops', () => cluster.haltOf(4)?.code === 'REMOVED')
})

test('a node that joins need not reach the leader', () => {
  const cluster = led([1, 2, 3], 2)
  cluster.addHost(4)
  cluster.cut(4, 1)
  cluster.change(1, { kind: 'add', nodeId: 4, peerAddress: 'peer-4:1', clientAddress: '' })
  cluster.runUntil('it is let in', () => cluster.node(4).phase === 'following')
})

test('a member that was reset is promoted by its own progress, not by that of its former life', () => {
  const cluster = led([1, 2, 3], 4)
  for (let i = 0; i < 50; i++) {
    cluster.propose(1, `c${i}`)
    cluster.settle()
  }
  cluster.crash(3)
  cluster.replaceDirectory(3)
  cluster.restart(3)
  cluster.cut(1, 3)
  cluster.cut(2, 3)
  cluster.run(300)
  assert.equal(cluster.membersAt(1), '1 2 3*')
  cluster.heal()
  cluster.runUntil('it votes again', () => cluster.node(3).isVoter)
})
