import { LatencyHistogram } from '../histogram.js'
import { BATCH_TRANSFERS } from '../scenarios/batches.js'
import type { Measurement } from '../types.js'
import { Child } from './child.js'

/** What the process that applies them tells. */
export interface AppliedBatches {
  readonly latenciesMs: readonly number[]
  readonly peakMemory: number
}

/** The state machine alone, on one core, in a process of its own: batches of transfers as fast as it applies them. */
export async function measureMemory(seconds: number, warmupSeconds: number): Promise<Measurement> {
  const script = new URL('./memory-process.ts', import.meta.url)
  const child = new Child<AppliedBatches>(script, [String(seconds), String(warmupSeconds)])
  const { latenciesMs, peakMemory } = await child.message()
  const spentSeconds = latenciesMs.reduce((sum, ms) => sum + ms, 0) / 1_000
  const count = latenciesMs.length * BATCH_TRANSFERS
  const histogram = new LatencyHistogram()
  for (const ms of latenciesMs) histogram.record(ms)
  return {
    throughput: count / spentSeconds,
    count,
    failed: 0,
    latency: histogram.latencies(),
    cpuPerThousand: { memory: (1_000 * spentSeconds) / count },
    peakMemory: { memory: peakMemory },
  }
}
