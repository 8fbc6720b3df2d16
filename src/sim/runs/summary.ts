import type { SeededPlan } from '../plan/plan-file.js'
import type { Verdict } from './verdict.js'
import type { OrderVerdict } from './world.js'

/** The summary of one run, passed from process to process and counted: plain JSON. */
export interface RunSummary {
  readonly seed: number
  readonly verdict: Verdict['kind']
  /** The violation or error, if the run did not hold. */
  readonly sentence?: string
  /** The stack, if the simulator itself failed. */
  readonly stack?: string
  /** Absent if the simulator itself failed. */
  readonly size?: WorldSize
  /** Number of times that each fault struck, without those that did not. */
  readonly faults: Readonly<Record<string, number>>
}

/** The amount of activity in a world. */
interface WorldSize {
  readonly nodeCount: number
  readonly simulatedMs: number
  readonly eventCount: number
  readonly leaderCount: number
  readonly decidedUpTo: number
  readonly acknowledgedCount: number
  /** The verdict of a search for an order that explains all answers without the slots: a second opinion. */
  readonly order: OrderVerdict
  /** The same on every replay, on every machine. */
  readonly eventHash: string
}

export function summarize({ seed, plan }: SeededPlan, verdict: Verdict): RunSummary {
  if (verdict.kind === 'crashed') {
    const { error, sentence } = verdict
    const stack = error instanceof Error ? error.stack : undefined
    return { seed, verdict: 'crashed', sentence, faults: {}, ...(stack === undefined ? {} : { stack }) }
  }
  const { simulatedMs, eventCount, leaderCount, decidedUpTo, acknowledgedCount, order, eventHash, totals } = verdict.result
  return {
    seed,
    verdict: verdict.kind,
    ...(verdict.kind === 'broken' ? { sentence: verdict.sentence } : {}),
    size: { nodeCount: plan.nodeCount, simulatedMs, eventCount, leaderCount, decidedUpTo, acknowledgedCount, order, eventHash },
    faults: totals.toJSON(),
  }
}
