import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bootstrap, type BootstrapSettings } from '../../src/paxos/bootstrap.js'
import { genesisRecord } from '../../src/paxos/memberships.js'
import type { Formation, Welcome } from '../../src/paxos/messages.js'
import { Outbox } from '../../src/paxos/outbox.js'
import type { Genesis, NodeId } from '../../src/paxos/types.js'
import { Cluster, genesisOf } from './cluster.js'
import { outcome } from './role.js'

function bootstrapOf(self: NodeId, genesis?: Genesis, dataDirId = `dir-${self}`, change: Partial<BootstrapSettings> = {}) {
  const out = new Outbox(self)
  const settings = {
    self,
    dataDirId,
    members: genesisOf([3, 1, 2]).members,
    newClusterId: 'cluster',
    initialCommands: [new Uint8Array([1])],
    initialDigest: 'd',
    joinIntervalMs: 100,
    replacesDataDirId: '',
    capacityBytes: 0,
    levelMax: 1,
    version: '',
    joins: false,
    windowSlots: 64,
    ...change,
  }
  return { out, bootstrap: new Bootstrap(settings, out, genesis) }
}

function joinOf(dataDirId: string, replacesDataDirId = '', capacityBytes = 0, levelMax = 1) {
  return { dataDirId, replacesDataDirId, capacityBytes, formation: undefined, levelMax }
}

function welcome(nodeIds: readonly NodeId[]): Pick<Welcome, 'genesis' | 'memberships'> {
  const genesis = genesisOf(nodeIds)
  return { genesis, memberships: [genesisRecord(genesis)] }
}

test('the first level is the highest that all members know', () => {
  const { bootstrap } = bootstrapOf(1, undefined, 'dir-1', { version: '2.0.0' })
  for (const [nodeId, levelMax] of [
    [1, 3],
    [2, 2],
    [3, 4],
  ] as const)
    bootstrap.onJoin(nodeId, joinOf(`dir-${nodeId}`, '', 0, levelMax))
  assert.equal(bootstrap.genesis?.level, 2)
  assert.equal(bootstrap.genesis?.levelVersion, '2.0.0')
})

test('the first quota is the smallest capacity that a member reports', () => {
  for (const [capacities, quotaBytes] of [
    [[300, 100, 200], 100],
    [[0, 200, 0], 200],
    [[0, 0, 0], 0],
  ] as const) {
    const { bootstrap } = bootstrapOf(1)
    for (const [i, bytes] of capacities.entries()) bootstrap.onJoin(i + 1, joinOf(`dir-${i + 1}`, '', bytes))
    assert.equal(bootstrap.genesis?.quotaBytes, quotaBytes)
  }
})

test('the seed founds the cluster when every initial member has joined, and not before', () => {
  const { out, bootstrap } = bootstrapOf(1)
  bootstrap.tick(0)
  assert.deepEqual(outcome(out).now, ['n3 join dir-1', 'n2 join dir-1'])
  for (const from of [2, 2, 99]) bootstrap.onJoin(from, joinOf(`dir-${from}`))
  assert.deepEqual([bootstrap.genesis, outcome(out).records], [undefined, []])
  bootstrap.onJoin(3, joinOf('dir-3'))
  assert.deepEqual(outcome(out), {
    now: [],
    records: ['genesis of cluster'],
    onceDurable: ['n1 welcome to cluster', 'n2 welcome to cluster', 'n3 welcome to cluster'],
  })
  assert.deepEqual(
    bootstrap.genesis?.members.map(({ nodeId, dataDirId }) => [nodeId, dataDirId]),
    [
      [1, 'dir-1'],
      [2, 'dir-2'],
      [3, 'dir-3'],
    ],
  )
  assert.deepEqual(bootstrap.genesis?.initialCommands, [new Uint8Array([1])])
})

test('only the seed founds, however many join elsewhere', () => {
  const { out, bootstrap } = bootstrapOf(2)
  bootstrap.tick(0)
  for (const from of [1, 2, 3]) bootstrap.onJoin(from, joinOf(`dir-${from}`))
  assert.deepEqual([bootstrap.genesis, outcome(out).records], [undefined, []])
})

test('a member that joins again with another directory before the founding votes from that one', () => {
  const { bootstrap } = bootstrapOf(1)
  bootstrap.onJoin(2, joinOf('dir-2'))
  bootstrap.onJoin(2, joinOf('dir-2-new'))
  bootstrap.tick(0)
  bootstrap.onJoin(3, joinOf('dir-3'))
  assert.equal(bootstrap.genesis?.members.find(({ nodeId }) => nodeId === 2)?.dataDirId, 'dir-2-new')
})

