import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeBallot } from '../../src/paxos/ballot.js'
import type { NodeId } from '../../src/paxos/types.js'
import { Cluster } from './cluster.js'

// Schedules meant to break a safety rule of the design. The cluster checks agreement, the invariants and every read after each step.

const FIVE = [1, 2, 3, 4, 5]

function established(nodeIds: readonly NodeId[], change = {}): Cluster {
  const cluster = new Cluster({ nodeIds, options: change })
  cluster.elect(1)
  cluster.run(100)
  return cluster
}

function allLevel(cluster: Cluster): boolean {
  return cluster.nodeIds.every((nodeId) => cluster.node(nodeId).decidedUpTo === cluster.log.length)
}

test('rule 1: a promise and a vote that were not synced were never sent, and are gone after a crash', () => {
  const cluster = established([1, 2, 3])
  cluster.syncByHand(2)
  cluster.propose(1, 'a')
  cluster.settle({ kind: 'accept', to: 2 })
  cluster.inject(3, 2, { kind: 'prepare', ballot: makeBallot(9, 3), fromSlot: 1 })
  cluster.settle({ kind: 'prepare' })
  assert.equal(cluster.node(2).promised, makeBallot(9, 3))
  assert.equal(cluster.drop({ from: 2 }), 0)
  cluster.crash(2)
  cluster.restart(2)
  const slots = cluster.node(2).openVotes.map(({ slot }) => slot)
  assert.deepEqual([cluster.node(2).promised, slots], [makeBallot(1, 1), [1]])
})

test("rule 1: the leader's own vote counts only after its own sync", () => {
  const cluster = established([1, 2, 3, 4])
  cluster.syncByHand(1)
  cluster.propose(1, 'a')
  cluster.drop({ kind: 'accept', to: 4 })
  cluster.settle()
  assert.deepEqual(cluster.log, ['noop'])
  cluster.sync(1)
  assert.deepEqual(cluster.log, ['noop', 'a'])
})

test('rule 2: a ballot whose Prepare may have left is not used again after a restart', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3] })
  const used = new Set<number>()
  for (let life = 0; life < 5; life++) {
    cluster.tick(1, 601)
    cluster.settle({ kind: 'poll' })
    cluster.settle({ kind: 'pollReply' })
    for (const { message } of cluster.inTransit) if (message.kind === 'prepare') used.add(message.ballot)
    cluster.drop()
    cluster.crash(1)
    cluster.restart(1)
  }
  assert.equal(used.size, 5)
})

test('rule 2: a scout whose write is in flight has sent nothing', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3] })
  cluster.syncByHand(1)
  cluster.tick(1, 601)
  cluster.settle()
  assert.equal(cluster.node(1).phase, 'scouting')
  assert.equal(cluster.drop({ kind: 'prepare' }), 0)
  cluster.sync(1)
  assert.equal(cluster.drop({ kind: 'prepare' }), 2)
})

test('rule 2: slots that are decided between two pages of a promise are learned, not proposed anew', () => {
  const cluster = established([1, 2, 3], { pageBytesMax: 20, batchCommandsMax: 1 })
  cluster.propose(1, 'a', 'b', 'c', 'd')
  cluster.settle({ kind: 'accept' })
  cluster.settle({ kind: 'accepted' })
  // Decided on node 1; node 3 hears of it between its first page and the next.
  const tellLater = cluster.hold({ kind: 'decided' })
  cluster.tick(3, 240)
  cluster.tick(2, 601)
  cluster.drop({ to: 1 })
  for (const kind of ['poll', 'pollReply', 'prepare', 'promise'] as const) cluster.settle({ kind, where: isFirstPage })
  tellLater()
  // A watermark of a ballot below the promise is refused: what node 3 knows, it can only have learned.
  cluster.settle({ kind: 'decided', to: 3 })
  const entries = ['a', 'b'].map((_, i) => cluster.node(3).openVotes[i] ?? assert.fail())
  cluster.inject(1, 3, { kind: 'catchUpReply', entries, decidedUpTo: 5, compactedUpTo: 0, hasMore: false })
  cluster.settle({ kind: 'catchUpReply', to: 3 })
  assert.equal(cluster.node(3).decidedUpTo, 3)
  cluster.run(2_000)
  assert.deepEqual(cluster.log.slice(0, 5), ['noop', 'a', 'b', 'c', 'd'])
  assert.ok(allLevel(cluster))
})

