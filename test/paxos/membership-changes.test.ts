import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeId } from '../../src/paxos/types.js'
import { Cluster } from './cluster.js'

const WINDOW = 4

function led(nodeIds: readonly NodeId[], leader: NodeId = 1): Cluster {
  const cluster = new Cluster({ nodeIds, options: { windowSlots: WINDOW } })
  cluster.elect(leader)
  cluster.run(100)
  return cluster
}

function add(cluster: Cluster, nodeId: NodeId, at: NodeId): void {
  cluster.runUntil(`node ${nodeId} is listed`, () => {
    if (cluster.node(at).memberships?.latest.has(nodeId)) return true
    cluster.change(at, { kind: 'add', nodeId, peerAddress: `peer-${nodeId}:1`, clientAddress: `client-${nodeId}:1` })
    return false
  })
}

/** Repeats the request until the change is made, as an operator does. */
function changeUntil(cluster: Cluster, at: NodeId, kind: 'promote' | 'remove', nodeId: NodeId, members: string): void {
  cluster.runUntil(`${kind} ${nodeId}`, () => {
    if (plain(cluster.membersAt(at)) === members) return true
    cluster.change(at, { kind, nodeId })
    cluster.run(50)
    return false
  })
}

/** The members without the slots from which they vote. */
function plain(members: string): string {
  return members.replaceAll(/\(\d+\)/g, '')
}

function grow(cluster: Cluster, nodeId: NodeId, at: NodeId, members: string): void {
  cluster.addHost(nodeId)
  add(cluster, nodeId, at)
  changeUntil(cluster, at, 'promote', nodeId, members)
}

test('a learner is added, reports its directory, learns everything, and votes only once it is promoted', () => {
  const cluster = led([1, 2, 3])
  cluster.propose(1, 'before')
  cluster.run(100)
  cluster.addHost(4)
  cluster.run(1_000)
  assert.equal(cluster.haltOf(4), undefined, 'who is to join waits until it is added')
  add(cluster, 4, 2)
  cluster.runUntil('it has learned', () => cluster.node(4).decidedUpTo === cluster.node(1).decidedUpTo)
  assert.equal(cluster.node(1).memberships?.latest.member(4)?.dataDirId, 'dir-4')
  assert.equal(cluster.membersAt(1), '1 2 3 4*')
  for (const nodeId of [2, 3]) cluster.crash(nodeId)
  cluster.propose(1, 'too few')
  cluster.run(2_000)
  assert.ok(!cluster.log.includes('too few'), 'a learner is no part of a majority')
  for (const nodeId of [2, 3]) cluster.restart(nodeId)
  cluster.runUntil('somebody leads', () => cluster.leaders.length > 0)
  changeUntil(cluster, 4, 'promote', 4, '1 2 3 4')
  const from = cluster.node(4).memberships?.latest.fromSlot ?? 0
  cluster.runUntil('in force', () => cluster.node(1).decidedUpTo >= from - 1)
})

test('a change is in force one window later, and the leader fills the slots between', () => {
  const cluster = led([1, 2, 3])
  cluster.addHost(4)
  add(cluster, 4, 1)
  const { log } = cluster
  const slot = log.findIndex((value) => value.startsWith('add n4')) + 1
  const membership = cluster.node(1).memberships?.governing.find((m) => m.epoch === 2) ?? cluster.node(1).memberships?.latest
  assert.ok(slot > 0 && (membership?.epoch ?? 0) >= 2)
  assert.deepEqual(
    log.slice(slot, slot + WINDOW - 1),
    Array.from({ length: WINDOW - 1 }, () => 'noop'),
  )
})

test('from 1 to 3 to 5 to 3 nodes, with the first leader removed, while commands are decided', () => {
  const cluster = led([1])
  let count = 0
  const work = (): void => {
    for (const nodeId of cluster.nodeIds) if (cluster.haltOf(nodeId) === undefined) cluster.propose(nodeId, `c${++count}`)
    cluster.run(50)
  }
  let members = '1'
  for (const nodeId of [2, 3, 4, 5]) {
    members += ` ${nodeId}`
    grow(cluster, nodeId, 1, members)
    work()
  }
  cluster.run(500)
  for (const nodeId of [1, 2]) {
    members = members.slice(2)
    changeUntil(cluster, 5, 'remove', nodeId, members)
    work()
    cluster.runUntil(`node ${nodeId} stops`, () => cluster.haltOf(nodeId)?.code === 'REMOVED')
    cluster.crash(nodeId)
    cluster.runUntil('another leads', () => cluster.leaders.some((leader) => leader > nodeId))
  }
  cluster.propose(4, 'last')
  cluster.runUntil('the rest goes on', () => cluster.log.includes('last'))
  assert.equal(plain(cluster.membersAt(4)), '3 4 5')
})