test('joins are sent again at each interval, and a node with a genesis welcomes', () => {
  const { out, bootstrap } = bootstrapOf(3)
  const joins = [0, 50, 99, 100, 150, 200].map((nowMs) => {
    bootstrap.tick(nowMs)
    return outcome(out).now.length
  })
  assert.deepEqual(joins, [2, 0, 0, 2, 0, 2])
  assert.equal(bootstrap.onWelcome(1, welcome([1, 2, 3])), true)
  assert.equal(bootstrap.onWelcome(1, welcome([1, 2, 3])), false)
  assert.deepEqual(outcome(out).records, ['genesis of cluster'])
  bootstrap.onJoin(2, joinOf('dir-2'))
  assert.deepEqual(outcome(out).onceDurable, ['n2 welcome to cluster'])
})

test('a node that is no member, or has another directory, stops with the reason and the remedy', () => {
  const cases = [
    [
      welcome([1, 2]),
      'dir-3',
      'NOT_A_MEMBER',
      /node 3 is not a member of cluster cluster: add it first, and start it as a node that joins/,
      { code: 'ADD_MEMBER', nodeId: 3 },
    ],
    [welcome([1, 2, 9]), 'dir-3', 'REMOVED', /it was removed, and its number is never given again/, undefined],
    [
      welcome([1, 2, 3]),
      'lost',
      'DATA_DIR_MISMATCH',
      /votes from data directory dir-3, but this one is lost.*a new member, node 4, take its place/,
      { code: 'REPLACE_MEMBER', nodeId: 3, successorId: 4 },
    ],
  ] as const
  for (const [welcomed, dataDirId, code, message, remedy] of cases) {
    const { out, bootstrap } = bootstrapOf(3, undefined, dataDirId)
    assert.equal(bootstrap.onWelcome(1, welcomed), false)
    assert.equal(bootstrap.genesis, undefined)
    const { halt, records } = out.take(true)
    assert.equal(halt?.code, code)
    assert.match(halt?.message ?? '', message)
    assert.deepEqual(halt?.remedy, remedy)
    assert.deepEqual(records, [])
  }
})

test('a node that joins waits until it is added, and until the members have its directory', () => {
  const joins = bootstrapOf(3, undefined, 'dir-3', { joins: true })
  assert.equal(joins.bootstrap.onWelcome(1, welcome([1, 2])), false)
  const repaired = bootstrapOf(3, undefined, 'new', { replacesDataDirId: 'dir-3' })
  assert.equal(repaired.bootstrap.onWelcome(1, welcome([1, 2, 3])), false)
  for (const { out } of [joins, repaired]) assert.equal(out.take(true).halt, undefined)
  assert.equal(joins.bootstrap.onWelcome(1, welcome([1, 2, 3])), true)
})

test('neither a node that joins nor one whose directory was damaged founds a cluster', () => {
  for (const change of [{ joins: true }, { replacesDataDirId: 'dir-1' }]) {
    const { bootstrap } = bootstrapOf(1, undefined, 'dir-new', change)
    bootstrap.tick(0)
    for (const from of [1, 2, 3]) bootstrap.onJoin(from, joinOf(`dir-${from}`))
    assert.equal(bootstrap.genesis, undefined)
  }
})

test('a member with a damaged directory was in a cluster: a seed that has lost everything founds no second one with it', () => {
  const { out, bootstrap } = bootstrapOf(1)
  bootstrap.tick(0)
  for (const from of [2, 3]) bootstrap.onJoin(from, joinOf(`dir-new-${from}`, `dir-${from}`))
  assert.deepEqual([bootstrap.genesis, outcome(out).records], [undefined, []])
})

test('a cluster forms once all members are there, in any order', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3], unformed: true })
  cluster.crash(3)
  cluster.run(2_000)
  assert.deepEqual(
    [1, 2].map((nodeId) => cluster.node(nodeId).phase),
    ['joining', 'joining'],
  )
  cluster.restart(3)
  cluster.runUntil('a leader is there', () => cluster.leaders.length === 1)
})

test('a seed that crashes before its genesis is durable founds again: no node has heard of the first', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3], unformed: true })
  cluster.syncByHand(1)
  cluster.run(200)
  cluster.crash(1)
  for (const nodeId of [2, 3]) assert.equal(cluster.node(nodeId).genesis, undefined)
  cluster.restart(1)
  assert.equal(cluster.node(1).genesis, undefined)
  cluster.syncAlone(1)
  cluster.runUntil('a leader is there', () => cluster.leaders.length === 1)
})

