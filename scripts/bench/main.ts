// The benchmark: Synod beside etcd and beside what this machine allows.
//
//   npm run bench -- [--quick] [--only NAME[,NAME]] [--rounds N] [--seconds S] [--out DIR] [--cpu-prof DIR]
//   npm run bench -- --list
//
// Wants etcd on the PATH, or its path in $ETCD (Debian: apt-get install etcd-server); and Go ($GO, or on the PATH) to build the newest
// etcd, which is kept for the next run. Without them, that much is left out. Rivals run with three nodes, their defaults and fsync on,
// and are driven by the same client code, in turns: A B A B. --quick, all within two minutes, is for a look; take the full run for
// figures. Each figure is the median of its rounds. Prints tables, PASS or FAIL for each goal, and writes DIR/bench.json and
// DIR/bench.html (by default here). --cpu-prof has Synod's nodes and the client write CPU profiles, which slows them down. A goal that
// is missed is a result, and no failure: the exit code is 1 only when a scenario broke off.
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { formatTable, note, print } from '../../src/cli/output.js'
import { build } from '../lib/build.js'
import { mib } from '../lib/sampling.js'
import { formatHtml } from './report/html.js'
import { formatJson } from './report/json.js'
import { formatTally, type Report, tallyOf } from './report/report.js'
import { formatFinished } from './report/text.js'
import { findEtcds } from './rivals/etcd-programs.js'
import { RivalPool } from './rivals/pool.js'
import { runScenarios } from './runner.js'
import type { Context, Scenario } from './scenario.js'
import { SCENARIOS } from './scenarios/index.js'

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    out: { type: 'string', default: '.' },
    'cpu-prof': { type: 'string' },
  },
})
const ROUNDS = Number(flags.rounds ?? (flags.quick ? 1 : 3))
const SECONDS = Number(flags.seconds ?? (flags.quick ? 1 : 3))
/** Of a turn's measured time. */
const WARMUP_SHARE = 0.4

/** Those that --only names, in their own order. @throws Error */
function chosen(): readonly Scenario[] {
  const names = flags.only?.split(',')
  const unknown = names?.find((name) => !SCENARIOS.some((scenario) => scenario.name === name))
  if (unknown !== undefined) throw new Error(`there is no scenario ${unknown}; --list shows which there are`)
  return SCENARIOS.filter(({ name }) => names?.includes(name) ?? true)
}

async function run(scenarios: readonly Scenario[]): Promise<Report> {
  const startedAt = new Date()
  const etcds = findEtcds({ isQuick: flags.quick, note })
  const profileDirectory = flags['cpu-prof'] === undefined ? undefined : resolve(flags['cpu-prof'])
  const rivals = new RivalPool({ etcds, profileDirectory })
  const warmupSeconds = WARMUP_SHARE * SECONDS
  const context: Context = { isQuick: flags.quick, rounds: ROUNDS, seconds: SECONDS, warmupSeconds, rivals, note }
  try {
    const finished = await runScenarios(scenarios, context, { profileDirectory, onFinished: (one) => print(formatFinished(one)) })
    return { startedAt, facts: factsOf(startedAt, etcds), finished }
  } finally {
    await rivals.stopAll()
  }
}

function factsOf(startedAt: Date, etcds: readonly { readonly title: string }[]): Report['facts'] {
  return [
    ['when', startedAt.toISOString()],
    ['processors', `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}`],
    ['memory', mib(totalmem())],
    ['system', `${process.platform} ${release()}, Node ${process.version}`],
    ['rivals', etcds.map(({ title }) => title).join(', ') || 'no etcd here'],
    ['turns', `${ROUNDS} of ${SECONDS} s each${flags.quick ? ', quick' : ''}`],
  ]
}

async function main(): Promise<void> {
  const scenarios = chosen()
  build()
  const report = await run(scenarios)
  mkdirSync(flags.out, { recursive: true })
  writeFileSync(join(flags.out, 'bench.json'), formatJson(report))
  writeFileSync(join(flags.out, 'bench.html'), formatHtml(report))
  const tally = tallyOf(report)
  print(`\n${formatTally(tally)}`)
  process.exitCode = tally.failed === 0 ? 0 : 1
}

if (flags.list) {
  const rows = SCENARIOS.map(({ name, title }) => [name, title])
  print(formatTable(['name', 'what'], rows))
} else {
  await main()
}
