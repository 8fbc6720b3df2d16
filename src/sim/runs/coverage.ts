import { FAULTS, type Fault } from '../plan/faults.js'
import type { RunSummary } from './summary.js'

/** Number of times that one fault struck, and number of runs in which it did. */
export interface FaultCoverage {
  readonly fault: Fault
  readonly count: number
  readonly runCount: number
}

/** Totals over many runs. */
export class Coverage {
  readonly #counts = new Map<string, { count: number; runCount: number }>()
  readonly nodeCounts = new Set<number>()
  readonly broken: RunSummary[] = []
  readonly crashed: RunSummary[] = []
  runCount = 0
  /** Runs that held and were not vacuous: leaders changed, slots were decided, faults struck. */
  countedRunCount = 0
  leaderCount = 0
  decidedCount = 0
  acknowledgedCount = 0
  /** Runs whose answers were explained by a search that does not use slots: a second opinion. */
  orderFoundCount = 0
  eventCount = 0
  simulatedMs = 0

  add(run: RunSummary): void {
    this.runCount++
    if (run.verdict === 'broken') this.broken.push(run)
    if (run.verdict === 'crashed') this.crashed.push(run)
    if (run.size === undefined) return
    const { nodeCount, leaderCount, decidedUpTo, acknowledgedCount, eventCount, simulatedMs } = run.size
    this.nodeCounts.add(nodeCount)
    this.leaderCount += leaderCount
    this.decidedCount += decidedUpTo
    this.acknowledgedCount += acknowledgedCount
    this.eventCount += eventCount
    // Whole numbers: their sum does not depend on the order in which runs end.
    this.simulatedMs += Math.round(simulatedMs)
    if (run.size.order === 'found') this.orderFoundCount++
    const struck = Object.entries(run.faults)
    for (const [fault, count] of struck) this.#count(fault, count)
    if (run.verdict === 'held' && leaderCount > 1 && decidedUpTo > 0 && struck.length > 0) this.countedRunCount++
  }

  get heldCount(): number {
    return this.runCount - this.broken.length - this.crashed.length
  }

  /** All faults. */
  get faults(): FaultCoverage[] {
    return FAULTS.map((fault) => ({ fault, ...(this.#counts.get(fault) ?? { count: 0, runCount: 0 }) }))
  }

  /** Faults that have never struck. */
  get missing(): Fault[] {
    return this.faults.filter(({ count }) => count === 0).map(({ fault }) => fault)
  }

  #count(fault: string, count: number): void {
    const before = this.#counts.get(fault) ?? { count: 0, runCount: 0 }
    this.#counts.set(fault, { count: before.count + count, runCount: before.runCount + 1 })
  }
}
