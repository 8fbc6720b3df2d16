import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemberError } from '../../src/host/api.js'
import type { LevelInForce } from '../../src/host/membership/binary-version.js'
import { DEFAULT_OPTIONS } from '../../src/paxos/core-options.js'
import { GOOD_LINK } from '../../src/sim/cluster/network.js'
import type { SoftwareVersion } from '../../src/sim/cluster/next-version.js'
import type { SimulatedNode } from '../../src/sim/cluster/simulated-node.js'
import { EPOCH_MS } from '../../src/sim/cluster/simulated-node.js'
import { QUIET_PLAN } from '../../src/sim/plan/plan.js'
import { World } from '../../src/sim/runs/world.js'
import { finish, formedWorld, until } from './scenario.js'

const idOf = (node: SimulatedNode) => node.id

test('scouts that compete for a majority end with one leader, and nothing is lost', async () => {
  const { world, leader, followers } = await formedWorld(
    {
      nodeCount: 5,
      // All nodes time out at about the same time, and hear of the others' ballots late.
      options: { ...DEFAULT_OPTIONS, electionTimeoutMsMin: 500, electionTimeoutMsMax: 520, heartbeatIntervalMs: 60 },
      link: { ...GOOD_LINK, delayMsMin: 40, delayMsMean: 10 },
    },
    { isBusy: true },
  )
  leader.crash()
  await until(world, 'two nodes scout at once', () => followers.filter((node) => node.core?.phase === 'scouting').length >= 2)
  const scouts = followers.filter((node) => node.core?.phase === 'scouting').map((node) => node.core?.promised)
  assert.equal(new Set(scouts).size, scouts.length, 'each scouts in a ballot of its own')
  await until(world, 'one of them leads', () => world.leader !== undefined)
  await finish(world)
})

test('a value that only a minority accepted before the leader was killed is decided by the next one', async () => {
  const { world, leader, followers } = await formedWorld({ nodeCount: 5 })
  const [witness, ...others] = followers as [SimulatedNode, ...SimulatedNode[]]
  for (const other of others) world.network.cut(leader.id, other.id)
  const [client] = world.clients
  client?.useOnly([leader])
  const slot = world.checker.decidedUpTo + 1
  const request = client?.request({ kind: 'put', key: 'k1', value: 'kept' })
  await until(world, 'the witness has accepted it', () => witness.disk.contents.log.get(slot)?.value.kind === 'batch')
  leader.crash()
  client?.useOnly(followers)
  assert.equal(
    others.some((other) => other.disk.contents.log.has(slot)),
    false,
    'nobody else has it',
  )
  assert.equal(request?.answer, undefined)
  // Three of five remain, so that every majority includes the witness.
  others[0]?.crash()
  await until(world, 'another leads', () => world.leader !== undefined && world.leader !== leader)
  await finish(world)
  assert.deepEqual(request?.answer, { slot, outcome: { kind: 'put', revision: 2, previous: null } })
})

for (const [how, isDeaf] of [
  ['hears nobody', true],
  ['is heard by nobody', false],
] as const) {
  test(`a leader that ${how} is replaced`, async () => {
    const { world, leader, followers } = await formedWorld({ nodeCount: 5 }, { isBusy: true })
    for (const { id } of followers) world.network.cut(isDeaf ? id : leader.id, isDeaf ? leader.id : id)
    await until(world, 'another leads', () => world.leader !== undefined && world.leader !== leader)
    await until(world, 'the old one leads no more', () => !leader.isLeading)
    for (const client of world.clients) client.useOnly(followers)
    const before = world.checker.decidedUpTo
    await until(world, 'the others decide more', () => world.checker.decidedUpTo > before + 5)
    assert.ok(world.totals.of('cutLink') > 0)
    await finish(world)
  })
}

test('quorum-loss: when all nodes are connected to one node only, that node leads', async () => {
  const { world, leader, followers } = await formedWorld({ nodeCount: 5 }, { isBusy: true })
  const [hub] = followers as [SimulatedNode, ...SimulatedNode[]]
  const spokes = world.nodes.filter((node) => node !== hub)
  for (const a of spokes) for (const b of spokes) if (a !== b) world.network.cut(a.id, b.id)
  await until(world, 'the hub leads', () => world.leader === hub && !leader.isLeading)
  const before = world.checker.decidedUpTo
  await until(world, 'slots are decided', () => world.checker.decidedUpTo > before + 10)
  await finish(world)
})

