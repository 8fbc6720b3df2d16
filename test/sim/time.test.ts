import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_OPTIONS } from '../../src/paxos/core-options.js'
import type { SimulatedNode } from '../../src/sim/cluster/simulated-node.js'
import { EPOCH_MS } from '../../src/sim/cluster/simulated-node.js'
import type { World } from '../../src/sim/runs/world.js'
import { finish, formedWorld, until } from './scenario.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

type Nodes = [SimulatedNode, SimulatedNode, ...SimulatedNode[]]

/** Returns how far log time is ahead of the world's, measured by a new write. */
async function logTimeAheadMs(world: World): Promise<number> {
  for (;;) {
    const beganMs = world.nowMs
    const request = world.clients[0]?.request({ kind: 'put', key: 'k1', value: `at ${beganMs}` })
    await until(world, 'it is answered', () => request?.answer !== undefined, 10_000)
    const value = world.checker.log[(request?.answer?.slot ?? 0) - 1]
    assert.ok(value?.kind === 'batch')
    // If a write was retried, it is unknown when it was proposed.
    if (world.nowMs - beganMs < 50) return value.timeMs - EPOCH_MS - world.nowMs
  }
}

/** Checks that log time advances like the world's, to about a hundredth. */
async function assertGoesOn(world: World, forMs = 5_000): Promise<void> {
  const beganMs = world.nowMs
  const before = await logTimeAheadMs(world)
  await world.run(forMs)
  const off = (await logTimeAheadMs(world)) - before
  assert.ok(Math.abs(off) < 0.011 * (world.nowMs - beganMs) + 150, `${off} ms off in ${world.nowMs - beganMs} ms`)
}

function alarmsOf(world: World): readonly string[] {
  return world.leader?.member?.status().alarms.map(({ code }) => code) ?? []
}

test('log time: two of five clocks hours ahead do not carry it, also when two others are not heard', async () => {
  for (const wrong of ['leader', 'followers'] as const) {
    const { world, leader, followers } = await formedWorld({ nodeCount: 5 })
    const [first, second, third, fourth] = followers as [...Nodes, SimulatedNode, SimulatedNode]
    for (const node of [wrong === 'leader' ? leader : third, second]) node.wallOffsetMs = 2 * HOUR_MS
    assert.ok(Math.abs(await logTimeAheadMs(world)) < 1_000)
    for (const node of wrong === 'leader' ? [third, fourth] : [first, fourth]) node.crash()
    await world.run(1_000)
    // A new leader hears only these.
    leader.handOver()
    await until(world, 'another leads', () => world.leader !== undefined && world.leader !== leader)
    await world.run(1_000)
    assert.ok(Math.abs(await logTimeAheadMs(world)) < 1_000)
    await assertGoesOn(world)
    assert.equal(world.totals.of('sessionExpired'), 0)
    await finish(world)
  }
})

test('log time: one clock of three far behind and one node down do not freeze it', async () => {
  const { world, leader, followers } = await formedWorld()
  const [behind, down] = followers as Nodes
  behind.wallOffsetMs = -2 * DAY_MS
  await world.run(1_000)
  down.crash()
  await assertGoesOn(world)
  await until(world, 'the alarm is raised', () => alarmsOf(world).includes('CLOCKS_DIFFER'))
  // The node whose clock is behind leads.
  leader.handOver()
  await until(world, 'it leads', () => world.leader === behind)
  await assertGoesOn(world)
  assert.ok(Math.abs(await logTimeAheadMs(world)) < 1_000)
  behind.wallOffsetMs = 0
  await until(world, 'the alarm is over', () => !alarmsOf(world).includes('CLOCKS_DIFFER'))
  await finish(world)
})

test('log time: after a run whose clocks were two days ahead it goes on by elapsed time, through leaders and restarts', async () => {
  const { world } = await formedWorld({ checkpointEverySlots: 5 })
  // All clocks are wrong from a start on, as after a restart with wrong clocks.
  for (const node of world.nodes) node.crash()
  for (const node of world.nodes) node.wallOffsetMs = 2 * DAY_MS
  for (const node of world.nodes) node.start()
  await world.run(2_000)
  assert.ok((await logTimeAheadMs(world)) > 2 * DAY_MS - 1_000, 'after a start all clocks together are believed')
  for (const node of world.nodes) node.wallOffsetMs = 0
  await assertGoesOn(world)
  await until(world, 'an alarm says so', () => alarmsOf(world).includes('LOG_TIME_AHEAD'))
  const leader = world.leader as SimulatedNode
  leader.crash()
  await until(world, 'another leads', () => world.leader !== undefined && world.leader !== leader)
  await assertGoesOn(world)
  leader.start()
  for (const node of world.nodes) node.crash()
  for (const node of world.nodes) node.start()
  await world.run(2_000)
  await assertGoesOn(world)
  assert.ok((await logTimeAheadMs(world)) > 2 * DAY_MS - 20_000)
  await finish(world)
})

