import process from 'node:process'
import { parseArgs } from 'node:util'
import { FaultTotals } from '../src/sim/faults.js'
import { replayCommand, runSeed } from '../src/sim/run-seed.js'

const USAGE = `Runs simulated clusters, one seed each.
  npm run sim -- --seed 42 [--verbose]      one world; --verbose prints every event
  npm run sim -- --first 1 --runs 1000      many; stops at the first broken promise unless --keep-going`

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    first: { type: 'string', default: '1' },
    runs: { type: 'string', default: '100' },
    verbose: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(USAGE)
else process.exitCode = await (values.seed === undefined ? runMany(number('first'), number('runs')) : runOne(number('seed')))

function number(flag: 'seed' | 'first' | 'runs'): number {
  const value = Number(values[flag])
  if (Number.isSafeInteger(value) && value >= 0) return value
  console.error(`--${flag} must be a whole number from 0, not ${values[flag]}`)
  process.exit(2)
}

async function runOne(seed: number): Promise<number> {
  const result = await runSeed(seed, values.verbose ? { print: (line) => console.log(line) } : {})
  console.log(
    `seed ${seed}: ${result.failure ?? 'all promises held'}\n` +
      `${result.plan.nodeCount} nodes, ${(result.simulatedMs / 1_000).toFixed(1)} s, ${result.eventCount} events, ` +
      `${result.leaderCount} leaders, ${result.decidedUpTo} slots, ${result.acknowledgedCount} acknowledged\n` +
      `faults: ${result.totals.toString()}\nevent hash: ${result.eventHash}`,
  )
  if (result.error !== undefined && values.verbose) console.log(result.error.cause ?? result.error)
  return result.failure === undefined ? 0 : 1
}

async function runMany(first: number, runs: number): Promise<number> {
  const totals = new FaultTotals()
  const startedMs = performance.now()
  let failed = 0
  for (let seed = first; seed < first + runs; seed++) {
    const result = await runSeed(seed)
    totals.add(result.totals)
    if (result.failure === undefined) continue
    failed++
    console.log(`seed ${seed}: ${result.failure}\n  replay: ${replayCommand(seed)}`)
    if (!values['keep-going']) break
  }
  const seconds = (performance.now() - startedMs) / 1_000
  console.log(`${runs - failed} held, ${failed} broke; ${(runs / seconds).toFixed(1)} runs/s\nfaults: ${totals.toString()}`)
  return failed === 0 ? 0 : 1
}