test('a seed that crashes after its genesis is durable, but before a welcome, welcomes when it is back', () => {
  const cluster = new Cluster({ nodeIds: [1, 2, 3], unformed: true })
  for (const nodeId of [1, 2, 3]) cluster.tick(nodeId)
  cluster.settle({ kind: 'join' })
  assert.ok(cluster.node(1).genesis)
  cluster.drop({ kind: 'welcome' })
  cluster.crash(1)
  cluster.run(500)
  for (const nodeId of [2, 3]) assert.equal(cluster.node(nodeId).phase, 'joining')
  cluster.restart(1)
  cluster.runUntil('a leader is there', () => cluster.leaders.length === 1)
  assert.equal(cluster.node(2).genesis?.clusterId, cluster.node(1).genesis?.clusterId)
})

for (const nodeId of [1, 3]) {
  test(`n${nodeId}, ${nodeId === 1 ? 'the seed' : 'no seed'}, must not vote from a new directory after the old one was lost`, () => {
    const cluster = new Cluster({ nodeIds: [1, 2, 3], unformed: true })
    cluster.runUntil('a leader is there', () => cluster.leaders.length === 1)
    cluster.crash(nodeId)
    cluster.loseDirectory(nodeId)
    cluster.restart(nodeId)
    cluster.runUntil('it is told', () => cluster.haltOf(nodeId) !== undefined)
    assert.equal(cluster.haltOf(nodeId)?.code, 'DATA_DIR_MISMATCH')
    assert.equal(cluster.node(nodeId).phase, 'joining')
    assert.equal(cluster.node(nodeId).promised, 0)
  })
}

test('a single node founds its cluster and leads it', () => {
  const cluster = new Cluster({ nodeIds: [7], unformed: true })
  cluster.runUntil('it leads', () => cluster.leaders.includes(7))
  cluster.propose(7, 'a')
  assert.equal(cluster.grants.get(cluster.read(7)), 2)
})

/** The start options of each of three nodes, with a change. */
function formation(change: Partial<Formation> = {}): Formation {
  const members = genesisOf([1, 2, 3]).members.map(({ nodeId, peerAddress, clientAddress }) => ({
    nodeId,
    peerAddress,
    clientAddress,
  }))
  return { members, initialCommandCount: 1, initialDigest: 'd', ...change }
}

test('nodes with different start options do not form a cluster; each reports the difference, and they form one when it is gone', () => {
  const { members } = formation()
  const elsewhere = members.map((m) => (m.nodeId === 3 ? { ...m, peerAddress: 'other:1' } : m))
  for (const [change, what] of [
    [{ initialCommandCount: 0, initialDigest: 'none' }, /other authorities .*: none there, 1 here$/],
    [{ initialDigest: 'other' }, /other authorities .*: 1 there, 1 here, which differ$/],
    [{ members: members.slice(0, 2) }, /with the members 1, 2, this node with 1, 2, 3$/],
    [{ members: elsewhere }, /with member 3 at other:1\/client-3:1, this node with peer-3:1\/client-3:1$/],
  ] as const) {
    const { bootstrap } = bootstrapOf(1)
    bootstrap.tick(0)
    bootstrap.onJoin(2, { ...joinOf('dir-2'), formation: formation() })
    bootstrap.onJoin(3, { ...joinOf('dir-3'), formation: formation(change) })
    assert.equal(bootstrap.genesis, undefined)
    assert.match(bootstrap.differences.get(3) ?? '', what)
    assert.equal(bootstrap.differences.size, 1)
    bootstrap.onJoin(3, { ...joinOf('dir-3'), formation: formation() })
    assert.ok(bootstrap.genesis !== undefined)
    assert.equal(bootstrap.differences.size, 0)
  }
})

test('a node that is not the seed reports a difference, too, while the other node is there', () => {
  const { bootstrap } = bootstrapOf(2)
  bootstrap.tick(0)
  bootstrap.onJoin(1, { ...joinOf('dir-1'), formation: formation({ initialDigest: 'other' }) })
  bootstrap.tick(2_900)
  assert.deepEqual([...bootstrap.differences.keys()], [1])
  bootstrap.tick(3_100)
  assert.equal(bootstrap.differences.size, 0)
})
