import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_OPTIONS } from '../../src/paxos/core-options.js'
import { Violation } from '../../src/sim/checkers/violation.js'
import { encodeRequest } from '../../src/sim/clients/encode-request.js'
import { Application, INITIAL_COMMANDS } from '../../src/sim/cluster/application.js'
import { GOOD_LINK } from '../../src/sim/cluster/network.js'
import { SimulatedCluster } from '../../src/sim/cluster/simulated-cluster.js'
import type { SimulatedNode } from '../../src/sim/cluster/simulated-node.js'
import type { OperatorTask } from '../../src/sim/nemesis/operator.js'
import { QUIET_PLAN } from '../../src/sim/plan/plan.js'
import type { World } from '../../src/sim/runs/world.js'
import { finish, formedWorld, until } from './scenario.js'

const SPARE = 4

/** Runs the operator's task, which must be done within 10 s. */
async function operate(world: World, operation: OperatorTask): Promise<void> {
  world.operator.request(operation)
  await until(world, `the operator is done: ${JSON.stringify(operation)}`, () => world.operator.isIdle, 10_000)
}

const membersOf = ({ checker }: World) => checker.memberships.latest.members.map((m) => m.nodeId)

test('a spare machine is added, learns, votes, and makes the cluster survive a loss that it could not survive without it', async () => {
  const { world } = await formedWorld({ spareCount: 1 }, { isBusy: true })
  await operate(world, { kind: 'addMember' })
  assert.equal(world.totals.of('addMember'), 1)
  assert.deepEqual(membersOf(world), [1, 2, 3, SPARE])
  await until(world, 'it knows as much as the others', () => world.node(SPARE).appliedUpTo === world.checker.decidedUpTo)
  await operate(world, { kind: 'removeMember', nodeId: 3 })
  // Of the three that are left one more may crash, only because the new one votes.
  world.node(2).crash()
  for (const client of world.clients) client.useOnly([world.node(1), world.node(SPARE)])
  const before = world.checker.decidedUpTo
  await until(world, 'they decide more', () => world.checker.decidedUpTo > before + 5)
  await finish(world)
})

test('a leader that is removed leads until the removal is in force, and then stops for good', async () => {
  const { world, leader } = await formedWorld({ nodeCount: 4 }, { isBusy: true })
  await operate(world, { kind: 'removeMember', nodeId: leader.id, switchesOff: false })
  await until(world, 'it has stopped', () => leader.haltCode === 'REMOVED' || leader.haltCode === 'NOT_A_MEMBER')
  await until(world, 'another leads', () => world.leader !== undefined && world.leader !== leader)
  for (const client of world.clients) client.useOnly(world.nodes.filter((node) => node !== leader))
  await finish(world)
})

/**
 * Cuts both links between the two as soon as the condition holds, and mends them when the operator has heard nothing for a while.
 */
async function cutOnce(world: World, [a, b]: readonly [SimulatedNode, SimulatedNode], isSo: () => boolean): Promise<void> {
  await until(world, 'the moment to cut them off', isSo, 10_000)
  world.network.partition([a.id], [b.id])
}

for (const who of ['leader', 'follower'] as const) {
  test(`of two members one is removed, the ${who}: it can be switched off as soon as the operator is answered, and not before`, async () => {
    const { world, leader } = await formedWorld({ nodeCount: 2, options: { ...DEFAULT_OPTIONS, windowSlots: 4 } })
    const [gone, left] =
      who === 'leader' ? [leader, world.nodes.find((node) => node !== leader)] : [world.node(3 - leader.id), leader]
    assert.ok(gone !== undefined && left !== undefined)
    const { fromSlot } = world.checker.settled
    assert.equal(fromSlot, 1)
    world.operator.request({ kind: 'removeMember', nodeId: gone.id, switchesOff: true })
    // One of them knows that the change is in force, and the other one does not.
    const isInForce = (): boolean => [gone, left].some(({ core }) => core?.memberships?.current.epoch === 2)
    await cutOnce(world, [gone, left], isInForce)
    await world.run(1_000)
    assert.ok(
      !world.operator.isIdle || world.checker.settled.epoch === 2,
      'nobody is told before the one that is left has it on disk',
    )
    world.network.mendAll()
    await until(world, 'the operator is told', () => world.operator.isIdle, 10_000)
    assert.ok(gone.isSwitchedOff && !gone.isUp)
    for (const client of world.clients) client.useOnly([left])
    const [client] = world.clients
    const request = client?.request({ kind: 'put', key: 'alone', value: 'served' })
    await until(world, 'the one that is left serves alone', () => request?.answer !== undefined, 10_000)
    await finish(world)
  })
}

test('a node that is removed while it is cut off learns that when it is back, and stops', async () => {
  const { world, followers } = await formedWorld({ nodeCount: 4 }, { isBusy: true })
  const [cut, ...others] = followers
  assert.ok(cut !== undefined)
  world.network.partition(
    [cut.id],
    world.nodes.filter((node) => node !== cut).map(({ id }) => id),
  )
  await operate(world, { kind: 'removeMember', nodeId: cut.id, switchesOff: false })
  await world.run(2_000)
  assert.equal(cut.haltCode, undefined)
  world.network.mendAll()
  await until(world, 'it has stopped', () => cut.haltCode === 'REMOVED')
  for (const client of world.clients) client.useOnly(others)
  await finish(world)
})

