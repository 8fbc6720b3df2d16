import type { Measurement } from '../../scripts/bench/types.js'

/** One with this throughput and p99; the rest does not matter. */
export function measurementOf({ throughput = 1, p99 = 1 }: { throughput?: number; p99?: number }): Measurement {
  const latency = { p50: p99 / 2, p99, p999: p99, max: p99, mean: p99 / 2 }
  return {
    throughput,
    count: throughput,
    failed: 0,
    latency,
    cpuPerThousand: { n1: 0.1, client: 0.2 },
    peakMemory: { n1: 1 << 20 },
  }
}
