// Kills nodes of a real cluster with SIGKILL, again and again, under load from several clients, and checks after each round that
// everything acknowledged is there exactly once and no money was made or lost.
//
//   npx tsx scripts/soak-kill.ts [--rounds 20] [--clients 6] [--seed 1]
//
// A round kills a minority, or now and then all, for a random while. Prints the time from the kill of a leader to the next
// acknowledged transfer, and at the end 'N passed, N failed'. Ports are free ones; the data is in a temporary directory.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHistogram } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { LocalNode } from '../src/cli/local-cluster.js'
import { Random } from '../src/sim/random.js'
import { checkEveryNode, startBankCluster } from '../test/support/bank-cluster.js'
import { Workload } from '../test/support/workload.js'

const FORM_TIMEOUT_MS = 30_000

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    clients: { type: 'string', default: '6' },
    seed: { type: 'string', default: '1' },
  },
})
const random = new Random(Number(values.seed))
const directory = await mkdtemp(join(tmpdir(), 'synod-soak-'))
const bank = await startBankCluster(directory)
const { cluster, client } = bank
const failovers = createHistogram()
let passed = 0
let failed = 0

function victims(leader: LocalNode): readonly LocalNode[] {
  const draw = random.int(0, 9)
  if (draw < 5) return [leader]
  if (draw < 8) return [random.pick(cluster.nodes)]
  return draw === 8 ? cluster.nodes.slice(0, 2) : cluster.nodes
}

/** One round: load, kill, load on, restart, check on every node. */
async function round(number: number): Promise<void> {
  const workload = new Workload(cluster.endpoints, { clients: Number(values.clients), name: `r${number}` })
  await workload.untilAcknowledged(100)
  const leader = await cluster.untilFormed(client, FORM_TIMEOUT_MS)
  const dead = victims(leader)
  await Promise.all(dead.map((node) => cluster.kill(node, 'SIGKILL')))
  if (dead.length === 1) {
    const killedMs = performance.now()
    await workload.untilAcknowledged(1)
    if (dead[0] === leader) failovers.record(Math.max(1, Math.round(performance.now() - killedMs)))
  }
  await delay(random.int(0, 1_500))
  for (const node of dead) cluster.spawn(node)
  await cluster.untilFormed(client, FORM_TIMEOUT_MS)
  await workload.untilAcknowledged(50)
  await workload.stop()
  await checkEveryNode(bank, workload)
  const who = dead.map((node) => `n${node.nodeId}${node === leader ? ' (leader)' : ''}`).join(', ')
  console.log(
    `round ${number}: killed ${who}; ${workload.acknowledgedCount} acknowledged, ${workload.unknownCount} unknown; all there`,
  )
}

try {
  for (let number = 1; number <= Number(values.rounds); number++) {
    await round(number)
    passed++
  }
} catch (error) {
  failed++
  console.error(error, `\nthe data and logs are kept in ${directory}`)
} finally {
  client.close()
  await cluster.stop()
}
if (failed === 0) await rm(directory, { recursive: true })
if (failovers.count > 0) {
  console.log(
    `leader killed to next acknowledgement: p50 ${failovers.percentile(50)} ms, max ${failovers.max} ms (${failovers.count})`,
  )
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
