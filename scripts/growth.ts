// Whether memory and disk stay bounded over many operations, and whether the nodes go on while they write checkpoints.
//
//   npx tsx scripts/growth.ts [--operations 10000000] [--nodes 3] [--accounts 1000000] [--out growth]
//
// First half: puts of 100 bytes over 10,000 keys and batches of transfers over 10,000 accounts, as many of each. Each second it samples
// the resident memory, heap and disk of each node. At the end the nodes are stopped and what they keep is counted, record by record.
// Second half, unless --accounts 0: one node with so many accounts under a steady load, with a look at its event loop from within
// (lib/node-probe.mjs): every gap between two of its turns, less what the thread only waited for a processor that others had.
// Writes growth.json and growth.html (with plots, self-contained); prints the figures, PASS or FAIL for each bound, and 'N passed, N
// failed'. For CI: --operations 300000 --accounts 100000.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Client } from '../src/client/client.js'
import { accountOf, keyOf, openAccounts, valueOf } from './lib/bank-load.js'
import { build } from './lib/build.js'
import { Cluster } from './lib/cluster.js'
import { barPlot, linePlot, page } from './lib/plot.js'
import { diskOf, type Kept, keptBy, medianOf, mib, type Probe, probesOf, type Sample, Sampler, slopeOf } from './lib/sampling.js'

const KEYS = 10_000
const ACCOUNTS = 10_000
const VALUE_BYTES = 100
/** Of a TransferBatch; as many puts go with each. */
const BATCH = 50
const CLIENTS = 4
/** Batches that each client has under way. */
const WORKERS = 8
const FORM_TIMEOUT_MS = 60_000
const TIMEOUT_MS = 120_000

/** The bounds of the issue. */
const RSS_GROWTH = 0.1
const RSS_SLACK_BYTES = 30 << 20
/** In a shorter run V8's heap is still growing to its size: then this is all that memory is held to. */
const OPERATIONS_TO_TELL = 1_000_000
const RSS_SHORT_BYTES = 700 << 20
const DISK_FACTOR = 2
const WINDOW_BYTES = 64 << 20
const PAUSE_MS_MAX = 20

/** How long the load on the many accounts lasts, and its operations per second: what one node does with ease. */
const PAUSE_RUN_MS = 60_000
const PAUSE_RATE = 4_000
/** What is below the second is not noted. */
const BUCKETS_MS = [2, 5, 10, 20, 50, 100, 1_000]

const { values: flags } = parseArgs({
  options: {
    operations: { type: 'string', default: '10000000' },
    nodes: { type: 'string', default: '3' },
    accounts: { type: 'string', default: '1000000' },
    out: { type: 'string', default: '.' },
  },
})
const OPERATIONS = Number(flags.operations)
const MANY_ACCOUNTS = Number(flags.accounts)

const facts: [string, string][] = []
const sections: string[] = []
const json: Record<string, unknown> = { operations: OPERATIONS, nodes: Number(flags.nodes) }
let passed = 0
let failed = 0

function say(name: string, value: string): void {
  facts.push([name, value])
  console.log(`${name}: ${value}`)
}

function judge(what: string, isFine: boolean, how: string): void {
  if (isFine) passed++
  else failed++
  say(`${isFine ? 'PASS' : 'FAIL'} ${what}`, how)
}

/** As many puts as transfers, until `OPERATIONS` are done. */
async function work(clients: readonly Client[], onDone: (count: number) => void): Promise<void> {
  let begun = 0
  const worker = async (client: Client, name: string): Promise<void> => {
    for (let n = 0; begun < OPERATIONS; n++) {
      begun += 2 * BATCH
      const draw = (i: number, of: number): number => (Math.imul(begun + i, 2_654_435_761) >>> 0) % of
      const puts = Array.from({ length: BATCH }, (_, i) => client.kv.put(keyOf(draw(i, KEYS)), valueOf(begun + i, VALUE_BYTES)))
      const transfers = Array.from({ length: BATCH }, (_, i) => {
        const source = draw(2 * i, ACCOUNTS)
        const destination = (source + 1 + draw(2 * i + 1, ACCOUNTS - 1)) % ACCOUNTS
        return {
          transferId: `${name}-${n}-${i}`,
          sourceAccountId: accountOf(source),
          destinationAccountId: accountOf(destination),
          amount: 1n,
        }
      })
      await Promise.all([...puts, client.bank.transferBatch({ transfers })])
      onDone(2 * BATCH)
    }
  }
  await Promise.all(clients.flatMap((client, c) => Array.from({ length: WORKERS }, (_, w) => worker(client, `t${c}-${w}`))))
}

