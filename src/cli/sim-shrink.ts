import { type Failure, formatPlan, replayPlanCommand, type SeededPlan, shrink, tellSchedule } from '../sim/simulator.js'
import { SHARED, writeNewFile } from './new-file.js'
import { note, styled, writeOut } from './output.js'
import { ProgressLine } from './progress-line.js'

const RUNS_MAX = 2_000
const MS_MAX = 60_000

export interface ShrunkReport {
  readonly text: string
  readonly json: unknown
}

export interface FailedWorld {
  readonly seeded: SeededPlan
  readonly failure: Failure
  /** File for the small plan; by default a new name in the current directory. */
  readonly file?: string | undefined
  /** Ends the search; the best so far is reported. */
  readonly signal?: AbortSignal
}

/** Searches for a small plan that fails in the same way, writes it, and reports it. */
export async function shrinkFailure({ seeded, failure, file, signal }: FailedWorld): Promise<ShrunkReport> {
  const deadlineMs = performance.now() + MS_MAX
  const faultsBefore = seeded.plan.faults.length
  const progress = new ProgressLine(`shrinking | {value} of at most {total} runs | {faults} of ${faultsBefore} faults`, RUNS_MAX)
  const {
    best,
    failure: last,
    runCount,
    isMinimal,
  } = await shrink(seeded, failure, {
    runsMax: RUNS_MAX,
    goesOn: () => signal?.aborted !== true && performance.now() < deadlineMs,
    onRun: ({ runCount, best }) => progress.update(runCount, { faults: best.plan.faults.length }),
  })
  progress.stop()
  const path = file ?? `synod-sim-${seeded.seed}.json`
  const replay = save(path, best) ? replayPlanCommand(path) : undefined
  const schedule = tellSchedule(best.plan.faults)
  const counts = `faults ${faultsBefore} to ${schedule.length}, nodes ${seeded.plan.nodeCount} to ${best.plan.nodeCount}`
  const text = [
    styled('bold', `shrunk: ${counts}; ${runCount} runs, ${isMinimal ? 'nothing more can go' : 'the budget is used up'}`),
    ...(schedule.length > 0 ? schedule : ['no fault is needed']).map((line) => `  ${line}`),
    `  then: ${last.sentence}`,
    ...(replay === undefined ? [] : [`replay: ${replay}`]),
  ].join('\n')
  const { sentence } = last
  return {
    text,
    json: { faultsBefore, schedule, sentence, runCount, isMinimal, seed: best.seed, plan: best.plan, file: path, replay },
  }
}

function save(path: string, plan: SeededPlan): boolean {
  try {
    if (path === '-') writeOut(formatPlan(plan))
    else writeNewFile(path, formatPlan(plan), SHARED)
    return true
  } catch (error) {
    note(`cannot write the shrunk plan to ${path}: ${error instanceof Error ? error.message : String(error)}`)
    return false
  }
}
