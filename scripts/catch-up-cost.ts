// What it costs the others when a node catches up on a large state: throughput of clients of the quorum before, while and after.
//
//   npx tsx scripts/catch-up-cost.ts [--mib 256] [--seconds 15] [--seed-bytes 4096] [--same-priority]
//
// Three nodes hold so many MiB of values. One is killed, and its database deleted: when it is started again it sets aside what is left
// and fetches everything from the others (a checkpoint, then the slots after it), until it votes again. Clients put small values at the
// two others the whole time. Three figures: with two nodes up, while the third catches up, and with all three again; the ratio of the
// second to the mean of the other two is the cost, and should be 0.9 or more.
//
// All nodes share this machine's processors, which is not what is asked: a node that catches up has a machine of its own. So it is
// started with the lowest priority, and takes what the others leave; --same-priority has it compete with them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/output.js'
import type { Client } from '../src/client/client.js'
import { forEach, valueOf } from './lib/bank-load.js'
import { build } from './lib/build.js'
import { Cluster, type ClusterNode, until } from './lib/cluster.js'
import { yieldToOthers } from './lib/priority.js'
import { diskOf, mib } from './lib/sampling.js'

const FORM_TIMEOUT_MS = 60_000
const CATCH_UP_TIMEOUT_MS = 900_000
const TIMEOUT_MS = 120_000
const VALUE_BYTES = 100
const IN_FLIGHT = 64
const SMALL_KEYS = 1_000
const RATIO_MIN = 0.9

const { values: flags } = parseArgs({
  options: {
    mib: { type: 'string', default: '256' },
    seconds: { type: 'string', default: '15' },
    'seed-bytes': { type: 'string', default: '4096' },
    'same-priority': { type: 'boolean', default: false },
  },
})
const STATE_BYTES = Number(flags.mib) * (1 << 20)
const SEED_BYTES = Number(flags['seed-bytes'])

/** Clients of the two that stay, until told to stop. */
class SmallPuts {
  count = 0
  readonly #workers: Promise<unknown>
  #isOver = false

  constructor(client: Client) {
    const value = valueOf(1, VALUE_BYTES)
    const worker = async (w: number): Promise<void> => {
      for (let n = w; !this.#isOver; n += IN_FLIGHT) {
        await client.kv.put(`small-${n % SMALL_KEYS}`, value)
        this.count++
      }
    }
    this.#workers = Promise.all(Array.from({ length: IN_FLIGHT }, (_, w) => worker(w)))
  }

  /** Puts a second, until the promise resolves. */
  async rateDuring(promise: Promise<unknown>): Promise<number> {
    const from = this.count
    const beganMs = performance.now()
    await promise
    return (1_000 * (this.count - from)) / (performance.now() - beganMs)
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#workers
  }
}

async function run(directory: string): Promise<boolean> {
  const cluster = await Cluster.make({ directory, nodes: 3 })
  for (const node of cluster.nodes) cluster.start(node)
  try {
    const leader = await cluster.untilFormed(FORM_TIMEOUT_MS)
    const late = cluster.nodes.find((node) => node !== leader) as ClusterNode
    const others = cluster.nodes.filter((node) => node !== late)
    const filler = cluster.connect({ timeoutMs: TIMEOUT_MS })
    await forEach(Math.ceil(STATE_BYTES / SEED_BYTES), 256, (i) => filler.kv.put(`large-${i}`, valueOf(i, SEED_BYTES)))
    filler.close()
    const client = cluster.connect({ endpoints: others.map(({ clientAddress }) => clientAddress), timeoutMs: TIMEOUT_MS })
    const puts = new SmallPuts(client)
    const pause = (): Promise<unknown> => delay(Number(flags.seconds) * 1_000)
    try {
      await cluster.kill(late)
      rmSync(join(late.dataDirectory, 'db'), { recursive: true })
      await delay(2_000)
      const before = await puts.rateDuring(pause())
      const beganMs = performance.now()
      cluster.start(late)
      const { pid } = late.child ?? {}
      if (pid !== undefined && !flags['same-priority']) yieldToOthers(pid, true)
      const during = await puts.rateDuring(untilVoting(cluster, late))
      const seconds = (performance.now() - beganMs) / 1_000
      if (pid !== undefined) yieldToOthers(pid, false)
      const after = await puts.rateDuring(pause())
      return report({ before, during, after, seconds, disk: diskOf(join(others[0]?.dataDirectory ?? '', 'db')) })
    } finally {
      await puts.stop()
      client.close()
    }
  } finally {
    await cluster.stop()
  }
}

async function untilVoting(cluster: Cluster, node: ClusterNode): Promise<void> {
  await until(`node ${node.nodeId} votes again`, CATCH_UP_TIMEOUT_MS, async () => {
    const status = await cluster.statusOf(node)
    const self = status?.membership?.members.find(({ nodeId }) => nodeId === node.nodeId)
    return self?.voter === true && self.dataDirId === status?.dataDirId
  })
}

function rate(puts: number): string {
  return `${Math.round(puts)} puts/s`
}

function report(seen: { before: number; during: number; after: number; seconds: number; disk: number }): boolean {
  const { before, during, after, seconds, disk } = seen
  const ratio = during / ((before + after) / 2)
  const rows = [
    ['two nodes, before', rate(before), ''],
    [`while the third catches up (${seconds.toFixed(1)} s)`, rate(during), `${(during / before).toFixed(2)} of before`],
    ['three nodes, after', rate(after), `${(after / before).toFixed(2)} of before`],
  ]
  console.log(`\n${flags.mib} MiB of state (${mib(disk)} on disk), ${flags['same-priority'] ? 'same' : 'lowest'} priority\n`)
  console.log(formatTable(['', 'throughput', ''], rows))
  const isFine = ratio >= RATIO_MIN
  console.log(`\n${isFine ? 'PASS' : 'FAIL'} ratio ${ratio.toFixed(2)}, of ${RATIO_MIN} at least`)
  return isFine
}

build()
const directory = mkdtempSync(join(tmpdir(), 'synod-catch-up-'))
let isFine = false
try {
  isFine = await run(directory)
} catch (error) {
  console.error(error)
}
if (isFine) rmSync(directory, { recursive: true })
else console.log(`logs are kept in ${directory}`)
console.log(`\n${isFine ? 1 : 0} passed, ${isFine ? 0 : 1} failed`)
process.exitCode = isFine ? 0 : 1