function isFirstPage(message: { readonly kind: string; readonly fromSlot?: number }): boolean {
  return message.fromSlot === undefined || message.fromSlot <= 2
}

test('rule 3: a deposed leader does not decide with the help of a node that only learned the slot', () => {
  const cluster = established(FIVE)
  // Node 1 proposes x in slot 2; its Accepts are delayed.
  cluster.propose(1, 'x')
  const releaseAccepts = cluster.hold({ kind: 'accept' })
  // Nodes 3, 4 and 5 elect 3, which decides other values there. Node 1 sees nothing, node 2 only learns.
  cluster.connectOnly([3, 4], [3, 5], [4, 5])
  cluster.runUntil('node 3, 4 or 5 leads', () => cluster.leaders.some((nodeId) => nodeId >= 3))
  cluster.run(100)
  const decidedUpTo = cluster.log.length
  assert.ok(decidedUpTo >= 2)
  cluster.connectOnly([2, 5])
  cluster.inject(2, 5, { kind: 'catchUp', fromSlot: 2, toSlot: 9 })
  cluster.settle()
  assert.equal(cluster.node(2).decidedUpTo, decidedUpTo)
  // It forgets whom it has heard; its promise is still that of node 1's ballot.
  cluster.crash(2)
  cluster.restart(2)
  cluster.heal()
  releaseAccepts()
  cluster.settle({ kind: 'accept' })
  cluster.settle({ kind: 'accepted' })
  cluster.run(2_000)
  assert.ok(!cluster.log.includes('x'))
  assert.ok(allLevel(cluster))
})

test('rule 4: a watermark does not decide a value accepted in an older ballot; the value is learned instead', () => {
  const cluster = established(FIVE)
  cluster.propose(1, 'x')
  cluster.settle({ kind: 'accept', to: 5 })
  cluster.hold()
  cluster.connectOnly([2, 3], [2, 4], [3, 4])
  cluster.runUntil('a new leader is there', () => cluster.leaders.some((nodeId) => nodeId > 1))
  cluster.run(100)
  assert.equal(cluster.node(5).openVotes.length, 1)
  cluster.heal()
  cluster.run(1_000)
  assert.ok(!cluster.log.includes('x'))
  assert.deepEqual(cluster.node(5).openVotes, [])
  assert.ok(allLevel(cluster))
})

test('reads: a leader that was paused does not answer from before its pause', () => {
  const cluster = established([1, 2, 3])
  cluster.pause(1)
  const before = cluster.log.length
  cluster.run(2_000)
  const leader = cluster.leaders.find((nodeId) => nodeId !== 1)
  assert.ok(leader)
  cluster.propose(leader, 'newer')
  cluster.run(100)
  cluster.resume(1)
  assert.equal(cluster.node(1).phase, 'leading')
  const read = cluster.read(1)
  cluster.settle()
  cluster.run(1_000)
  assert.ok((cluster.grants.get(read) ?? 0) > before)
})

test('reads: late acknowledgements of rounds that began before the read do not answer it', () => {
  const cluster = established([1, 2, 3])
  cluster.tick(1, 60)
  cluster.settle({ kind: 'heartbeat' })
  const releaseAcks = cluster.hold({ kind: 'heartbeatAck' })
  cluster.read(1)
  cluster.drop({ kind: 'heartbeat' })
  releaseAcks()
  cluster.settle()
  assert.equal(cluster.grants.size, 0)
})

test('reads: a new leader does not answer before it has decided in its own ballot', () => {
  const cluster = established([1, 2, 3])
  // Decided on node 1 only, acknowledged to its client.
  cluster.propose(1, 'acknowledged')
  cluster.settle({ kind: 'accept', to: 2 })
  cluster.settle({ kind: 'accepted' })
  cluster.drop()
  cluster.crash(1)
  cluster.tick(3, 240)
  cluster.tick(2, 601)
  for (const kind of ['poll', 'pollReply', 'prepare', 'promise'] as const) cluster.settle({ kind })
  assert.equal(cluster.node(2).phase, 'leading')
  const releaseAccepts = cluster.hold({ kind: 'accept' })
  const read = cluster.read(2)
  cluster.tick(2, 60)
  cluster.settle()
  assert.equal(cluster.grants.has(read), false)
  releaseAccepts()
  cluster.run(100)
  assert.equal(cluster.grants.get(read), 3)
})