test('a node that has lost its directory stops, and a spare machine takes its place', async () => {
  const { world, followers } = await formedWorld({ spareCount: 1 }, { isBusy: true })
  const [lost] = followers
  assert.ok(lost !== undefined)
  lost.loseDirectory()
  lost.start()
  await until(world, 'it has stopped', () => lost.haltCode === 'DATA_DIR_MISMATCH')
  await operate(world, { kind: 'replaceMember', nodeId: 1 })
  assert.ok(!membersOf(world).includes(lost.id), 'who cannot run any more goes first')
  assert.ok(world.survival.isVoter(SPARE))
  for (const client of world.clients) client.useOnly(world.nodes.filter((node) => node !== lost))
  await finish(world)
})

test('a damaged directory is set aside: its node learns, and votes again without an operator', async () => {
  const { world, followers } = await formedWorld({ checkpointEverySlots: 5, logSlotsMax: 2 }, { isBusy: true })
  const [damaged] = followers
  assert.ok(damaged !== undefined)
  const { dataDirId } = damaged.disk
  damaged.disk.corruptRecord(world.random.fork())
  damaged.crash()
  damaged.start()
  await until(world, 'it is a learner', () => world.checker.memberships.latest.member(damaged.id)?.votesFrom === 0)
  assert.notEqual(damaged.disk.dataDirId, dataDirId)
  await until(world, 'it votes again', () => world.survival.isVoter(damaged.id), 10_000)
  assert.equal(world.totals.of('repairedDirectory'), 1)
  await finish(world)
})

/** Returns the codes of a node's alarms. */
const codes = (node: SimulatedNode): string[] => node.member?.status().alarms.map(({ code }) => code) ?? []

test('when a majority has lost its directories, every node reports it', async () => {
  const { world, leader, followers } = await formedWorld({ checkpointEverySlots: 5 })
  const damage = (node: SimulatedNode): void => {
    node.disk.corruptRecord(world.random.fork())
    node.crash()
    node.start()
  }
  for (const node of followers) damage(node)
  await until(world, 'all three say so', () => world.nodes.every((node) => codes(node).includes('NO_MAJORITY_LEFT')))
  leader.crash()
  leader.start()
  await until(world, 'the one that is left says so behind its gate', () => codes(leader).includes('NO_MAJORITY_LEFT'))
  damage(leader)
  const [message] = await soon(world, () => leader.member?.status().alarms.map((alarm) => alarm.message) ?? [])
  assert.match(message ?? '', /the nodes 1, 2, 3 are lost.*None of the 3 voters is left/)
})

/** Waits until there is something to find. */
async function soon<T>(world: World, find: () => readonly T[]): Promise<readonly T[]> {
  await until(world, 'there is something', () => find().length > 0)
  return find()
}

test('a node on an older copy of its directory is told so, and stops before it says anything else', async () => {
  const { world, followers } = await formedWorld({ checkpointEverySlots: 5 }, { isBusy: true })
  const [node] = followers
  assert.ok(node !== undefined)
  const copy = node.disk.copy()
  await world.run(3_000)
  node.putBack(copy)
  node.start()
  await until(world, 'it has stopped', () => node.haltCode === 'OLDER_COPY')
  for (const client of world.clients) client.useOnly(world.nodes.filter((other) => other !== node))
  await finish(world)
})

const SLOW = { ...GOOD_LINK, delayMsMin: 100, delayMsMean: 10 }

test('several nodes that lag far behind catch up under load, though the others keep only a few slots of the log', async () => {
  const tiny = { checkpointEverySlots: 5, logSlotsMax: 2, options: { ...DEFAULT_OPTIONS, recentSlotsMax: 4, pageBytesMax: 300 } }
  const { world, leader, followers } = await formedWorld({ nodeCount: 5, ...tiny }, { isBusy: true })
  const late = followers.slice(0, 2)
  for (const node of late) node.crash()
  for (const client of world.clients) client.useOnly(world.nodes.filter((node) => !late.includes(node)))
  const before = world.checker.decidedUpTo
  await until(world, 'the others decide', () => world.checker.decidedUpTo > before + 100, 20_000)
  // So slow that new checkpoints are made while one is under way.
  for (const node of late) for (const other of world.nodes) if (other !== node) world.network.setQuality(other.id, node.id, SLOW)
  for (const node of late) node.start()
  const isLevel = (node: SimulatedNode): boolean => node.appliedUpTo > before + 100 && node.appliedUpTo >= leader.appliedUpTo - 20
  const told: number[] = []
  await until(
    world,
    'both are close behind',
    () => {
      for (const { peerId, isSending, bytesDone, bytesTotal } of late[0]?.member?.status().transfers ?? []) {
        assert.ok(!isSending && peerId !== late[0]?.id && bytesDone <= bytesTotal)
        told.push(bytesDone)
      }
      return late.every(isLevel)
    },
    30_000,
  )
  assert.ok(
    told.some((bytes) => bytes > 0),
    'what has come can be seen',
  )
  assert.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
    'one transfer was enough',
  )
  await finish(world)
})

