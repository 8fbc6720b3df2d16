import type { Coverage, FaultCoverage, RunSummary } from '../sim/simulator.js'
import { EXIT, type ExitCode } from './failure.js'
import { formatTable } from './output.js'

/** Failure of the simulator itself: the number of a cluster that does not answer, as both say nothing about the promises. */
const SIMULATOR_FAILED = EXIT.unavailable

/** Exit code of a shell command that SIGINT ended. */
export const INTERRUPTED = 130

export function exitCodeOfRun(verdict: RunSummary['verdict']): ExitCode {
  switch (verdict) {
    case 'held':
      return EXIT.done
    case 'broken':
      return EXIT.failed
    case 'crashed':
      return SIMULATOR_FAILED
  }
}

export function exitCodeOfRuns({ broken, crashed }: Coverage): ExitCode {
  if (broken.length > 0) return EXIT.failed
  return crashed.length > 0 ? SIMULATOR_FAILED : EXIT.done
}

export function tellSize(size: NonNullable<RunSummary['size']>): string {
  const { nodeCount, simulatedMs, eventCount, leaderCount, decidedUpTo, acknowledgedCount } = size
  return (
    `${nodeCount} nodes, ${(simulatedMs / 1_000).toFixed(3)} s, ${grouped(eventCount)} events, ` +
    `${leaderCount} ${leaderCount === 1 ? 'leader' : 'leaders'}, ${decidedUpTo} slots, ${acknowledgedCount} requests acknowledged`
  )
}

export function tellFaults(faults: RunSummary['faults']): string {
  const struck = Object.entries(faults)
  return struck.map(([fault, count]) => `${fault} ${count}`).join(', ') || 'none'
}

/** Count of each fault that struck, and of the runs in which it did; the most frequent first. */
export function coverageTable(faults: readonly FaultCoverage[], runCount: number): string {
  const rows = faults
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => b.runCount - a.runCount || b.count - a.count)
    .map(({ fault, count, runCount: runs }) => [fault, String(count), String(runs), `${((100 * runs) / runCount).toFixed(1)} %`])
  return formatTable(['fault', 'struck', 'in runs', 'share'], rows)
}

/** A number with commas between thousands. */
export function grouped(number: number): string {
  return number.toLocaleString('en-US')
}