test('reads: the reply of a leader that was deposed meanwhile is still valid for its request', () => {
  const cluster = established([1, 2, 3])
  const read = cluster.read(3)
  cluster.settle({ kind: 'readIndex' })
  cluster.settle({ kind: 'heartbeat' })
  cluster.settle({ kind: 'heartbeatAck' })
  const releaseReply = cluster.hold({ kind: 'readIndexReply' })
  cluster.crash(1)
  cluster.elect(2)
  cluster.propose(2, 'later')
  cluster.settle()
  releaseReply()
  cluster.settle()
  cluster.run(500)
  assert.ok(cluster.grants.has(read))
})

test('reads: a request that is relayed twice and answered by two leaders gives each read one read index', () => {
  const cluster = established([1, 2, 3])
  cluster.connectOnly([1, 2], [2, 3])
  cluster.run(1_000)
  const read = cluster.read(3)
  cluster.duplicate({ kind: 'readIndex' })
  cluster.run(300)
  cluster.duplicate({ kind: 'readIndexReply' })
  cluster.run(1_000)
  assert.ok(cluster.grants.has(read))
})

test('hand-over: a late or repeated TakeOver replaces no leader', () => {
  const cluster = established([1, 2, 3])
  cluster.handOver(1)
  cluster.duplicate({ kind: 'takeOver' })
  const releaseLate = cluster.hold({ kind: 'takeOver' })
  cluster.inject(1, 2, { kind: 'takeOver', ballot: makeBallot(1, 1) })
  cluster.run(300)
  assert.deepEqual(cluster.leaders, [2])
  cluster.propose(2, 'a')
  cluster.settle()
  const ballot = cluster.node(2).leadingBallot
  releaseLate()
  cluster.run(1_000)
  assert.equal(cluster.node(2).leadingBallot, ballot)
})

test('hand-over: values in flight are decided by the next leader', () => {
  const cluster = established([1, 2, 3])
  cluster.propose(1, 'in flight')
  cluster.settle({ kind: 'accept' })
  const releaseVotes = cluster.hold({ kind: 'accepted' })
  cluster.handOver(1)
  cluster.settle({ kind: 'takeOver' })
  cluster.settle()
  releaseVotes()
  cluster.run(300)
  assert.deepEqual(cluster.leaders, [2])
  assert.deepEqual(cluster.log.slice(0, 2), ['noop', 'in flight'])
})

test('adoption: a scout with a majority waits until it has learned the decided slots', () => {
  const cluster = established([1, 2, 3])
  cluster.crash(3)
  for (const command of ['a', 'b']) {
    cluster.propose(1, command)
    cluster.settle()
  }
  cluster.crash(1)
  cluster.hold()
  cluster.restart(3)
  cluster.tick(2, 240)
  cluster.tick(3, 601)
  for (const kind of ['poll', 'pollReply', 'prepare', 'promise'] as const) cluster.settle({ kind })
  assert.equal(cluster.node(3).phase, 'scouting')
  cluster.settle()
  assert.equal(cluster.node(3).phase, 'leading')
  assert.deepEqual(cluster.log, ['noop', 'a', 'b', 'noop'])
})

test('adoption: a member that knew more but died does not keep a scout waiting for ever', () => {
  const cluster = established(FIVE)
  // Only node 5 hears that a is decided.
  cluster.propose(1, 'a')
  cluster.settle({ kind: 'accept' })
  cluster.settle({ kind: 'accepted' })
  cluster.drop({ kind: 'decided', where: () => true, to: 2 })
  cluster.drop({ kind: 'decided', to: 3 })
  cluster.drop({ kind: 'decided', to: 4 })
  cluster.settle()
  assert.equal(cluster.node(5).decidedUpTo, 2)
  cluster.crash(1)
  cluster.tick(3, 240)
  cluster.tick(4, 240)
  cluster.tick(5, 240)
  cluster.tick(2, 601)
  for (const kind of ['poll', 'pollReply', 'prepare'] as const) cluster.settle({ kind })
  cluster.settle({ kind: 'promise', from: 5 })
  cluster.crash(5)
  cluster.runUntil('somebody leads', () => cluster.leaders.length === 1)
  cluster.run(100)
  assert.deepEqual(cluster.log.slice(0, 2), ['noop', 'a'])
})

