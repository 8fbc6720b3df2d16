import type { Measurement } from './types.js'

/** Who is measured in turn with others: one turn is a fresh client, a warm-up and the measured time. */
export interface Contestant {
  /** 'synod', 'etcd', 'synod sdk'. */
  readonly name: string
  readonly turn: () => Promise<Measurement>
}

/** A B A B: what the machine does meanwhile strikes all of them alike. The measurements of each, round by round. */
export async function alternate(contestants: readonly Contestant[], rounds: number): Promise<Map<string, Measurement[]>> {
  const measurements = new Map<string, Measurement[]>(contestants.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const { name, turn } of contestants) measurements.get(name)?.push(await turn())
  }
  return measurements
}

/** Each figure is the median of the rounds' own. */
export function medianMeasurement(rounds: readonly Measurement[]): Measurement {
  const median = (of: (measurement: Measurement) => number): number => medianOf(rounds.map(of))
  return {
    throughput: median(({ throughput }) => throughput),
    count: median(({ count }) => count),
    failed: median(({ failed }) => failed),
    firstFailure: rounds.find(({ firstFailure }) => firstFailure !== undefined)?.firstFailure,
    latency: {
      p50: median(({ latency }) => latency.p50),
      p99: median(({ latency }) => latency.p99),
      p999: median(({ latency }) => latency.p999),
      max: median(({ latency }) => latency.max),
      mean: median(({ latency }) => latency.mean),
    },
    cpuPerThousand: medianRecord(rounds.map(({ cpuPerThousand }) => cpuPerThousand)),
    peakMemory: medianRecord(rounds.map(({ peakMemory }) => peakMemory)),
  }
}

function medianRecord(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = new Set(records.flatMap((record) => Object.keys(record)))
  return Object.fromEntries([...names].map((name) => [name, medianOf(records.map((record) => record[name] ?? 0))]))
}

/** Of an even number of them, the mean of the two in the middle. */
export function medianOf(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2
}
