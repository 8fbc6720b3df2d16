import assert from 'node:assert/strict'
import type { SimulatedNode } from '../../src/sim/cluster/simulated-node.js'
import { QUIET_PLAN, type WorldPlan } from '../../src/sim/plan/plan.js'
import { World } from '../../src/sim/runs/world.js'

/** Returns a healthy cluster with a leader, whose clients have sessions, or make requests by themselves if `isBusy`. */
export async function formedWorld(
  plan: Partial<WorldPlan> = {},
  { isBusy = false, seed = 42 } = {},
): Promise<{ world: World; leader: SimulatedNode; followers: SimulatedNode[] }> {
  const world = new World({ seed, plan: { ...QUIET_PLAN, ...plan } })
  world.start()
  if (!isBusy) for (const client of world.clients) client.becomeQuiet()
  assert.ok(await world.runUntil(() => world.leader !== undefined, 3_000), 'a healthy cluster has a leader within three seconds')
  const opened = isBusy
    ? []
    : world.clients.map((client) => client.request({ kind: 'logRead', query: { kind: 'get', key: 'none' } }))
  await until(world, 'every client has a session', () => opened.every(({ answer }) => answer !== undefined))
  await world.run(200)
  const { leader } = world
  assert.ok(leader !== undefined)
  return { world, leader, followers: world.nodes.filter((node) => node !== leader) }
}

/** Checks that everything is answered within `withinMs`, and every answer is right. */
export async function finish(world: World, withinMs = 5_000): Promise<void> {
  for (const client of world.clients) client.becomeQuiet()
  assert.ok(
    await world.runUntil(() => world.history.outstandingCount === 0, withinMs),
    `${world.history.outstandingCount} requests were not answered within ${withinMs} ms`,
  )
  world.checkHistory(world.nodes.filter((node) => node.isUp))
}

/** Lets time pass until the condition holds; fails if it never does. */
export async function until(world: World, what: string, isSo: () => boolean, withinMs = 5_000): Promise<void> {
  assert.ok(await world.runUntil(isSo, withinMs), `within ${withinMs} ms: ${what}`)
}
