// Real nodes whose wall clocks are wrong, by libfaketime: holds end when they should, whatever a minority's clocks or a majority's say.
//
//   npx tsx scripts/interop/clocks.ts
//
// Wants the Debian package libfaketime (any Linux; another place of the library in $FAKETIME_LIB); skips itself elsewhere. The clocks are turned
// while the nodes run; their monotonic clocks are left alone.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { build } from '../lib/build.js'
import { Cluster, type ClusterNode, until } from '../lib/cluster.js'

const LIBRARIES = ['x86_64-linux-gnu', 'aarch64-linux-gnu', 'arm-linux-gnueabihf'].map(
  (triple) => `/usr/lib/${triple}/faketime/libfaketimeMT.so.1`,
)
const FORM_TIMEOUT_MS = 60_000
const HOLD_MS = 3_000
/** A hold ends at most a hundredth late, and a busy machine takes its time to notice. */
const LATE_MS_MAX = 5_000

const library = [process.env['FAKETIME_LIB'] ?? '', ...LIBRARIES].find((file) => existsSync(file))
const directory = mkdtempSync(join(tmpdir(), 'synod-clocks-'))
let passed = 0
let failed = 0
let lastHold = 0

function check(title: string, isFine: boolean, seen = ''): void {
  if (isFine) passed++
  else failed++
  console.log(`${isFine ? 'ok  ' : 'FAIL'} ${title}${isFine ? '' : `\n     ${seen}`}`)
}

function clockFile(nodeId: number): string {
  return join(directory, `clock-${nodeId}`)
}

/** `by`: as faketime takes it, such as +2d. */
function turn(nodes: readonly ClusterNode[], by: string): void {
  for (const { nodeId } of nodes) writeFileSync(clockFile(nodeId), `${by}\n`)
}

async function restart(cluster: Cluster, nodes = cluster.nodes): Promise<void> {
  await cluster.stop(nodes)
  for (const node of nodes) cluster.start(node)
  await cluster.untilFormed(FORM_TIMEOUT_MS, nodes)
}

/** How long the hold lasts that is made now, in ms; undefined when it is pending after withinMs. */
async function holdFor(cluster: Cluster, timeoutMs: number, withinMs: number): Promise<number | undefined> {
  const client = cluster.connect({ timeoutMs: 20_000 })
  const transferId = `hold-${++lastHold}`
  try {
    await client.bank.transfer({
      transferId,
      sourceAccountId: 'alice',
      destinationAccountId: 'bob',
      amount: 1n,
      pending: true,
      timeoutMs,
    })
    const beganMs = performance.now()
    while (performance.now() - beganMs < withinMs) {
      const { account } = await client.bank.getBalance('alice')
      if (account?.held === 0n) return performance.now() - beganMs
      await delay(50)
    }
    await client.bank.voidTransfer({ transferId })
    return undefined
  } finally {
    client.close()
  }
}

async function checkHold(cluster: Cluster, when: string): Promise<void> {
  const lastedMs = await holdFor(cluster, HOLD_MS, HOLD_MS + LATE_MS_MAX)
  const isInTime = lastedMs !== undefined && lastedMs >= 0.98 * HOLD_MS - 200
  check(`a hold of ${HOLD_MS} ms ends in time: ${when}`, isInTime, `it lasted ${lastedMs ?? 'longer than'} ms`)
}

async function isAlarmed(cluster: Cluster, code: string): Promise<void> {
  const isRaised = async (): Promise<boolean> => {
    const statuses = await Promise.all(cluster.nodes.map((node) => cluster.statusOf(node)))
    return statuses.some((status) => status?.alarms.some((alarm) => alarm.code === code) === true)
  }
  await until(`alarm ${code}`, 10_000, isRaised).then(
    () => check(`the alarm ${code} is raised`, true),
    (error: unknown) => check(`the alarm ${code} is raised`, false, String(error)),
  )
}

async function run(libraryFile: string): Promise<void> {
  const cluster = await Cluster.make({
    directory,
    nodes: 3,
    environmentOf: (nodeId) => ({
      LD_PRELOAD: libraryFile,
      FAKETIME_TIMESTAMP_FILE: clockFile(nodeId),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    }),
  })
  const [first, second, third] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode]
  try {
    turn(cluster.nodes, '+0')
    for (const node of cluster.nodes) cluster.start(node)
    await cluster.untilFormed(FORM_TIMEOUT_MS)
    const client = cluster.connect({ timeoutMs: 20_000 })
    for (const accountId of ['alice', 'bob']) await client.bank.openAccount({ accountId, asset: 'EUR' })
    const { authority } = cluster
    await client.bank.deposit({ depositId: 'd', accountId: 'alice', asset: 'EUR', amount: 1_000n, authority })
    client.close()
    await checkHold(cluster, 'all clocks are right')

    turn([first], '+2d')
    await checkHold(cluster, 'a minority has leapt two days ahead')
    turn([first, second], '+2d')
    await checkHold(cluster, 'a majority has leapt two days ahead')
    check('a hold of an hour is not over after that', (await holdFor(cluster, 3_600_000, 3_000)) === undefined)
    await isAlarmed(cluster, 'LOG_TIME_BEHIND')

    turn(cluster.nodes, '+2d')
    await restart(cluster)
    await checkHold(cluster, 'a run of all with clocks two days ahead')
    turn(cluster.nodes, '+0')
    await restart(cluster)
    await checkHold(cluster, 'the clocks are right again, two days behind log time')
    await isAlarmed(cluster, 'LOG_TIME_AHEAD')

    turn([third], '-2d')
    await cluster.kill(second)
    await cluster.untilFormed(FORM_TIMEOUT_MS, [first, third])
    await checkHold(cluster, 'one node is down, and one clock two days behind')
    await isAlarmed(cluster, 'CLOCKS_DIFFER')
  } finally {
    await cluster.stop()
    if (failed > 0)
      for (const { logFile } of cluster.nodes) console.log(readFileSync(logFile, 'utf8').split('\n').slice(-20).join('\n'))
  }
}

if (library === undefined) {
  console.log('skipped: there is no libfaketime')
} else {
  build()
  try {
    await run(library)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}
