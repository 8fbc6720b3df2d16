// How long until a cluster serves again after all of its nodes were killed, with a million keys; side by side with etcd, on this machine,
// with the same keys and values, in one run.
//
//   npx tsx scripts/bench-restart.ts [--keys 1000000] [--accounts 1000000] [--nodes 3] [--restarts 3] [--quick]
//
// Wants etcd on the PATH, or its path in $ETCD (Debian: apt-get install etcd-server); without it, only Synod is measured. Both are loaded
// by one client that has many single puts under way. Then, some times over: kill -9 of every node, all started at once, and the clock runs
// from there to the first linearizable read that a client is answered. Synod holds so many bank accounts on top of the keys. --quick takes
// a tenth of everything. Disk is what du says of one node's directory, memory what one process has resident when it serves again.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/output.js'
import { forEach, keyOf, openAccounts, putKeys, valueOf } from './lib/bank-load.js'
import { build } from './lib/build.js'
import { Cluster, until } from './lib/cluster.js'
import { Etcd, etcdVersion } from './lib/etcd.js'
import { cpuSecondsOf, diskOf, medianOf, mib, rssOfPid } from './lib/sampling.js'

const VALUE_BYTES = 100
const TIMEOUT_MS = 120_000
/** Puts under way; etcd refuses more at once than it has room for. */
const ETCD_IN_FLIGHT = 256
const PROBE_KEY = keyOf(0)

const { values: flags } = parseArgs({
  options: {
    keys: { type: 'string' },
    accounts: { type: 'string' },
    nodes: { type: 'string', default: '3' },
    restarts: { type: 'string', default: '3' },
    quick: { type: 'boolean', default: false },
  },
})
const KEYS = Number(flags.keys ?? (flags.quick ? 100_000 : 1_000_000))
const ACCOUNTS = Number(flags.accounts ?? (flags.quick ? 100_000 : 1_000_000))
const NODES = Number(flags.nodes)
const RESTARTS = Number(flags.restarts)

interface Figures {
  readonly loadSeconds: number
  readonly restartMs: readonly number[]
  /** What one node had of the processors until then; unlike the time, it does not depend on what else this machine does. */
  readonly restartCpu: readonly number[]
  readonly disk: number
  readonly rss: number
}

async function measureSynod(directory: string): Promise<Figures> {
  const cluster = await Cluster.make({ directory, nodes: NODES })
  for (const node of cluster.nodes) cluster.start(node)
  try {
    await cluster.untilFormed(TIMEOUT_MS)
    const client = cluster.connect({ timeoutMs: TIMEOUT_MS })
    const beganMs = performance.now()
    await putKeys(client, KEYS, VALUE_BYTES)
    const loadSeconds = (performance.now() - beganMs) / 1_000
    client.close()
    await openAccounts(cluster, ACCOUNTS)
    await cluster.untilLevel(TIMEOUT_MS)
    const restartMs: number[] = []
    const restartCpu: number[] = []
    for (let n = 0; n < RESTARTS; n++) {
      await Promise.all(cluster.nodes.map((node) => cluster.kill(node)))
      const killedMs = performance.now()
      for (const node of cluster.nodes) cluster.start(node)
      await untilSynodServes(cluster)
      restartMs.push(performance.now() - killedMs)
      restartCpu.push(cpuSecondsOf(cluster.nodes[0]?.child?.pid))
      await cluster.untilFormed(TIMEOUT_MS)
    }
    const [node] = cluster.nodes
    return { loadSeconds, restartMs, restartCpu, disk: diskOf(node?.dataDirectory ?? ''), rss: rssOfPid(node?.child?.pid) ?? 0 }
  } finally {
    await cluster.stop()
  }
}

/** Whichever node answers first. */
async function untilSynodServes(cluster: Cluster): Promise<void> {
  const clients = cluster.nodes.map((node) => cluster.connect({ endpoints: node.clientAddress, timeoutMs: 1_000 }))
  await until('Synod answers a linearizable read', TIMEOUT_MS, async () => {
    const reads = clients.map(async (client) => (await client.kv.get(PROBE_KEY)).pair !== undefined)
    return await Promise.any(reads).catch(() => false)
  })
  for (const client of clients) client.close()
}

async function measureEtcd(directory: string): Promise<Figures> {
  const etcd = await Etcd.make(directory, NODES)
  etcd.start()
  try {
    await etcd.untilUp(TIMEOUT_MS)
    const beganMs = performance.now()
    await forEach(KEYS, ETCD_IN_FLIGHT, (i) => etcd.put(i, keyOf(i), valueOf(i, VALUE_BYTES)))
    const loadSeconds = (performance.now() - beganMs) / 1_000
    const restartMs: number[] = []
    const restartCpu: number[] = []
    for (let n = 0; n < RESTARTS; n++) {
      await etcd.kill()
      const killedMs = performance.now()
      etcd.start()
      await etcd.untilServing(PROBE_KEY, TIMEOUT_MS)
      restartMs.push(performance.now() - killedMs)
      restartCpu.push(cpuSecondsOf(etcd.nodes[0]?.child?.pid))
    }
    const [node] = etcd.nodes
    return { loadSeconds, restartMs, restartCpu, disk: diskOf(node?.dataDirectory ?? ''), rss: rssOfPid(node?.child?.pid) ?? 0 }
  } finally {
    await etcd.kill()
    etcd.close()
  }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`
}

function print(synod: Figures, etcd: Figures | undefined): void {
  const row = (name: string, of: (figures: Figures) => number, show: (value: number) => string): string[] => {
    const ratio = etcd === undefined ? '' : (of(synod) / of(etcd)).toFixed(2)
    return [name, show(of(synod)), etcd === undefined ? '-' : show(of(etcd)), ratio]
  }
  const rows = [
    row('restart, median', ({ restartMs }) => medianOf(restartMs), seconds),
    row('restart, slowest', ({ restartMs }) => Math.max(...restartMs), seconds),
    row('processor time of a node', ({ restartCpu }) => 1_000 * medianOf(restartCpu), seconds),
    row('disk of a node', ({ disk }) => disk, mib),
    row('resident memory of a node', ({ rss }) => rss, mib),
    row(
      'puts a second while loading',
      ({ loadSeconds }) => KEYS / loadSeconds,
      (value) => String(Math.round(value)),
    ),
  ]
  console.log(`\n${formatTable(['', `Synod (and ${ACCOUNTS} accounts)`, 'etcd', 'Synod / etcd'], rows)}`)
}

build()
const directory = mkdtempSync(join(tmpdir(), 'synod-restart-'))
const version = etcdVersion()
console.log(`${KEYS} keys of ${VALUE_BYTES} bytes, ${NODES} nodes of each; ${version ?? 'no etcd here: only Synod is measured'}`)
let failed = 0
try {
  const synod = await measureSynod(join(directory, 'synod'))
  console.log(`Synod: ${synod.restartMs.map(Math.round).join(', ')} ms`)
  const etcd = version === undefined ? undefined : await measureEtcd(join(directory, 'etcd'))
  if (etcd !== undefined) console.log(`etcd: ${etcd.restartMs.map(Math.round).join(', ')} ms`)
  print(synod, etcd)
} catch (error) {
  failed++
  console.error(error)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
console.log(`\n${1 - failed} passed, ${failed} failed`)
process.exitCode = failed