async function growth(directory: string): Promise<void> {
  const cluster = await Cluster.make({ directory, nodes: Number(flags.nodes), probes: true })
  for (const node of cluster.nodes) cluster.start(node)
  try {
    await cluster.untilFormed(FORM_TIMEOUT_MS)
    await openAccounts(cluster, ACCOUNTS)
    const clients = Array.from({ length: CLIENTS }, (_, i) => {
      const first = i % cluster.nodes.length
      const endpoints = [...cluster.endpoints.slice(first), ...cluster.endpoints.slice(0, first)]
      return cluster.connect({ endpoints, timeoutMs: TIMEOUT_MS })
    })
    let done = 0
    let toldMs = 0
    const beganMs = performance.now()
    const sampler = new Sampler(cluster.nodes, () => done)
    await work(clients, (count) => {
      done += count
      if (performance.now() < toldMs) return
      toldMs = performance.now() + 10_000
      console.error(`${done} of ${OPERATIONS} operations, ${Math.round((1_000 * done) / (performance.now() - beganMs))}/s`)
    })
    const seconds = (performance.now() - beganMs) / 1_000
    sampler.stop()
    for (const client of clients) client.close()
    await cluster.untilLevel(TIMEOUT_MS)
    await cluster.stop()
    say('operations', `${done} in ${seconds.toFixed(0)} s: ${Math.round(done / seconds)} a second`)
    for (const node of cluster.nodes) {
      judgeNode(node.nodeId, sampler.samples.get(node.nodeId) ?? [], await keptBy(node), diskOf(node.dataDirectory))
    }
    json['samples'] = Object.fromEntries(sampler.samples)
    plotSamples(sampler)
  } finally {
    await cluster.stop()
  }
}

function judgeNode(nodeId: number, samples: readonly Sample[], kept: Kept, diskAtEnd: number): void {
  const quarter = (n: number): Sample[] =>
    samples.slice(Math.floor(((n - 1) * samples.length) / 4), Math.floor((n * samples.length) / 4))
  const second = medianOf(quarter(2).map(({ rss }) => rss))
  const last = medianOf(quarter(4).map(({ rss }) => rss))
  const slope = slopeOf(samples.slice(samples.length / 2).map(({ done, rss }) => [done, rss]))
  const isLong = OPERATIONS >= OPERATIONS_TO_TELL
  const isFlat = isLong ? last - second <= Math.max(RSS_GROWTH * second, RSS_SLACK_BYTES) : last <= RSS_SHORT_BYTES
  const how = `${mib(second)} in the second quarter, ${mib(last)} in the last; ${mib(1e6 * slope)} per million operations in the second half`
  judge(
    `node ${nodeId}: memory is ${isLong ? 'flat' : `at most ${mib(RSS_SHORT_BYTES)} (too few operations to tell more)`}`,
    isFlat,
    how,
  )
  const live = kept.state + kept.history + kept.rest
  const bound = DISK_FACTOR * live + WINDOW_BYTES
  const peak = Math.max(...quarter(4).map(({ disk }) => disk))
  const parts = `state ${mib(kept.state)}, history ${mib(kept.history)}, log ${mib(kept.log)}, rest ${mib(kept.rest)}`
  judge(
    `node ${nodeId}: disk is within twice the live data and the window`,
    Math.max(peak, diskAtEnd) <= bound,
    `${mib(diskAtEnd)} at the end, ${mib(peak)} at most in the last quarter, of ${mib(bound)} (${parts})`,
  )
  json[`node${nodeId}`] = { second, last, slope, kept, diskAtEnd, peak, bound }
}

function plotSamples({ samples }: Sampler): void {
  const plot = (title: string, of: (sample: Sample) => number): string =>
    linePlot({
      title,
      xUnit: 'operations',
      yUnit: 'MiB',
      lines: [...samples].map(([nodeId, list]) => ({
        name: `node ${nodeId}`,
        points: list.map((sample) => [sample.done, of(sample) / (1 << 20)] as const),
      })),
    })
  sections.push(
    plot('Resident memory, without mapped files', ({ rss }) => rss),
    plot('Heap in use', ({ heap }) => heap),
    plot('Disk', ({ disk }) => disk),
  )
}

/** One node, many accounts, a load that it could carry several times over. */
async function pauses(directory: string): Promise<void> {
  const cluster = await Cluster.make({ directory, nodes: 1, probes: true })
  const [node] = cluster.nodes
  if (node === undefined) throw new Error('there is one node')
  cluster.start(node)
  try {
    await cluster.untilFormed(FORM_TIMEOUT_MS)
    const openedMs = performance.now()
    await openAccounts(cluster, MANY_ACCOUNTS)
    console.error(`${MANY_ACCOUNTS} accounts opened in ${Math.round((performance.now() - openedMs) / 1_000)} s`)
    const client = cluster.connect({ timeoutMs: TIMEOUT_MS })
    const sinceMs = Date.now()
    const done = await steadyTransfers(client)
    client.close()
    const probes = probesOf(node).filter(({ t }) => t >= sinceMs)
    say('accounts, for the pauses', `${MANY_ACCOUNTS}; ${done} transfers in ${PAUSE_RUN_MS / 1_000} s`)
    judgePauses(probes)
  } finally {
    await cluster.stop()
  }
}