test('a node of two that removes itself stays until the other has every slot in which both must vote', () => {
  const cluster = led([1, 2], 2)
  cluster.change(2, { kind: 'remove', nodeId: 2 })
  // The removal comes into force without node 1 hearing that it has.
  for (let i = 0; i < 200 && cluster.membersAt(1) !== '1'; i++) cluster.deliver()
  cluster.settle({ kind: 'accept' })
  cluster.settle({ kind: 'accepted' })
  cluster.crash(1)
  cluster.drop()
  cluster.run(10_000)
  assert.equal(cluster.haltOf(2), undefined)
  cluster.restart(1)
  cluster.runUntil('node 1 leads alone', () => cluster.leaders.includes(1))
  cluster.propose(1, 'alone')
  cluster.runUntil('it goes on', () => cluster.log.includes('alone'))
  cluster.runUntil('node 2 stops', () => cluster.haltOf(2)?.code === 'REMOVED')
})

test('one change at a time, and none that would leave too few voters up', () => {
  const cluster = led([1, 2, 3])
  cluster.addHost(4)
  add(cluster, 4, 1)
  cluster.run(500)
  for (const to of [2, 3]) cluster.cut(1, to)
  cluster.change(1, { kind: 'remove', nodeId: 4 })
  cluster.change(1, { kind: 'remove', nodeId: 3 })
  cluster.change(1, { kind: 'remove', nodeId: 4 })
  assert.deepEqual(cluster.refusalsOf(1), ['CHANGE_IN_PROGRESS'], 'the same change again is no other one')
  cluster.heal()
  cluster.runUntil('decided', () => cluster.membersAt(1) === '1 2 3')
  cluster.run(500)
  cluster.crash(3)
  cluster.run(500)
  cluster.change(1, { kind: 'remove', nodeId: 2 })
  cluster.change(1, { kind: 'promote', nodeId: 9 })
  cluster.change(1, { kind: 'add', nodeId: 4, peerAddress: 'elsewhere:1', clientAddress: '' })
  assert.deepEqual(cluster.refusalsOf(1), ['QUORUM_AT_RISK', 'MEMBER_NOT_FOUND', 'NODE_ID_USED'])
})

test('a new node id is at most 100 above the last, and no two members share an address, for peers or for clients', () => {
  const cluster = led([1, 2, 3])
  const [first] = cluster.node(1).memberships?.latest.members ?? []
  assert.ok(first !== undefined)
  const wanted = { nodeId: 4, peerAddress: 'new:1', clientAddress: 'new:2' }
  const ask = (change: Partial<typeof wanted>, kind: 'add' | 'update' = 'add'): unknown => {
    cluster.change(1, { kind, ...wanted, ...change })
    return cluster.refusalsOf(1).at(-1)
  }
  assert.deepEqual([ask({ nodeId: 104 }), ask({ nodeId: 65_535 })], ['NODE_ID_TOO_HIGH', 'NODE_ID_TOO_HIGH'])
  assert.equal(ask({ peerAddress: first.clientAddress }), 'ADDRESS_USED')
  assert.equal(ask({ clientAddress: first.peerAddress.toUpperCase() }), 'ADDRESS_USED')
  assert.equal(ask({ nodeId: 2, peerAddress: first.peerAddress }, 'update'), 'ADDRESS_USED')
  assert.equal(ask({}, 'update'), 'MEMBER_NOT_FOUND')
  cluster.addHost(103)
  cluster.change(1, { kind: 'add', ...wanted, nodeId: 103 })
  cluster.runUntil('the highest id that may be given is', () => cluster.node(3).memberships?.latest.has(103) === true)
})

test('a member gets other addresses through the log, and still votes', () => {
  const cluster = led([1, 2, 3])
  const moved = { nodeId: 2, peerAddress: 'moved:1', clientAddress: 'moved:2' }
  cluster.change(1, { kind: 'update', ...moved })
  cluster.runUntil('all know', () => cluster.node(3).memberships?.latest.member(2)?.peerAddress === 'moved:1')
  const votesFrom = cluster.node(3).memberships?.latest.member(2)?.votesFrom
  assert.equal(votesFrom, 1, 'it is the same life of the member')
  cluster.run(500)
  cluster.crash(3)
  cluster.propose(1, 'by two')
  cluster.runUntil('it votes', () => cluster.log.includes('by two'))
})

