import { tellSchedule } from '../plan/tell-fault.js'
import type { SeedResult } from '../runs/run-seed.js'
import type { TracedRun } from './trace-page.js'

/** Returns what a trace page needs of a recorded run. `replay` is the command that runs the same world again. */
export function tracedRun(result: SeedResult, replay: string): TracedRun {
  const { seed, plan, events, totals } = result
  const { faults, ...drawn } = plan
  return {
    title: `Seed ${seed}`,
    replay,
    facts: [
      ['nodes', plan.nodeCount],
      ['spare machines', plan.spareCount],
      ['clients', plan.habits.clientCount],
      ['simulated', `${(result.simulatedMs / 1_000).toFixed(3)} s`],
      ['leaders', result.leaderCount],
      ['slots decided', result.decidedUpTo],
      ['requests acknowledged', result.acknowledgedCount],
      ['event hash', result.eventHash],
    ],
    plan: drawn,
    schedule: tellSchedule(faults),
    faultTotals: Object.entries(totals.toJSON()),
    nodeIds: Array.from({ length: plan.nodeCount + plan.spareCount }, (_, i) => i + 1),
    events,
  }
}