test('constrained election: the only node that reaches a majority leads, though its log is behind', async () => {
  const { world, leader, followers } = await formedWorld({ nodeCount: 5 }, { isBusy: true })
  const [hub, ...spokes] = followers as [SimulatedNode, ...SimulatedNode[]]
  // It misses a few slots, but not long enough to ask around.
  world.network.partition([hub.id], [leader.id, ...spokes.map(idOf)])
  const before = world.checker.decidedUpTo
  await until(world, 'the others decide', () => world.checker.decidedUpTo > before + 3)
  assert.ok(hub.appliedUpTo < world.checker.decidedUpTo, 'its log is behind')
  world.network.mendAll()
  world.network.partition([leader.id], followers.map(idOf))
  for (const a of spokes) for (const b of spokes) if (a !== b) world.network.cut(a.id, b.id)
  for (const client of world.clients) client.useOnly(followers)
  await until(world, 'the hub leads', () => world.leader === hub)
  const after = world.checker.decidedUpTo
  await until(world, 'slots are decided', () => world.checker.decidedUpTo > after + 10)
  await finish(world)
})

test('chained: the ends of a chain, which do not hear each other, do not keep deposing one another', async () => {
  const { world, leader, followers } = await formedWorld({ nodeCount: 3 }, { isBusy: true })
  const [, end] = followers as [SimulatedNode, SimulatedNode]
  world.network.cutBothWays(leader.id, end.id)
  const leadersBefore = world.checker.leaderCount
  const decidedBefore = world.checker.decidedUpTo
  await until(world, 'the far end finds out', () => end.core?.phase === 'polling')
  // Its clients' requests are relayed by the middle.
  world.clients[0]?.useOnly([end])
  const answeredBefore = world.clients[0]?.answeredCount ?? 0
  await world.run(10_000)
  assert.ok(world.checker.leaderCount - leadersBefore <= 1, 'the lead changes once at most')
  assert.ok((world.clients[0]?.answeredCount ?? 0) > answeredBefore + 20, 'a client of the far end is served')
  assert.ok(world.checker.decidedUpTo > decidedBefore + 30, 'slots are decided all the while')
  await finish(world)
})

test('a leader that was paused for seconds, and wakes up believing that it leads, answers no read with the state from before', async () => {
  const { world, leader, followers } = await formedWorld()
  const [reader, writer] = world.clients
  writer?.useOnly(followers)
  reader?.useOnly([leader])
  // One read is under way when the pause begins. The clock stands still, too, and no message of the others gets through.
  const before = reader?.read({ kind: 'get', key: 'k1' })
  await world.run(1)
  leader.pause({ clockStops: true })
  for (const { id } of followers) world.network.cut(id, leader.id)
  await until(world, 'another leads', () => followers.some((node) => node.isLeading))
  const write = writer?.request({ kind: 'put', key: 'k1', value: 'new' })
  await until(world, 'the write is acknowledged', () => write?.answer !== undefined)
  await world.run(2_000)
  // Another read arrives during the pause: it is the first thing that the leader finds.
  reader?.useOnly([leader])
  const during = reader?.read({ kind: 'get', key: 'k1' })
  await world.run(20)
  assert.ok(leader.isPaused)
  leader.wake()
  assert.ok(leader.isLeading, 'it believes that it leads')
  world.network.mendAll()
  await finish(world)
  assert.match(JSON.stringify(during?.answer?.outcome), /"value":"new"/)
  assert.ok(before?.answer !== undefined)
})

test('all nodes crash at once in the middle of writes: acknowledged requests are there when they are back', async () => {
  const { world } = await formedWorld(
    { syncMsMean: 5, habits: { ...QUIET_PLAN.habits, clientCount: 4, outstandingMax: 4 } },
    { isBusy: true },
  )
  for (let round = 0; round < 5; round++) {
    await until(world, 'a majority writes', () => world.nodes.filter((node) => node.disk.isWriting).length >= 2)
    const acknowledged = world.history.acknowledgedCount
    for (const node of world.nodes) node.crash()
    assert.ok(acknowledged > 0)
    for (const node of world.nodes) node.start()
    await until(world, 'they answer again', () => world.history.acknowledgedCount > acknowledged + 10)
  }
  assert.ok(world.totals.of('unsyncedWriteLost') >= 5, 'writes were lost')
  await finish(world)
})

test('a node that lost its data directory halts with DATA_DIR_MISMATCH and never votes; the others go on', async () => {
  const { world, followers } = await formedWorld({}, { isBusy: true })
  const [victim] = followers as [SimulatedNode, ...SimulatedNode[]]
  assert.ok(victim.disk.contents.promised > 0)
  victim.loseDirectory()
  victim.start()
  await until(world, 'it halts', () => victim.haltCode !== undefined)
  assert.equal(victim.haltCode, 'DATA_DIR_MISMATCH')
  for (const client of world.clients) client.useOnly(world.nodes.filter((node) => node !== victim))
  const before = world.checker.decidedUpTo
  await until(world, 'the others decide more', () => world.checker.decidedUpTo > before + 10)
  victim.start()
  await world.run(1_000)
  assert.equal(victim.isUp, false)
  assert.equal(victim.disk.contents.promised, 0, 'it never promised')
  assert.equal(victim.disk.contents.log.size, 0, 'nor accepted anything')
  await finish(world)
})

