import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SimulatedNode } from '../../src/sim/cluster/simulated-node.js'
import { QUIET_PLAN } from '../../src/sim/plan/plan.js'
import type { World } from '../../src/sim/runs/world.js'
import { finish, formedWorld, until } from './scenario.js'

/** Runs the operator's task, which must be done within 10 s. */
async function operate(world: World, operation: Parameters<World['operator']['request']>[0]): Promise<void> {
  world.operator.request(operation)
  await until(world, `the operator is done: ${JSON.stringify(operation)}`, () => world.operator.isIdle, 10_000)
}

const votersOf = ({ checker }: World) => checker.memberships.latest.voterIds

/** Checks that these nodes go on alone, and apply what they decide. */
async function goOn(world: World, nodes: readonly SimulatedNode[]): Promise<void> {
  for (const client of world.clients) client.useOnly(nodes)
  const before = world.checker.decidedUpTo
  await until(world, 'they decide more', () => world.checker.decidedUpTo > before + 5, 10_000)
  for (const node of nodes) {
    await until(world, `node ${node.id} knows as much`, () => node.appliedUpTo > before, 10_000)
  }
  await finish(world)
}

/** Removes a node, even if it leads: the others must do without it. */
async function removed(world: World, nodeId: number): Promise<void> {
  await operate(world, { kind: 'removeMember', nodeId, switchesOff: true })
  world.node(nodeId).crash()
}

test('a node that was away catches up by the log, even if the others decide more slots at a time than fit in a page', async () => {
  const habits = { ...QUIET_PLAN.habits, clientCount: 5, outstandingMax: 3, thinkMsMean: 5 }
  const options = { ...QUIET_PLAN.options, pageBytesMax: 200, batchCommandsMax: 1, windowSlots: 8 }
  const { world, followers } = await formedWorld({ options, habits, turnMsMax: 4, tickMs: 40 }, { isBusy: true })
  const [away] = followers as [SimulatedNode, SimulatedNode]
  for (const client of world.clients) client.useOnly(world.nodes.filter((node) => node !== away))
  away.crash()
  await world.run(600)
  away.start()
  await until(world, 'it knows what the others know', () => away.appliedUpTo > world.checker.decidedUpTo - 20, 1_500)
  await finish(world)
})

test('a node that was away while another was added and one removed elects a leader with the new one when the last node that it knew dies', async () => {
  const { world } = await formedWorld({ spareCount: 1 }, { isBusy: true })
  const away = world.node(3)
  away.crash()
  await operate(world, { kind: 'addMember' })
  await removed(world, 1)
  assert.deepEqual(votersOf(world), [2, 3, 4])
  world.node(2).crash()
  await world.run(500)
  away.start()
  await goOn(world, [away, world.node(4)])
})

test('a node that was away while both others were replaced rejoins, though no node that it knew is left', async () => {
  const { world } = await formedWorld({ spareCount: 2, checkpointEverySlots: 5, logSlotsMax: 2 }, { isBusy: true })
  const away = world.node(3)
  away.crash()
  await operate(world, { kind: 'addMember' })
  await removed(world, 1)
  await operate(world, { kind: 'addMember' })
  await removed(world, 2)
  assert.deepEqual(votersOf(world), [3, 4, 5])
  away.start()
  await until(world, 'it votes', () => away.core?.isVoter === true, 10_000)
  world.node(4).crash()
  await goOn(world, [away, world.node(5)])
})

test('two nodes that were away at different times come back together, and learn the membership from the third', async () => {
  const { world } = await formedWorld({ nodeCount: 5, spareCount: 2 }, { isBusy: true })
  world.node(5).crash()
  await operate(world, { kind: 'addMember' })
  await removed(world, 1)
  world.node(4).crash()
  await operate(world, { kind: 'addMember' })
  await removed(world, 2)
  assert.deepEqual(votersOf(world), [3, 4, 5, 6, 7])
  world.node(3).crash()
  world.node(6).crash()
  await world.run(500)
  world.node(4).start()
  world.node(5).start()
  await goOn(world, [world.node(4), world.node(5), world.node(7)])
})

test('the whole cluster comes back at new addresses', async () => {
  const { world } = await formedWorld({}, { isBusy: true })
  for (const node of world.nodes) node.crash()
  for (const node of world.nodes) node.move()
  for (const node of world.nodes) node.start()
  await goOn(world, world.nodes)
})

test('a node that moves alone is found, even by a node that was away and knows only the old address', async () => {
  const { world, followers } = await formedWorld({}, { isBusy: true })
  const [moved, away] = followers as [SimulatedNode, SimulatedNode]
  away.crash()
  moved.move()
  moved.start()
  await until(world, 'it takes part', () => world.leader !== undefined && moved.appliedUpTo === world.checker.decidedUpTo)
  for (const node of world.nodes) if (node !== moved) node.crash()
  away.start()
  await goOn(world, [moved, away])
})

test('a node that moves while both others are replaced rejoins', async () => {
  const { world } = await formedWorld({ spareCount: 2 }, { isBusy: true })
  const away = world.node(3)
  away.crash()
  await operate(world, { kind: 'addMember' })
  await removed(world, 1)
  await operate(world, { kind: 'addMember' })
  await removed(world, 2)
  away.move()
  away.start()
  await goOn(world, [away, world.node(4), world.node(5)])
})

test('a learner that moves before it votes is found and promoted', async () => {
  const { world } = await formedWorld({ spareCount: 1 }, { isBusy: true })
  world.operator.request({ kind: 'addMember' })
  await until(world, 'it is a learner', () => world.checker.memberships.latest.has(4))
  world.node(4).move()
  world.node(4).start()
  await until(world, 'the operator is done', () => world.operator.isIdle, 10_000)
  assert.ok(votersOf(world).includes(4))
  await finish(world)
})

test('a removed node that comes back stops, and does not depose the leader', async () => {
  const { world, leader, followers } = await formedWorld({}, { isBusy: true })
  const [gone, other] = followers as [SimulatedNode, SimulatedNode]
  gone.crash()
  await operate(world, { kind: 'removeMember', nodeId: gone.id, switchesOff: false })
  for (const client of world.clients) client.useOnly([leader, other])
  const ballot = world.leader?.core?.leadingBallot
  gone.start()
  await until(world, 'it has stopped', () => gone.haltCode === 'REMOVED')
  assert.equal(world.leader?.core?.leadingBallot, ballot)
  await finish(world)
})

test('a node on an older copy is told so by a node that was added while it was away, and never heard from it', async () => {
  const { world } = await formedWorld({ spareCount: 1 }, { isBusy: true })
  const away = world.node(3)
  const copy = away.disk.copy()
  await world.run(2_000)
  away.crash()
  await operate(world, { kind: 'addMember' })
  await removed(world, 1)
  world.node(2).crash()
  away.putBack(copy)
  away.start()
  await until(world, 'it has stopped', () => away.haltCode === 'OLDER_COPY')
})
