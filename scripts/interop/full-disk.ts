// A node whose disk is full: it stops, and says so; the others go on. When there is space again, to be started is all that it needs.
//
//   npx tsx scripts/interop/full-disk.ts [--mib 96]
//
// Mounts a small tmpfs for one node's data and its log, which takes root on Linux; skips itself elsewhere. Clients transfer money and put values the
// whole time, and in the end all that was acknowledged must be there exactly once, on every node.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Random } from '../../src/sim/random.js'
import { build } from '../lib/build.js'
import { Cluster, type ClusterNode, describeEnd, until } from '../lib/cluster.js'
import { Ledger, Load, pushOutOfWindow } from '../lib/ledger.js'

const FULL_NODE = 2
const FORM_TIMEOUT_MS = 60_000
const FILL_TIMEOUT_MS = 180_000
const LEVEL_TIMEOUT_MS = 120_000
/** After it was full: as much as it could ever need here. */
const ENOUGH_MIB = 2_048

const { values: flags } = parseArgs({ options: { mib: { type: 'string', default: '96' } } })
const directory = mkdtempSync(join(tmpdir(), 'synod-full-'))
const mountPoint = join(directory, 'small')
let passed = 0
let failed = 0

function check(title: string, isFine: boolean, seen = ''): void {
  if (isFine) passed++
  else failed++
  console.log(`${isFine ? 'ok  ' : 'FAIL'} ${title}${isFine ? '' : `\n     ${seen}`}`)
}

function mount(): boolean {
  mkdirSync(mountPoint, { recursive: true })
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${flags.mib}m`, 'tmpfs', mountPoint], { stdio: 'ignore' })
  return status === 0
}

async function run(): Promise<void> {
  const cluster = await Cluster.make({
    directory,
    nodes: 3,
    dataDirectoryOf: (nodeId) => (nodeId === FULL_NODE ? join(mountPoint, 'data') : join(directory, `n${nodeId}`, 'data')),
    logFileOf: (nodeId) => (nodeId === FULL_NODE ? join(mountPoint, 'node.log') : join(directory, `n${nodeId}`, 'node.log')),
  })
  const [full] = cluster.nodes.filter(({ nodeId }) => nodeId === FULL_NODE)
  if (full === undefined) throw new Error('there is such a node')
  try {
    for (const node of cluster.nodes) cluster.start(node)
    await cluster.untilFormed(FORM_TIMEOUT_MS)
    const ledger = new Ledger(cluster)
    await ledger.begin()
    const load = new Load(ledger, cluster.endpoints, { clients: 3, name: 'full', random: new Random(1) })
    try {
      await fillAndMend(cluster, full, load)
    } finally {
      await load.stop()
    }
    await ledger.settle()
    await cluster.untilLevel(LEVEL_TIMEOUT_MS)
    await ledger.check(new Random(2), 'all')
    check('all that was acknowledged is there once, on every node', true)
  } finally {
    await cluster.stop()
  }
}

async function fillAndMend(cluster: Cluster, full: ClusterNode, load: Load): Promise<void> {
  const { dataDirId } = (await cluster.statusOf(full)) ?? {}
  const filling = (async () => {
    while (full.ended === undefined) await pushOutOfWindow(cluster)
  })()
  await until('the node stops', FILL_TIMEOUT_MS, () => Promise.resolve(full.ended !== undefined))
  await filling
  const words = full.ended?.lastWords ?? ''
  check('the node on the full disk stops, and says why', /no space|ENOSPC|disk/i.test(words), describeEnd(full))
  console.log(`     ${words}`)
  await load.progress(200, FORM_TIMEOUT_MS)
  check('the others go on', true)

  cluster.start(full)
  await until('it stops again, or serves', FORM_TIMEOUT_MS, async () => full.ended !== undefined || (await serves(cluster, full)))
  check('started again while there is no space, it stops again or serves', true)
  console.log(`     ${full.ended === undefined ? 'it serves' : full.ended.lastWords}`)
  await cluster.kill(full)
  execFileSync('mount', ['-o', `remount,size=${ENOUGH_MIB}m`, mountPoint])

  cluster.start(full)
  const servedMs = await cluster.untilServing(full, FORM_TIMEOUT_MS)
  await cluster.untilFormed(FORM_TIMEOUT_MS)
  check(`with space, to be started is all that it needs (it serves after ${Math.round(servedMs)} ms)`, true)
  const status = await cluster.statusOf(full)
  check('from the same directory: nothing had to be repaired', status?.dataDirId === dataDirId, logOf(full))
  await load.progress(200, FORM_TIMEOUT_MS)
}

async function serves(cluster: Cluster, node: ClusterNode): Promise<boolean> {
  return await cluster.untilServing(node, 1).then(
    () => true,
    () => false,
  )
}

function logOf({ logFile }: ClusterNode): string {
  return readFileSync(logFile, 'utf8').split('\n').slice(-10).join('\n')
}

if (!mount()) {
  rmSync(directory, { recursive: true })
  console.log('a tmpfs cannot be mounted here: this wants root on Linux\n\n0 passed, 0 failed, 1 skipped')
  process.exit(0)
}
build()
try {
  await run()
} catch (error) {
  check('the run comes to its end', false, error instanceof Error ? error.stack : String(error))
} finally {
  spawnSync('umount', ['-l', mountPoint])
}
if (failed === 0) rmSync(directory, { recursive: true })
else console.log(`logs are kept in ${directory}`)
console.log(`\n${passed} passed, ${failed} failed, 0 skipped`)
process.exitCode = failed === 0 ? 0 : 1