test('a leader that hands over is succeeded by another before any election timeout', async () => {
  const { world, leader } = await formedWorld({}, { isBusy: true })
  const startedMs = world.nowMs
  leader.handOver()
  await until(world, 'another leads', () => world.leader !== undefined && world.leader !== leader && !leader.isLeading)
  assert.ok(world.nowMs - startedMs < DEFAULT_OPTIONS.electionTimeoutMsMin, 'no election timeout had to end')
  await finish(world)
})

test('a node that comes back from its checkpoint learns what it missed from the logs of the others', async () => {
  const { world, followers } = await formedWorld(
    { checkpointEverySlots: 10, options: { ...DEFAULT_OPTIONS, recentSlotsMax: 4, pageBytesMax: 500 } },
    { isBusy: true },
  )
  const [laggard] = followers as [SimulatedNode, ...SimulatedNode[]]
  await until(world, 'it has a checkpoint', () => laggard.disk.contents.checkpointUpTo > 0, 10_000)
  const checkpoint = laggard.disk.contents.checkpointUpTo
  laggard.crash()
  const before = world.checker.decidedUpTo
  await until(world, 'it misses a lot', () => world.checker.decidedUpTo > before + 60, 20_000)
  for (const node of world.nodes) node.crash()
  for (const node of world.nodes) node.start()
  await until(world, 'it has read its disk', () => laggard.member !== undefined)
  assert.ok(laggard.appliedUpTo >= checkpoint && laggard.appliedUpTo <= before)
  await until(world, 'it knows all', () => laggard.appliedUpTo === world.checker.decidedUpTo)
  await finish(world)
})

/** Stops a node, and starts it with the given version. */
async function restartAs(world: World, node: SimulatedNode, version: SoftwareVersion): Promise<void> {
  node.stop()
  await until(world, 'it has stopped', () => !node.isUp)
  node.software.installed = version
  node.start()
}

/** Waits until the node runs, and has learned more than was decided at the start of the wait. */
async function untilLevelled(world: World, node: SimulatedNode): Promise<void> {
  const before = world.checker.decidedUpTo
  await until(world, 'all of it was learned and more', () => node.appliedUpTo > before)
}

/** Returns the level in force after the call, or the reason why it was not raised. */
async function raise(world: World, node: SimulatedNode, level: number): Promise<number | string> {
  let outcome: LevelInForce | MemberError | undefined
  node.raiseLevel(level, 3_000, (told) => {
    outcome = told
  })
  await until(world, 'it is answered', () => outcome !== undefined)
  return outcome instanceof MemberError ? outcome.message : (outcome?.level ?? 0)
}

test('a rolling upgrade, and back: versions go up and down freely until the level is raised, and not back after that', async () => {
  const { world, leader, followers } = await formedWorld(
    { nodeCount: 3, checkpointEverySlots: 5, habits: { ...QUIET_PLAN.habits, clientCount: 3, sessionlessRate: 0.4 } },
    { isBusy: true },
  )
  const [first, second] = followers as [SimulatedNode, SimulatedNode]
  for (const version of ['next', 'current', 'next'] as const) {
    for (const node of [first, second, leader]) {
      // Once all of them knew the level, it would be raised.
      if (version === 'next') {
        const refusal = /^the level is not raised: (node \d knows levels 1 to 1 \(version current\), not 2(; )?)+$/
        assert.match(String(await raise(world, node, 2)), refusal)
        assert.equal(await raise(world, second, 0), 1)
      }
      await restartAs(world, node, version)
      await untilLevelled(world, node)
    }
  }
  assert.equal(world.totals.of('refusedDowngrade'), 0)

  second.crash()
  assert.equal(
    await raise(world, first, 2),
    `the level is not raised: node ${second.id} does not say what it knows: is it running?`,
  )
  second.start()
  await untilLevelled(world, second)
  assert.equal(await raise(world, second, 2), 2)
  assert.deepEqual([await raise(world, first, 0), await raise(world, first, 1)], [2, 2])
  await untilLevelled(world, first)
  const touch = world.clients.at(-1)?.request({ kind: 'touch', key: 'k1' })
  await until(world, 'its new operation is carried out', () => touch?.answer !== undefined)
  assert.equal(touch?.answer?.outcome.kind, 'put')

  // This version refuses data of the next level, at each start.
  await restartAs(world, first, 'current')
  for (const count of [1, 2]) {
    await until(world, 'it refuses', () => world.totals.of('refusedDowngrade') === count)
    assert.equal(first.isUp, false)
    if (count === 1) first.start()
  }
  first.software.installed = 'next'
  first.start()
  await untilLevelled(world, first)
  await finish(world)
})

