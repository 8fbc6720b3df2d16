import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QUIET_HABITS } from '../../../src/sim/clients/habits.js'
import { finish, formedWorld, until } from '../scenario.js'

const PUT = { kind: 'put', key: 'k1', value: 'v1' } as const

function sessionOf(names: readonly string[] | undefined): string | undefined {
  return names?.[0]?.split(':')[0]
}

test('a request whose node dies goes to another under the same number, and is carried out once', async () => {
  const { world, leader } = await formedWorld()
  const [client] = world.clients
  client?.useOnly([leader])
  await world.run(200)
  for (const { id } of world.nodes) if (id !== leader.id) world.network.cutBothWays(id, leader.id)
  const put = client?.request(PUT)
  await until(world, 'it was sent', () => put?.sentAs.length === 1)
  assert.ok(put !== undefined)
  leader.crash()
  client?.useOnly(world.nodes)
  await until(world, 'it is answered', () => put.answer !== undefined, 10_000)
  assert.equal(put.sentAs.length, 1)
  await finish(world)
})

test('a client that dies gives up its requests, and comes back with another session', async () => {
  const { world, leader } = await formedWorld()
  const [client] = world.clients
  leader.pause()
  client?.useOnly([leader])
  const put = client?.request(PUT)
  await world.run(50)
  client?.die()
  assert.deepEqual([put?.isAbandoned, put?.isDenied], [true, false])
  leader.wake()
  await world.run(500)
  client?.spare()
  const again = client?.request(PUT)
  await until(world, 'it is answered', () => again?.answer !== undefined, 10_000)
  assert.notEqual(sessionOf(again?.sentAs), sessionOf(put?.sentAs))
  await finish(world)
})

test('a request with too little time is given up or denied, and a denied one is not in the log', async () => {
  const habits = {
    ...QUIET_HABITS,
    clientCount: 3,
    outstandingMax: 3,
    hurryRate: 1,
    burstRate: 0.2,
    timeoutMs: 40,
    thinkMsMean: 5,
  }
  const { world } = await formedWorld({ habits, syncMsMean: 3 }, { isBusy: true })
  const { invocations } = world.history
  await until(
    world,
    'some were answered in time',
    () => invocations.filter(({ answer }) => answer !== undefined).length > 50,
    30_000,
  )
  for (const node of world.nodes) node.disk.isSlow = true
  await until(world, 'some were denied', () => invocations.filter(({ isDenied }) => isDenied).length > 20, 30_000)
  await until(
    world,
    'some ended without a word',
    () => invocations.filter((one) => one.isAbandoned && !one.isDenied).length > 20,
    30_000,
  )
  for (const node of world.nodes) node.disk.isSlow = false
  await world.run(2_000)
  await finish(world, 10_000)
})

test('a client that closes its session has another; copies of its requests get the same answers', async () => {
  const habits = { ...QUIET_HABITS, closeRate: 0.5, duplicateRate: 0.5, misuseRate: 0.2 }
  const { world } = await formedWorld({ habits }, { isBusy: true })
  await until(world, 'much is answered', () => world.history.acknowledgedCount > 60, 30_000)
  for (const trouble of ['sessionClosed', 'duplicateRequest', 'misuse'] as const) assert.ok(world.totals.of(trouble) > 3, trouble)
  assert.ok([...world.history.clientIds].length > 5)
  await finish(world)
})