test('log time: a leap of a majority while the cluster runs is not followed where another clock says otherwise', async () => {
  const { world, leader, followers } = await formedWorld()
  const [right, wrong] = followers as Nodes
  await logTimeAheadMs(world)
  for (const node of [leader, wrong]) node.wallOffsetMs = 2 * DAY_MS
  await assertGoesOn(world)
  assert.ok(Math.abs(await logTimeAheadMs(world)) < 1_000)
  await until(world, 'alarms say so', () => alarmsOf(world).includes('LOG_TIME_BEHIND'))
  // A restart of all nodes changes nothing, as one clock still disagrees.
  for (const node of world.nodes) node.crash()
  for (const node of world.nodes) node.start()
  await world.run(2_000)
  await assertGoesOn(world)
  assert.ok(Math.abs(await logTimeAheadMs(world)) < 10_000)
  assert.equal(world.totals.of('sessionExpired'), 0)
  // A leader whose own clock agrees with log time would know that the cluster was not down.
  if (world.leader === right) right.handOver()
  await until(world, 'one of the others leads', () => world.leader !== undefined && world.leader !== right)
  // Now no clock disagrees: the cluster may have been down for two days.
  right.wallOffsetMs = 2 * DAY_MS
  await world.run(1_000)
  assert.ok(Math.abs((await logTimeAheadMs(world)) - 2 * DAY_MS) < 10_000)
})

test('log time: a leap of all clocks while the cluster runs is followed by an hour, and no more', async () => {
  const { world } = await formedWorld()
  await logTimeAheadMs(world)
  for (const node of world.nodes) node.wallOffsetMs = 2 * DAY_MS
  await world.run(1_000)
  const aheadMs = await logTimeAheadMs(world)
  assert.ok(Math.abs(aheadMs - HOUR_MS) < 1_000, `${aheadMs} ms ahead`)
  await assertGoesOn(world)
  assert.ok(alarmsOf(world).includes('LOG_TIME_BEHIND'))
})

test('log time: a new voter that has it from a checkpoint, and leads with clocks that are behind, goes on with it', async () => {
  const { world } = await formedWorld({
    checkpointEverySlots: 5,
    logSlotsMax: 2,
    options: { ...DEFAULT_OPTIONS, recentSlotsMax: 2 },
  })
  for (const node of world.nodes) node.wallOffsetMs = HOUR_MS / 2
  await world.run(500)
  assert.ok((await logTimeAheadMs(world)) > HOUR_MS / 2 - 5_000)
  const laggard = world.nodes.find((node) => node !== world.leader) as SimulatedNode
  laggard.crash()
  for (const node of world.nodes) node.wallOffsetMs = 0
  for (let i = 0; i < 30; i++) await logTimeAheadMs(world)
  laggard.start()
  await until(world, 'it has fetched a checkpoint', () => world.totals.of('fetchedCheckpoint') > 0, 20_000)
  await until(world, 'it is abreast', () => laggard.appliedUpTo === world.checker.decidedUpTo)
  const others = world.nodes.filter((node) => node !== laggard)
  world.leader?.handOver()
  for (let i = 0; i < 20 && world.leader !== laggard; i++) {
    await world.run(1_000)
    if (world.leader !== laggard) world.leader?.handOver()
  }
  others.find((node) => !node.isLeading)?.crash()
  assert.equal(world.leader, laggard)
  await assertGoesOn(world)
  assert.ok((await logTimeAheadMs(world)) > HOUR_MS / 2 - 10_000)
  await finish(world)
})

test('log time: a clock that drifts, and one that leaps there and back, leave it with the others', async () => {
  const { world, leader, followers } = await formedWorld({ nodeCount: 5 })
  const [drifting, leaping] = followers as Nodes
  for (let i = 0; i < 20; i++) {
    drifting.wallOffsetMs += 500
    leaping.wallOffsetMs = i % 2 === 0 ? DAY_MS : -DAY_MS
    await world.run(200)
    assert.ok(Math.abs(await logTimeAheadMs(world)) < 200)
  }
  leader.wallOffsetMs = -DAY_MS
  await assertGoesOn(world)
  await finish(world)
})