for (const [what, plan] of [
  ['the log', {}],
  ['a checkpoint', { checkpointEverySlots: 5, logSlotsMax: 2, options: { ...DEFAULT_OPTIONS, recentSlotsMax: 4 } }],
] as const) {
  test(`a node that was started with the previous version meets the raised level in ${what} of the others, and stops until it has the next one`, async () => {
    const { world } = await formedWorld({ nodeCount: 3, ...plan }, { isBusy: true })
    for (const node of world.nodes) {
      await restartAs(world, node, 'next')
      await untilLevelled(world, node)
    }
    await until(world, 'somebody leads', () => world.leader !== undefined)
    const [first, second] = world.nodes.filter((node) => node !== world.leader) as [SimulatedNode, SimulatedNode]
    world.network.cut(world.leader?.id ?? 0, first.id)
    let outcome: LevelInForce | MemberError | undefined
    second.raiseLevel(2, 3_000, (told) => {
      outcome = told
      // The node has said that it knows the level, and has not learned that it is raised.
      first.crash()
    })
    await until(world, 'it is raised', () => outcome !== undefined)
    assert.ok(outcome !== undefined && 'level' in outcome && outcome.level === 2)
    assert.ok(first.disk.contents.decidedUpTo < outcome.slot)
    await world.run(1_000)
    world.connectAll()
    first.software.installed = 'current'
    first.start()
    await until(world, 'it refuses', () => world.totals.of('refusedDowngrade') === 1)
    // The disk has the level: no peer must tell it again.
    for (const other of world.nodes) if (other !== first) world.network.cutBothWays(other.id, first.id)
    first.start()
    await until(world, 'and so does the next start, at once', () => world.totals.of('refusedDowngrade') === 2, 100)
    world.connectAll()
    first.software.installed = 'next'
    first.start()
    await untilLevelled(world, first)
    await finish(world)
  })
}

test('a cluster begins at the highest level that all of its members know; who joins it without knowing that stops, and learns it later', async () => {
  const world = new World({ seed: 42, plan: { ...QUIET_PLAN, nodeCount: 3, spareCount: 1 } })
  const spare = world.node(4)
  for (const node of world.nodes) if (node !== spare) node.software.installed = 'next'
  world.start()
  await until(world, 'it is formed', () => world.checker.decidedUpTo > 0)
  assert.equal(world.checker.firstLevel, 2)
  world.operator.request({ kind: 'addMember' })
  await until(world, 'it refuses', () => world.totals.of('refusedDowngrade') === 1, 20_000)
  spare.start()
  await until(world, 'so does its next start', () => world.totals.of('refusedDowngrade') === 2)
  spare.software.installed = 'next'
  spare.start()
  await until(world, 'it votes', () => world.operator.isIdle, 20_000)
  assert.equal(world.totals.of('addMember'), 1)
  await finish(world)
})

test('a leader whose clock is hours ahead expires no session: log time is that of a majority', async () => {
  const { world, leader } = await formedWorld({ nodeCount: 3 })
  const [client] = world.clients
  leader.wallOffsetMs = 7_200_000
  await world.run(500)
  const before = client?.request({ kind: 'put', key: 'k1', value: 'v1' })
  await until(world, 'it is answered', () => before?.answer !== undefined)
  assert.equal(world.totals.of('sessionExpired'), 0)
  const last = world.checker.log.at(-1)
  assert.ok(last?.kind === 'batch' && last.timeMs < EPOCH_MS + 60_000)
  await finish(world)
})

test('beyond the quota, growth is refused on all nodes alike, even on a restarted one, and changes nothing', async () => {
  const { world, leader, followers } = await formedWorld(
    { quotaBytes: 5_000, checkpointEverySlots: 5, habits: { ...QUIET_PLAN.habits, batchRate: 0.3, holdRate: 0.5 } },
    { isBusy: true },
  )
  const countOf = (isPart: boolean): number =>
    [...world.checker.quotaMarks.values()].flat().filter((mark) => mark !== undefined && (mark !== 'whole') === isPart).length
  await until(world, 'much is refused, whole or in part', () => countOf(false) > 10 && countOf(true) > 0, 30_000)
  const [first] = followers as [SimulatedNode, ...SimulatedNode[]]
  first.crash()
  await world.run(500)
  first.start()
  leader.crash()
  const before = countOf(false)
  await until(world, 'more is refused', () => countOf(false) > before + 5, 30_000)
  await finish(world)
})
