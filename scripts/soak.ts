// Simulates as many worlds as one likes, a seed each, on all cores, and goes on where it stopped.
//
//   npx tsx scripts/soak.ts [--for 8h] [--dir soak] [--jobs 2] [--first 1000000]
//
// Runs for so long, or until Ctrl-C. The directory keeps progress.json, and of each failure a line in failures.jsonl and its plan, which is
// shrunk once the time is up. Prints 'N passed, N failed' of this call.
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatPlan } from '../src/sim/plan/plan-file.js'
import { shrink } from '../src/sim/plan/shrink.js'
import { tellSchedule } from '../src/sim/plan/tell-fault.js'
import { runSeeds } from '../src/sim/runs/jobs.js'
import { planOf, replayPlanCommand } from '../src/sim/runs/run-seed.js'
import type { RunSummary } from '../src/sim/runs/summary.js'
import { judge } from '../src/sim/runs/verdict.js'

interface Progress {
  /** Every seed below, from the first one on, has been lived through. */
  nextSeed: number
  passed: number
  failed: number
}

const SHRINK_RUNS_MAX = 2_000
const SAVE_MS = 5_000
const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000 } as const

const { values } = parseArgs({
  options: {
    for: { type: 'string', default: '1h' },
    dir: { type: 'string', default: 'soak' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    first: { type: 'string', default: '1000000' },
  },
})

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}

function durationMs(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,6})([smh])$/.exec(text) ?? []
  if (Number(number) > 0) return Number(number) * UNIT_MS[unit as keyof typeof UNIT_MS]
  return fail(`--for must be a whole number with its unit, as 30s, 10m or 8h, not ${text}`)
}

function positive(flag: 'jobs' | 'first'): number {
  const value = Number(values[flag])
  return Number.isSafeInteger(value) && value >= 1 ? value : fail(`--${flag} must be a whole number from 1, not ${values[flag]}`)
}

const deadlineMs = performance.now() + durationMs(values.for)
const jobs = positive('jobs')
const first = positive('first')
const progressFile = join(values.dir, 'progress.json')
mkdirSync(values.dir, { recursive: true })
const progress: Progress = existsSync(progressFile)
  ? (JSON.parse(readFileSync(progressFile, 'utf8')) as Progress)
  : { nextSeed: first, passed: 0, failed: 0 }
/** Seeds end in any order: those that are done, with the next one not. */
const done = new Map<number, RunSummary>()
const failures: RunSummary[] = []

function planFile(seed: number): string {
  return join(values.dir, `seed-${seed}.json`)
}

/** Writes down the failure at once, as it is: whatever comes, it is not lost. */
function keep({ seed, verdict, sentence, stack }: RunSummary): void {
  const file = planFile(seed)
  writeFileSync(file, formatPlan({ seed, plan: planOf(seed) }))
  const line = { seed, verdict, sentence, stack, replay: replayPlanCommand(file) }
  appendFileSync(join(values.dir, 'failures.jsonl'), `${JSON.stringify(line)}\n`)
  console.log(`seed ${seed}: ${sentence}\n  replay: ${line.replay}`)
}

/** Puts a smaller plan in the place of the one that failed, if there is one. */
async function makeSmaller({ seed }: RunSummary, goesOn: () => boolean): Promise<void> {
  const seeded = { seed, plan: planOf(seed) }
  const failure = await judge(seeded)
  if (failure.kind === 'held') return
  const { best } = await shrink(seeded, failure, { runsMax: SHRINK_RUNS_MAX, goesOn })
  writeFileSync(planFile(seed), formatPlan(best))
  console.log(
    `seed ${seed}, shrunk:\n${tellSchedule(best.plan.faults)
      .map((line) => `  ${line}\n`)
      .join('')}`,
  )
}

/** Only seeds without a gap count: the next call begins behind them. */
function onRun(run: RunSummary): void {
  done.set(run.seed, run)
  if (run.verdict !== 'held') {
    failures.push(run)
    keep(run)
  }
  for (let next = done.get(progress.nextSeed); next !== undefined; next = done.get(progress.nextSeed)) {
    done.delete(progress.nextSeed++)
    if (next.verdict === 'held') progress.passed++
    else progress.failed++
  }
}

function save(): void {
  writeFileSync(progressFile, JSON.stringify(progress))
  process.stderr.write(`up to seed ${progress.nextSeed - 1}: ${progress.passed} passed, ${progress.failed} failed\n`)
}

const stop = new AbortController()
process.on('SIGINT', () => stop.abort())
const before = { ...progress }
const saving = setInterval(save, SAVE_MS)
await runSeeds({
  firstSeed: progress.nextSeed,
  runCount: Number.POSITIVE_INFINITY,
  jobs,
  signal: stop.signal,
  onRun,
  goesOn: () => performance.now() < deadlineMs,
})
clearInterval(saving)
save()
for (const failure of failures) await makeSmaller(failure, () => !stop.signal.aborted)
console.log(`\n${progress.passed - before.passed} passed, ${progress.failed - before.failed} failed`)
process.exitCode = failures.length > 0 ? 1 : 0