test('a learner that lags or is down is not promoted', () => {
  const cluster = led([1, 2, 3])
  cluster.addHost(4)
  cluster.crash(4)
  add(cluster, 4, 1)
  cluster.run(500)
  cluster.change(1, { kind: 'promote', nodeId: 4 })
  assert.deepEqual(cluster.refusalsOf(1), ['NOT_CAUGHT_UP'])
})

test('a member that was reset learns, and votes again only in slots in which its former life cannot have voted', () => {
  const cluster = led([1, 2, 3])
  cluster.propose(1, 'a')
  cluster.run(100)
  cluster.crash(3)
  cluster.replaceDirectory(3)
  cluster.restart(3)
  cluster.runUntil(
    'node 3 votes again',
    () => cluster.node(3).isVoter && cluster.node(3).decidedUpTo === cluster.node(1).decidedUpTo,
  )
  const member = cluster.node(1).memberships?.latest.member(3)
  assert.equal(member?.dataDirId, "dir-3'")
  const promoted = cluster.log.findIndex((value) => value.startsWith('promote n3')) + 1
  assert.equal(member?.votesFrom, promoted + WINDOW)
  cluster.crash(2)
  cluster.runUntil('the two of them decide', () => {
    cluster.propose(1, 'b')
    cluster.run(50)
    return cluster.log.includes('b')
  })
})

test('two of three members with new directories at once do not join again: their former votes are unknown', () => {
  const cluster = led([1, 2, 3])
  for (const nodeId of [2, 3]) {
    cluster.crash(nodeId)
    cluster.replaceDirectory(nodeId)
    cluster.restart(nodeId)
  }
  cluster.run(5_000)
  assert.deepEqual(
    [2, 3].map((nodeId) => cluster.node(nodeId).phase),
    ['joining', 'joining'],
  )
  assert.deepEqual(cluster.leaders, [])
})

test('a late promise of a former life does not count for the life of the member that votes now', () => {
  const cluster = led([1, 2, 3, 4, 5])
  // Node 5 scouts; what it is promised does not arrive for now.
  for (const nodeId of [1, 2, 3, 4]) cluster.tick(nodeId, 250)
  cluster.tick(5, 601)
  for (const kind of ['poll', 'pollReply'] as const) cluster.settle({ kind })
  assert.equal(cluster.node(5).phase, 'scouting')
  cluster.settle({ kind: 'prepare', to: 3 })
  const tellLate = cluster.hold({ kind: 'promise', from: 3 })
  cluster.drop()
  cluster.pause(5)
  cluster.crash(3)
  cluster.replaceDirectory(3)
  cluster.restart(3)
  cluster.runUntil('node 3 votes again', () => cluster.node(3).isVoter && cluster.leaders.some((leader) => leader !== 5))
  cluster.run(500)
  cluster.drop({ to: 5 })
  tellLate()
  cluster.resume(5)
  // With its own and the stale one node 5 needs one more promise, and must not take these three for a majority.
  for (const nodeId of [1, 2, 4]) cluster.cut(nodeId, 5)
  cluster.settle({ kind: 'promise', to: 5 })
  cluster.heal()
  cluster.propose(1, 'x')
  cluster.run(3_000)
  assert.ok(cluster.log.includes('x'))
})

test('a node that needs slots that no log has gets a checkpoint, with the memberships', () => {
  const cluster = led([1, 2, 3])
  cluster.crash(3)
  cluster.addHost(4)
  add(cluster, 4, 1)
  changeUntil(cluster, 1, 'promote', 4, '1 2 3 4')
  for (let i = 0; i < 10; i++) {
    cluster.propose(1, `c${i}`)
    cluster.run(50)
  }
  cluster.run(2_000)
  for (const nodeId of [1, 2, 4]) {
    cluster.crash(nodeId)
    cluster.compact(nodeId)
    cluster.restart(nodeId)
  }
  cluster.drop({ to: 3 })
  cluster.restart(3)
  cluster.runUntil('node 3 has caught up', () => cluster.node(3).decidedUpTo >= cluster.log.length)
  assert.equal(cluster.membersAt(3), cluster.membersAt(1))
  assert.ok(cluster.transcript.some((line) => line.startsWith('n3 installs a checkpoint')))
})
