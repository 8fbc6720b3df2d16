import {
  formatPlan,
  historyLines,
  InvalidPlan,
  judge,
  parsePlan,
  planOf,
  type RunSummary,
  replayCommand,
  replayPlanCommand,
  type SeededPlan,
  type SeedResult,
  summarize,
  tellSchedule,
  tracedRun,
  tracePage,
  type Verdict,
} from '../sim/simulator.js'
import { type ExitCode, usageError } from './failure.js'
import { jsonOf, note, print as printOut, styled } from './output.js'
import { readFile, writeFile } from './sim-files.js'
import type { SimFlags } from './sim-flags.js'
import { exitCodeOfRun, tellFaults, tellSize } from './sim-report.js'
import { type ShrunkReport, shrinkFailure } from './sim-shrink.js'
import { parseStrictJsonObject } from './strict-json.js'

/** Runs one simulation and reports the result. Everything on stdout is the same on every replay. */
export async function simulateOne(flags: SimFlags): Promise<ExitCode> {
  const isStdoutTaken = [flags.savePlan, flags.trace, flags.history].includes('-')
  const print = isStdoutTaken ? note : printOut
  const seeded = flags.plan === undefined ? drawn(flags.seed ?? 0) : readPlan(flags.plan)
  if (flags.savePlan !== undefined) writeFile('--save-plan', flags.savePlan, formatPlan(seeded))
  const verdict = await judge(seeded, { ...(flags.verbose ? { print } : {}), records: flags.trace !== undefined })
  const summary = summarize(seeded, verdict)
  const replay = flags.plan === undefined ? replayCommand(seeded.seed) : replayPlanCommand(flags.plan)
  if (verdict.kind !== 'crashed') writeResult(verdict.result, replay, flags)
  const shrunk = flags.shrink ? await shrinkVerdict(seeded, verdict, flags) : undefined
  if (flags.json) {
    print(jsonOf({ ...summary, replay, ...(shrunk === undefined ? {} : { shrunk: shrunk.json }) }))
  } else {
    tellRun(summary, seeded, flags, print)
    if (shrunk !== undefined) print(shrunk.text)
  }
  return exitCodeOfRun(summary.verdict)
}

async function shrinkVerdict(seeded: SeededPlan, verdict: Verdict, flags: SimFlags): Promise<ShrunkReport | undefined> {
  return verdict.kind === 'held' ? undefined : await shrinkFailure({ seeded, failure: verdict, file: flags.savePlan })
}

function writeResult(result: SeedResult, replay: string, { trace, history }: SimFlags): void {
  if (trace !== undefined) writeFile('--trace', trace, tracePage(tracedRun(result, replay)))
  if (history !== undefined) writeFile('--history', history, [...historyLines(result.history, result.seed), ''].join('\n'))
}

function drawn(seed: number): SeededPlan {
  return { seed, plan: planOf(seed) }
}

function readPlan(file: string): SeededPlan {
  const text = readFile('--plan', file)
  parseStrictJsonObject(text, `--plan ${file}`) // a name twice, above all
  try {
    return parsePlan(text)
  } catch (error) {
    if (error instanceof InvalidPlan) throw usageError(`--plan ${file}: ${error.message}`)
    throw error
  }
}

function tellRun(run: RunSummary, { plan }: SeededPlan, flags: SimFlags, print: (line: string) => void): void {
  const good = run.verdict === 'held'
  const verdict = good ? 'no violation' : run.verdict === 'broken' ? 'a violation' : 'the simulator failed'
  print(styled('bold', `seed ${run.seed}: ${styled(good ? 'green' : 'red', verdict)}`))
  if (run.sentence !== undefined) print(run.sentence)
  if (run.stack !== undefined) note(run.stack)
  if (flags.verbose) {
    print('what was planned:')
    for (const line of tellSchedule(plan.faults)) print(`  ${line}`)
  }
  if (run.size === undefined) return
  print(tellSize(run.size))
  print(`faults: ${tellFaults(run.faults)}`)
  print(`event hash: ${run.size.eventHash}`)
  if (flags.trace !== undefined) print(`trace page: ${flags.trace}`)
  if (flags.history !== undefined) print(`history: ${flags.history}`)
}