async function steadyTransfers(client: Client): Promise<number> {
  const endMs = performance.now() + PAUSE_RUN_MS
  const waiting = new Set<Promise<unknown>>()
  let n = 0
  for (let tickMs = performance.now(); performance.now() < endMs; tickMs += 10) {
    for (let i = 0; i < PAUSE_RATE / 100 && waiting.size < PAUSE_RATE; i++) {
      const source = (Math.imul(++n, 2_654_435_761) >>> 0) % MANY_ACCOUNTS
      const transfer = client.bank
        .transfer({
          transferId: `p-${n}`,
          sourceAccountId: accountOf(source),
          destinationAccountId: accountOf((source + 1) % MANY_ACCOUNTS),
          amount: 1n,
        })
        .finally(() => waiting.delete(transfer))
      waiting.add(transfer)
    }
    await delay(Math.max(0, tickMs + 10 - performance.now()))
  }
  await Promise.all(waiting)
  return n
}

/** The longest of each kind, in ms, in one line of the probe. */
interface Longest {
  readonly t: number
  /** As it was, on a machine that others use, too. */
  readonly all: number
  /** On a processor of its own. */
  readonly own: number
  /** What of it the thread ran itself. */
  readonly ran: number
  /** Without collecting garbage. */
  readonly working: number
  readonly gc: number
}

function longestOf({ t, gc, pauses: list }: Probe): Longest {
  const max = (of: (pause: Probe['pauses'][number]) => number): number => Math.max(0, ...list.map(of))
  return {
    t,
    all: max(([gap]) => gap),
    own: max(([gap, waited]) => gap - waited),
    ran: max(([, , ran]) => ran),
    working: max(([gap, waited, , collected]) => gap - waited - collected),
    gc,
  }
}

function judgePauses(probes: readonly Probe[]): void {
  const longest = probes.map(longestOf)
  const max = (of: (one: Longest) => number): number => Math.max(0, ...longest.map(of))
  const own = max((one) => one.own)
  judge(
    `no pause over ${PAUSE_MS_MAX} ms while checkpoints are written`,
    own <= PAUSE_MS_MAX,
    `longest ${own.toFixed(1)} ms, of which it ran ${max(({ ran }) => ran).toFixed(1)} ms at most; without collecting garbage ` +
      `${max(({ working }) => working).toFixed(1)} ms; longest collection ${max(({ gc }) => gc).toFixed(1)} ms; with what it waited for a ` +
      `processor ${max(({ all }) => all).toFixed(1)} ms`,
  )
  const histogram = (of: (pause: Probe['pauses'][number]) => number): { name: string; count: number }[] =>
    BUCKETS_MS.map((upper, i) => {
      const lower = BUCKETS_MS[i - 1] ?? 0
      const inside = probes.flatMap((probe) => probe.pauses.map(of)).filter((ms) => ms >= lower && ms < upper)
      return { name: `${lower}–${upper}`, count: inside.length }
    })
  const bars = histogram(([gap, waited]) => Math.max(0, gap - waited))
  const working = histogram(([gap, waited, , collected]) => Math.max(0, gap - waited - collected))
  console.log('\n  pauses, by ms    all   without collecting garbage')
  for (const [i, { name, count }] of bars.entries()) {
    console.log(`  ${name.padStart(10)}  ${String(count).padStart(8)}  ${String(working[i]?.count).padStart(8)}`)
  }
  const beganMs = probes[0]?.t ?? 0
  const line = (name: string, of: (one: Longest) => number) => ({
    name,
    points: longest.map((one) => [(one.t - beganMs) / 1_000, of(one)] as const),
  })
  sections.push(
    barPlot('Pauses of 2 ms and more while checkpoints are written', 'ms', bars),
    barPlot('The same, without what of them was the collection of garbage', 'ms', working),
    linePlot({
      title: 'The longest pause in each tenth of a second',
      xUnit: 's',
      yUnit: 'ms',
      lines: [line('pause', (one) => one.own), line('without collecting garbage', (one) => one.working)],
      limits: [{ name: `${PAUSE_MS_MAX} ms`, y: PAUSE_MS_MAX }],
    }),
  )
  json['pauses'] = { own, longest, histogram: bars, working }
}

build()
const directory = mkdtempSync(join(tmpdir(), 'synod-growth-'))
try {
  if (OPERATIONS > 0) {
    mkdirSync(join(directory, 'growth'))
    await growth(join(directory, 'growth'))
  }
  if (MANY_ACCOUNTS > 0) {
    mkdirSync(join(directory, 'pauses'))
    await pauses(join(directory, 'pauses'))
  }
} catch (error) {
  failed++
  console.error(error, `\nthe data and logs are kept in ${directory}`)
}
mkdirSync(flags.out, { recursive: true })
writeFileSync(join(flags.out, 'growth.json'), `${JSON.stringify(json, undefined, 2)}\n`)
writeFileSync(join(flags.out, 'growth.html'), page('Synod: memory and disk over many operations', facts, sections))
console.log(`plots are in ${join(flags.out, 'growth.html')}`)
if (failed === 0) rmSync(directory, { recursive: true })
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
