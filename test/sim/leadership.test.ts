import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SimulatedNode } from '../../src/sim/cluster/simulated-node.js'
import { QUIET_PLAN } from '../../src/sim/plan/plan.js'
import { World } from '../../src/sim/runs/world.js'
import { finish, formedWorld, until } from './scenario.js'

type Nodes = [SimulatedNode, SimulatedNode, ...SimulatedNode[]]

for (const syncMsMean of [700, 3_000]) {
  test(`disks whose syncs take ${syncMsMean} ms: a leader is elected, stays, and is succeeded by another`, async () => {
    const world = new World({ seed: syncMsMean, plan: { ...QUIET_PLAN, syncMsMean } })
    world.start()
    const { heartbeatIntervalMs } = QUIET_PLAN.options
    const withinMs = 20 * syncMsMean + 100 * heartbeatIntervalMs
    await until(world, 'somebody leads', () => world.leader !== undefined, withinMs)
    await until(world, 'slots are decided', () => world.checker.decidedUpTo > 3, withinMs)
    const countBefore = world.checker.leaderCount
    await world.run(20 * syncMsMean)
    assert.ok(world.checker.leaderCount <= countBefore + 2, `${world.checker.leaderCount - countBefore} changes of the leader`)
    await until(world, 'somebody leads', () => world.leader !== undefined, withinMs)
    const first = world.leader as SimulatedNode
    first.crash()
    const decidedBefore = world.checker.decidedUpTo
    await until(world, 'another leads', () => world.leader !== undefined && world.leader !== first, withinMs)
    for (const client of world.clients) client.useOnly(world.nodes.filter((node) => node !== first))
    await until(world, 'slots are decided', () => world.checker.decidedUpTo > decidedBefore + 3, withinMs)
    assert.ok(world.checker.leaderCount < 15, `${world.checker.leaderCount} leaders`)
  })
}

test('a paused follower hears its leader before it judges its silence, and a paused leader hears its followers', async () => {
  const { world, leader, followers } = await formedWorld({}, { isBusy: true })
  const countBefore = world.checker.leaderCount
  const [follower] = followers as Nodes
  for (let i = 0; i < 4; i++) {
    follower.pause()
    await world.run(900)
    follower.wake()
    await world.run(200)
    assert.equal(follower.core?.phase, 'following')
    // Shorter than the time after which the others give the leader up.
    leader.pause()
    await world.run(280)
    leader.wake()
    await world.run(200)
    assert.ok(leader.isLeading)
  }
  assert.equal(world.checker.leaderCount, countBefore)
  await finish(world)
})

test('both followers are paused, and the leader stays', async () => {
  const { world, leader, followers } = await formedWorld({}, { isBusy: true })
  const countBefore = world.checker.leaderCount
  for (let i = 0; i < 5; i++) {
    for (const follower of followers) follower.pause()
    await world.run(500)
    for (const follower of followers) follower.wake()
    await world.run(300)
  }
  assert.ok(leader.isLeading)
  assert.equal(world.checker.leaderCount, countBefore)
  await finish(world)
})

test('all nodes are paused at once, again and again, and the leader stays', async () => {
  const { world, leader } = await formedWorld({}, { isBusy: true })
  const countBefore = world.checker.leaderCount
  for (let i = 0; i < 5; i++) {
    for (const node of world.nodes) node.pause()
    await world.run(2_000)
    for (const node of world.nodes) node.wake()
    await world.run(100)
  }
  assert.ok(leader.isLeading)
  assert.equal(world.checker.leaderCount, countBefore)
  await finish(world)
})

test('a leader whose turns get slower and slower is given more time', async () => {
  const { world, leader } = await formedWorld({}, { isBusy: true })
  const countBefore = world.checker.leaderCount
  for (const ms of [100, 150, 200, 250, 300, 400, 500, 700, 900, 1_000]) {
    leader.pause()
    await world.run(ms)
    leader.wake()
    await world.run(30)
  }
  assert.ok(leader.isLeading)
  assert.equal(world.checker.leaderCount, countBefore)
  // A dead leader is still replaced soon.
  await world.run(8_000)
  leader.crash()
  await until(world, 'another leads', () => world.leader !== undefined, 1_500)
  await finish(world)
})

test('followers whose turns get slower and slower are given more time, and a leader that lost its lead because of them is more patient', async () => {
  const { world, leader, followers } = await formedWorld({}, { isBusy: true })
  const countBefore = world.checker.leaderCount
  const stall = async (ms: number): Promise<void> => {
    for (const node of followers) node.pause()
    await world.run(ms)
    for (const node of followers) node.wake()
    await world.run(60)
  }
  for (const ms of [100, 150, 200, 250, 300, 400, 500, 700, 900, 1_000]) await stall(ms)
  assert.ok(leader.isLeading)
  assert.equal(world.checker.leaderCount, countBefore)
  await world.run(20_000)
  // Without a gradual increase.
  for (let i = 0; i < 6; i++) await stall(1_000)
  assert.ok(world.checker.leaderCount <= countBefore + 1, `${world.checker.leaderCount - countBefore} changes of the leader`)
  // A leader that is really cut off still steps down soon.
  await world.run(20_000)
  const [cut] = world.nodes.filter((node) => node.isLeading)
  assert(cut !== undefined)
  for (const node of world.nodes) if (node !== cut) node.crash()
  await until(world, 'it steps down', () => !cut.isLeading, 1_000)
  for (const node of world.nodes) if (node !== cut) node.start()
  await finish(world)
})

test('with one node dead and a disk that was slow for a while, no request is routed through the dead node', async () => {
  const { world, leader, followers } = await formedWorld()
  const [follower, dead] = followers as Nodes
  dead.crash()
  const [client] = world.clients
  client?.useOnly([follower])
  leader.disk.isStalled = true
  follower.disk.isStalled = true
  const slow = client?.request({ kind: 'put', key: 'k1', value: 'slow' })
  await world.run(1_150)
  leader.disk.isStalled = false
  follower.disk.isStalled = false
  await until(world, 'it is answered', () => slow?.answer !== undefined)
  for (let i = 0; i < 20; i++) {
    client?.useOnly([follower])
    const beganMs = world.nowMs
    const request = client?.request({ kind: 'put', key: 'k1', value: `${i}` })
    await until(world, 'it is answered', () => request?.answer !== undefined, 10_000)
    assert.ok(world.nowMs - beganMs < 500, `it took ${world.nowMs - beganMs} ms`)
  }
  await finish(world)
})

test('a follower that the leader does not hear is routed through one that it hears', async () => {
  const { world, leader, followers } = await formedWorld({ nodeCount: 5 })
  const [mute] = followers as Nodes
  world.network.cut(mute.id, leader.id)
  const [client] = world.clients
  await world.run(1_000)
  client?.useOnly([mute])
  for (let i = 0; i < 10; i++) {
    const request = client?.request({ kind: 'put', key: 'k1', value: `${i}` })
    await until(world, 'it is answered', () => request?.answer !== undefined, 4_000)
  }
  assert.ok(leader.isLeading)
  await finish(world)
})
