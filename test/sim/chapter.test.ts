// The source chapter's own program stalls when its clients are spread over the nodes. Of 40 seeds with 7 clients and 6 operations
// each, 20 finish on 3 nodes and 18 on 7; with 5 % loss 3 and none. These tests run the same settings, for the same 60 virtual
// seconds, with fewer seeds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SimulatedClient } from '../../src/sim/clients/simulated-client.js'
import { GOOD_LINK } from '../../src/sim/cluster/network.js'
import type { ClientInvocation } from '../../src/sim/history/client-history.js'
import { QUIET_PLAN } from '../../src/sim/plan/plan.js'
import { World } from '../../src/sim/runs/world.js'

const SEEDS = 12
const CLIENTS = 7
const OPERATIONS = 6
const TIME_LIMIT_MS = 60_000

for (const nodeCount of [3, 7]) {
  for (const lossRate of [0, 0.05]) {
    test(`${CLIENTS} clients spread over ${nodeCount} nodes finish with ${lossRate * 100} % loss, with every seed`, async () => {
      const stalled: number[] = []
      for (let seed = 1; seed <= SEEDS; seed++) if (!(await finishes(seed, { nodeCount, lossRate }))) stalled.push(seed)
      assert.deepEqual(stalled, [], `${SEEDS - stalled.length} of ${SEEDS} finished`)
    })
  }
}

/** Runs clients that stay with one node each, and ask for one operation after the other. */
async function finishes(seed: number, { nodeCount, lossRate }: { nodeCount: number; lossRate: number }): Promise<boolean> {
  const habits = { ...QUIET_PLAN.habits, clientCount: CLIENTS, lossRate }
  const world = new World({ seed, plan: { ...QUIET_PLAN, nodeCount, habits, link: { ...GOOD_LINK, lossRate } } })
  world.start()
  const tasks = world.clients.map((client, i) => {
    client.becomeQuiet()
    client.useOnly([world.node((i % nodeCount) + 1)])
    return { client, asked: [] as ClientInvocation[] }
  })
  const isFinished = await world.runUntil(() => tasks.map(goOn).every((isDone) => isDone), TIME_LIMIT_MS)
  world.checkHistory(world.nodes)
  return isFinished
}

/** Asks for the next operation when the last one is answered. Returns true when none is left. */
function goOn({ client, asked }: { client: SimulatedClient; asked: ClientInvocation[] }): boolean {
  if (asked.length > 0 && asked.at(-1)?.answer === undefined) return false
  if (asked.length === OPERATIONS) return true
  asked.push(client.request({ kind: 'put', key: 'k', value: `v${asked.length}` }))
  return false
}