test('a node that is further behind than the logs of the others reach fetches a checkpoint, even if transfers keep breaking off', async () => {
  const options = { ...DEFAULT_OPTIONS, recentSlotsMax: 2 }
  const { world, followers } = await formedWorld({ options, checkpointEverySlots: 5, logSlotsMax: 2 }, { isBusy: true })
  const [late] = followers
  assert.ok(late !== undefined)
  late.crash()
  await world.run(2_000)
  for (const other of world.nodes) {
    if (other !== late) world.network.setQuality(other.id, late.id, { ...GOOD_LINK, lossRate: 0.5 })
  }
  const missing = late.disk.contents.decidedUpTo
  late.start()
  await until(world, 'it has fetched one', () => world.totals.of('fetchedCheckpoint') > 0, 20_000)
  await until(world, 'it is level', () => late.appliedUpTo > missing && late.appliedUpTo >= world.checker.decidedUpTo - 1, 10_000)
  await finish(world)
})

test('a node that is cut off after it has fetched a checkpoint still finds the log after it, however much was decided meanwhile', async () => {
  const tiny = {
    checkpointEverySlots: 5,
    logSlotsMax: 2,
    options: { ...DEFAULT_OPTIONS, recentSlotsMax: 4, pageBytesMax: 2_000 },
  }
  const { world, followers } = await formedWorld(tiny, { isBusy: true })
  const [late] = followers
  assert.ok(late !== undefined)
  const others = world.nodes.filter((node) => node !== late)
  for (const client of world.clients) client.useOnly(others)
  late.crash()
  const before = world.checker.decidedUpTo
  await until(world, 'the others decide', () => world.checker.decidedUpTo > before + 100, 20_000)
  late.start()
  await until(world, 'it has fetched one', () => world.totals.of('fetchedCheckpoint') === 1, 20_000)
  for (const other of others) world.network.cutBothWays(late.id, other.id)
  // Long enough for the view from which it was read to be closed: an open view would keep the log, too.
  await world.run(10_000)
  const missed = world.checker.decidedUpTo
  assert.ok(missed > late.appliedUpTo + 100)
  world.network.mendAll()
  await until(world, 'it is level', () => late.appliedUpTo > missed && late.appliedUpTo >= world.checker.decidedUpTo - 5, 20_000)
  assert.equal(world.totals.of('fetchedCheckpoint'), 1)
  await finish(world)
})

test('an operator can transfer the leadership', async () => {
  const { world, followers } = await formedWorld({}, { isBusy: true })
  const [next] = followers
  assert.ok(next !== undefined)
  await operate(world, { kind: 'transferLeadership', nodeId: next.id })
  assert.equal(world.totals.of('transferLeadership'), 1)
  await until(world, 'it leads', () => world.leader === next)
  await finish(world)
})

test('without spare machines nothing is added, and a node that the others need is not removed', async () => {
  const { world, followers } = await formedWorld(QUIET_PLAN)
  const [lost, needed] = followers
  assert.ok(lost !== undefined && needed !== undefined)
  await operate(world, { kind: 'addMember' })
  lost.loseDirectory()
  lost.start()
  await until(world, 'it has stopped', () => lost.haltCode !== undefined)
  assert.ok(!world.survival.canRemove(needed.id))
  await operate(world, { kind: 'removeMember', nodeId: needed.id })
  assert.ok(membersOf(world).includes(needed.id), 'the one that is lost went instead')
  assert.equal(world.totals.of('addMember'), 0)
})

/** An application that sometimes forgets a command. */
class ForgetfulApplication extends Application {
  constructor() {
    super()
    const { machine } = this
    const apply = machine.apply.bind(machine)
    machine.apply = (command, at) => (at.slot % 7 === 0 ? new Uint8Array(1) : apply(command, at))
  }
}

test('a node whose state machine diverges from the others is told so, and stops', async () => {
  let madeCount = 0
  const cluster = new SimulatedCluster({
    seed: 1,
    plan: { ...QUIET_PLAN, checkpointEverySlots: 5 },
    initialCommands: INITIAL_COMMANDS,
    makeApplication: () => (++madeCount === 2 ? new ForgetfulApplication() : new Application()),
    looksInside: false,
  })
  // The simulator would notice first.
  cluster.checker.onApplied = () => undefined
  cluster.checker.onInstalled = () => undefined
  cluster.start()
  const ask = (i: number): void => {
    const command = encodeRequest({ operation: { kind: 'put', key: 'k', value: `v${i}` }, requestId: `r${i}` })
    cluster.leader?.invoke(command, 1_000, () => undefined)
    cluster.scheduler.after(20, () => ask(i + 1))
  }
  ask(0)
  await assert.rejects(cluster.run(10_000), (error) => {
    assert.ok(error instanceof Violation)
    assert.match(error.message, /digest|diverge|differ/i)
    return true
  })
})