test('adoption: a hundred failed elections, each with a no-op of its own, do not stall the cluster', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3], options: { windowSlots: 1 } })
  for (let i = 0; i < 100; i++) {
    cluster.tick(2, 240)
    cluster.tick(1, 601)
    for (const kind of ['poll', 'pollReply', 'prepare', 'promise'] as const) cluster.settle({ kind })
    cluster.drop()
    cluster.crash(1)
    cluster.restart(1)
  }
  // No vote is cast further above the decided slots than 64 windows.
  assert.ok(cluster.node(1).openVotes.length <= 64)
  cluster.runUntil('a leader is there', () => cluster.leaders.length === 1)
  cluster.run(2_000)
  assert.ok(cluster.log.length > 0)
  assert.ok(cluster.nodeIds.every((nodeId) => cluster.node(nodeId).decidedUpTo === cluster.log.length))
})

test('onLearned: a leader that learns a slot which it is proposing again does not propose it twice', () => {
  const cluster = established([1, 2, 3])
  cluster.propose(1, 'a')
  cluster.settle({ kind: 'accept' })
  cluster.settle({ kind: 'accepted' })
  cluster.drop()
  const entries = [{ slot: 2, ballot: makeBallot(1, 1), value: cluster.node(2).openVotes[0]?.value ?? assert.fail() }]
  cluster.crash(1)
  cluster.tick(3, 240)
  cluster.tick(2, 601)
  for (const kind of ['poll', 'pollReply', 'prepare', 'promise'] as const) cluster.settle({ kind })
  assert.equal(cluster.node(2).phase, 'leading')
  // Node 1 is back and knows; its answer comes before any vote.
  cluster.inject(1, 2, { kind: 'catchUpReply', entries, decidedUpTo: 2, compactedUpTo: 0, hasMore: false })
  cluster.settle({ kind: 'catchUpReply', to: 2 })
  assert.equal(cluster.node(2).decidedUpTo, 2)
  cluster.restart(1)
  cluster.run(500)
  assert.equal(cluster.log.filter((value) => value === 'a').length, 1)
  assert.ok(allLevel(cluster))
})

test('recovery: all nodes crash at once, again and again, and no decision is lost', () => {
  const cluster = established([1, 2, 3])
  for (let round = 1; round <= 5; round++) {
    const [leader] = cluster.leaders
    cluster.propose(leader ?? assert.fail(), `round-${round}`)
    cluster.settle()
    for (const nodeId of cluster.nodeIds) cluster.crash(nodeId)
    cluster.hold()
    for (const nodeId of cluster.nodeIds) cluster.restart(nodeId)
    cluster.runUntil('somebody leads', () => cluster.leaders.length === 1)
    cluster.run(200)
  }
  assert.deepEqual(
    cluster.log.filter((value) => value !== 'noop'),
    [1, 2, 3, 4, 5].map((round) => `round-${round}`),
  )
})

test('time: values that are proposed again keep their times, so a slot may have an earlier time than the one before', () => {
  // So applying must take the highest time so far: no leader broke a rule here.
  const cluster = established(FIVE, { batchCommandsMax: 1 })
  // Slots 2, 3 and 4, in the ballot of node 1: it alone has them.
  cluster.propose(1, 'a', 'b', 'c')
  cluster.hold()
  cluster.crash(1)
  for (const nodeId of [2, 3, 4, 5]) cluster.setWallClock(nodeId, 2_000)
  for (const nodeId of [3, 4, 5]) cluster.tick(nodeId, 240)
  cluster.tick(2, 601)
  for (const kind of ['poll', 'pollReply', 'prepare', 'promise', 'heartbeat', 'heartbeatAck'] as const) cluster.settle({ kind })
  // Slots 2 and 3, in the ballot of node 2: node 3 has them, too.
  cluster.propose(2, 'd')
  cluster.settle({ kind: 'accept', to: 3 })
  cluster.hold()
  cluster.crash(2)
  cluster.restart(1)
  cluster.elect(1)
  assert.deepEqual(cluster.log, ['noop', 'noop', 'd', 'c', 'noop'])
  assert.deepEqual(cluster.times, [undefined, undefined, 2_240, 341, undefined])
})
