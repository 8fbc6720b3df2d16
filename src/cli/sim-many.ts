import { availableParallelism } from 'node:os'
import { Coverage, judge, planOf, type RunSummary, replayCommand, runSeeds } from '../sim/simulator.js'
import { EXIT, type ExitCode } from './failure.js'
import { print, printJson, styled } from './output.js'
import { ProgressLine } from './progress-line.js'
import { onStopSignals } from './signals.js'
import { FIRST_SEED, RUNS, type SimFlags } from './sim-flags.js'
import { coverageTable, exitCodeOfRuns, grouped, INTERRUPTED } from './sim-report.js'
import { type ShrunkReport, shrinkFailure } from './sim-shrink.js'

/** Number of failures that are shrunk with --keep-going; further ones are only reported. */
const SHRUNK_MAX = 3

/** Runs many simulations, on many cores, and reports their coverage. */
export async function simulateMany(flags: SimFlags): Promise<ExitCode | typeof INTERRUPTED> {
  const stop = new AbortController()
  onStopSignals({ first: () => stop.abort(), second: () => process.exit(INTERRUPTED) })
  const startedMs = performance.now()
  const coverage = await runAll(flags, stop.signal)
  const seconds = (performance.now() - startedMs) / 1_000
  const failures = [...coverage.broken, ...coverage.crashed].toSorted((a, b) => a.seed - b.seed)
  const shrunk = new Map<RunSummary, ShrunkReport>()
  for (const failure of failures.slice(0, SHRUNK_MAX)) {
    if (flags.shrink === false || stop.signal.aborted) break
    const report = await shrinkSeed(failure.seed, { file: flags.savePlan, signal: stop.signal })
    if (report !== undefined) shrunk.set(failure, report)
  }
  if (flags.json) printJson(asJson(coverage, { seconds, failures, shrunk, isInterrupted: stop.signal.aborted }))
  else {
    if (stop.signal.aborted) print('interrupted; what was done so far:')
    tellAll(coverage, seconds)
    for (const failure of failures) tellFailure(failure, shrunk.get(failure))
  }
  const exitCode = exitCodeOfRuns(coverage)
  return exitCode === EXIT.done && stop.signal.aborted ? INTERRUPTED : exitCode
}

async function runAll(flags: SimFlags, signal: AbortSignal): Promise<Coverage> {
  const { runs = RUNS, for: forMs, first = FIRST_SEED, jobs = availableParallelism(), keepGoing } = flags
  const coverage = new Coverage()
  const runCount = forMs === undefined ? runs : Number.POSITIVE_INFINITY
  const startedMs = performance.now()
  const elapsedMs = (): number => performance.now() - startedMs
  const total = forMs === undefined ? `${runCount} runs` : `${forMs / 1_000} s`
  const progress = new ProgressLine(
    `{bar} {percentage} % of ${total} | {runs} runs, {rate} runs/s | {broken} broken`,
    forMs ?? runCount,
    { runs: 0, rate: 0, broken: 0 },
  )
  await runSeeds({
    firstSeed: first,
    runCount,
    jobs: Math.min(jobs, runCount),
    signal,
    onRun: (run) => {
      coverage.add(run)
      const rate = ((1_000 * coverage.runCount) / elapsedMs()).toFixed(1)
      progress.update(forMs === undefined ? coverage.runCount : Math.min(forMs, elapsedMs()), {
        runs: coverage.runCount,
        rate,
        broken: coverage.broken.length,
      })
    },
    goesOn: () => {
      const isFirstFailure = !keepGoing && coverage.heldCount < coverage.runCount
      return !isFirstFailure && (forMs === undefined || elapsedMs() < forMs)
    },
  })
  progress.stop()
  return coverage
}

/** Runs it once more here: another process reports words only. */
async function shrinkSeed(
  seed: number,
  where: { readonly file: string | undefined; readonly signal: AbortSignal },
): Promise<ShrunkReport | undefined> {
  const seeded = { seed, plan: planOf(seed) }
  const failure = await judge(seeded)
  return failure.kind === 'held' ? undefined : await shrinkFailure({ seeded, failure, ...where })
}

function tellAll(coverage: Coverage, seconds: number): void {
  const { runCount, heldCount, countedRunCount, broken, crashed } = coverage
  if (runCount > 0) print(`${coverageTable(coverage.faults, runCount)}\n`)
  if (coverage.missing.length > 0) print(`never struck: ${coverage.missing.join(', ')}`)
  print(
    `${grouped(coverage.leaderCount)} leaders, ${grouped(coverage.decidedCount)} slots, ${grouped(coverage.acknowledgedCount)} requests ` +
      `acknowledged, ${grouped(coverage.eventCount)} events in ${grouped(Math.round(coverage.simulatedMs / 1_000))} simulated s`,
  )
  print(`the answers of ${coverage.orderFoundCount} runs were explained a second time, by a search that does not use slots`)
  print(
    styled(
      'bold',
      `${runCount} runs: ${heldCount} held (in ${countedRunCount} of them leaders changed, slots were decided and faults struck), ` +
        `${broken.length} with a violation${crashed.length > 0 ? `, ${crashed.length} failed` : ''}; ${(runCount / seconds).toFixed(1)} runs/s`,
    ),
  )
}

function tellFailure(failure: RunSummary, shrunk: ShrunkReport | undefined): void {
  const what = failure.verdict === 'broken' ? 'a violation' : 'the simulator failed'
  print(`\n${styled('red', `seed ${failure.seed}: ${what}`)}\n${failure.sentence ?? ''}`)
  if (failure.stack !== undefined) print(failure.stack)
  print(`replay: ${replayCommand(failure.seed)}`)
  if (shrunk !== undefined) print(shrunk.text)
}

interface Outcome {
  readonly seconds: number
  readonly failures: readonly RunSummary[]
  readonly shrunk: ReadonlyMap<RunSummary, ShrunkReport>
  readonly isInterrupted: boolean
}

function asJson(coverage: Coverage, { seconds, failures, shrunk, isInterrupted }: Outcome): unknown {
  const { runCount, heldCount, countedRunCount, leaderCount, decidedCount, acknowledgedCount, eventCount, simulatedMs } = coverage
  return {
    runCount,
    heldCount,
    countedRunCount,
    brokenCount: coverage.broken.length,
    crashedCount: coverage.crashed.length,
    isInterrupted,
    seconds,
    runsPerSecond: runCount / seconds,
    leaderCount,
    decidedCount,
    acknowledgedCount,
    orderFoundCount: coverage.orderFoundCount,
    eventCount,
    simulatedMs,
    faults: Object.fromEntries(coverage.faults.map(({ fault, count, runCount: runs }) => [fault, { count, runCount: runs }])),
    missing: coverage.missing,
    failures: failures.map((failure) => ({
      ...failure,
      replay: replayCommand(failure.seed),
      ...(shrunk.has(failure) ? { shrunk: shrunk.get(failure)?.json } : {}),
    })),
  }
}
