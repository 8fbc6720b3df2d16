import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeBallot } from '../../src/paxos/ballot.js'
import { Cluster } from './cluster.js'

// Schedules that once broke the core. Each tells what went wrong.

test('a scout whose own second page comes when its acceptor has promised another ballot is simply preempted', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3], options: { pageBytesMax: 20 } })
  cluster.elect(1)
  cluster.drop()
  for (const command of ['a', 'b', 'c']) cluster.propose(1, command)
  // Only node 1 has three of the votes: its promise to itself takes several pages.
  cluster.drop({ kind: 'accept' })
  cluster.crash(1)
  cluster.restart(1)
  cluster.syncByHand(1)
  cluster.tick(1, 601)
  cluster.settle({ kind: 'poll' })
  cluster.settle({ kind: 'pollReply' })
  assert.equal(cluster.node(1).phase, 'scouting')
  cluster.syncOnce(1)
  // It is about to ask itself for its second page; node 2 scouts in a higher ballot first.
  cluster.inject(2, 1, { kind: 'prepare', ballot: makeBallot(9, 2), fromSlot: 1 })
  cluster.settle({ to: 1, kind: 'prepare' })
  cluster.sync(1)
  assert.equal(cluster.node(1).phase, 'following')
})

test('a read of a restarted node is not answered by a reply to its request from before the crash', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3] })
  cluster.elect(1)
  cluster.run(100)
  cluster.read(3)
  cluster.settle({ kind: 'readIndex' })
  cluster.settle({ kind: 'heartbeat' })
  cluster.settle({ kind: 'heartbeatAck' })
  const releaseReply = cluster.hold({ kind: 'readIndexReply' })
  cluster.crash(3)
  cluster.propose(1, 'acknowledged')
  cluster.settle()
  cluster.restart(3)
  cluster.run(70)
  const read = cluster.read(3)
  cluster.drop({ kind: 'readIndex' })
  releaseReply()
  cluster.settle()
  assert.equal(cluster.grants.get(read), undefined)
  cluster.run(500)
  assert.equal(cluster.grants.get(read), 2)
})

test('an election with more open values than fit in one election timeout of pages still ends', () => {
  const windowSlots = 64
  const cluster = new Cluster({ nodeIds: [1, 2, 3], options: { windowSlots, pageBytesMax: 20, batchCommandsMax: 1 } })
  cluster.elect(1)
  cluster.run(100)
  for (let i = 0; i < windowSlots; i++) cluster.propose(1, `open-${i}`)
  cluster.settle({ kind: 'accept' })
  cluster.crash(1)
  cluster.drop()
  // Asking for a page and getting it takes 60 ms: all of them take six times the election timeout.
  cluster.runSlowly(20_000, 30)
  assert.equal(cluster.leaders.length, 1)
  cluster.run(100)
  assert.equal(cluster.log.filter((value) => value.startsWith('open-')).length, windowSlots)
})

test('a leader whose hand-over message is lost takes commands again', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3] })
  cluster.elect(1)
  cluster.run(100)
  assert.equal(cluster.handOver(1), true)
  assert.equal(cluster.propose(1, 'refused meanwhile'), 'overloaded')
  cluster.drop({ kind: 'takeOver' })
  cluster.run(1_000)
  assert.deepEqual(cluster.leaders, [1])
  assert.equal(cluster.propose(1, 'taken'), 'sent')
})

test('leadership is not handed to a node that has been silent, however much it had decided', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3] })
  cluster.elect(1)
  cluster.run(100)
  cluster.crash(2)
  cluster.run(1_000)
  assert.equal(cluster.handOver(1), true)
  cluster.run(1_000)
  assert.deepEqual(cluster.leaders, [3])
})

test('a node that misses slots asks every peer in turn, although the leader keeps announcing more', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3, 4, 5] })
  cluster.elect(1)
  cluster.run(100)
  cluster.crash(2)
  // Node 5 misses a slot, then hears the leader again, but cannot reach it; the next in turn is down.
  cluster.cut(5, 1)
  cluster.propose(1, 'missed')
  cluster.drop({ to: 5 })
  cluster.settle()
  cluster.runUntil('node 5 has caught up', () => cluster.node(5).decidedUpTo === 2)
})

test('reads that wait while the leader is heard but cannot be reached stay bounded', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3] })
  cluster.elect(1)
  cluster.run(100)
  cluster.cut(3, 1)
  cluster.cut(3, 2)
  for (let i = 0; i < 5; i++) {
    for (let j = 0; j < 9_000; j++) cluster.node(3).readIndex(i * 9_000 + j)
    cluster.run(210)
  }
  cluster.heal()
  cluster.run(500)
  assert.ok(cluster.grants.size <= 10_000)
})

test('a follower that hears the leader but is not heard by it gets its reads and commands through another member', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3] })
  cluster.elect(1)
  cluster.run(100)
  cluster.cut(3, 1)
  const read = cluster.read(3)
  cluster.runUntil('the read is granted', () => cluster.grants.has(read), 1_000)
  assert.equal(cluster.propose(3, 'around'), 'sent')
  cluster.runUntil('the command is decided', () => cluster.log.includes('around'), 1_000)
})

test('a follower that only proposes changes its route when it proposes again', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3] })
  cluster.elect(1)
  cluster.run(100)
  cluster.cut(3, 1)
  cluster.propose(3, 'lost')
  cluster.run(500)
  assert.ok(!cluster.log.includes('lost'))
  cluster.proposeAgain(3, 'lost')
  cluster.runUntil('the command is decided', () => cluster.log.includes('lost'), 1_000)
})

test('a leader whose disk hangs lets another lead, and follows it', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3] })
  cluster.elect(1)
  cluster.run(100)
  cluster.syncByHand(1)
  cluster.propose(1, 'stuck here, decided by the others')
  cluster.propose(1, 'never proposed')
  cluster.runUntil('another leads', () => cluster.leaders.some((leader) => leader !== 1))
  const [leader = 0] = cluster.leaders.filter((nodeId) => nodeId !== 1)
  cluster.propose(leader, 'on we go')
  cluster.runUntil('it decides', () => cluster.log.includes('on we go'))
  assert.equal(cluster.node(1).phase, 'following')
})

test('a leader that learns a decision of a higher ballot does not announce the slot in its own ballot', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3, 4, 5] })
  cluster.elect(1)
  cluster.run(100)
  cluster.connectOnly([1, 2], [3, 4], [3, 5], [4, 5])
  cluster.propose(1, 'accepted by 1 and 2')
  cluster.settle()
  cluster.elect(3)
  cluster.propose(3, 'decided by 3, 4 and 5')
  cluster.settle()
  assert.deepEqual(cluster.leaders, [1, 3])
  // Node 4 hears only now that node 1 asked around before it led; and they hear each other from here on.
  cluster.connectOnly([1, 2], [1, 4], [3, 4], [3, 5], [4, 5])
  cluster.inject(1, 4, { kind: 'poll', pollId: 1 })
  cluster.settle()
  assert.deepEqual(cluster.leaders, [3])
  assert.equal(cluster.node(1).decidedUpTo, cluster.node(3).decidedUpTo)
  cluster.heal()
  cluster.run(500)
  assert.ok(cluster.log.includes('decided by 3, 4 and 5'))
})
