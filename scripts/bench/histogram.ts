import { createHistogram } from 'node:perf_hooks'
import type { Latencies } from './types.js'

const HIGHEST_MS = 3_600_000
const SIGNIFICANT_DIGITS = 3

/** An HDR histogram of latencies, kept in µs, told in ms. */
export class LatencyHistogram {
  readonly #histogram = createHistogram({ lowest: 1, highest: HIGHEST_MS * 1_000, figures: SIGNIFICANT_DIGITS })

  get count(): number {
    return this.#histogram.count
  }

  record(ms: number): void {
    this.#histogram.record(Math.min(Math.max(Math.round(ms * 1_000), 1), HIGHEST_MS * 1_000))
  }

  /** All zero when nothing was recorded. */
  latencies(): Latencies {
    const histogram = this.#histogram
    if (histogram.count === 0) return { p50: 0, p99: 0, p999: 0, max: 0, mean: 0 }
    return {
      p50: histogram.percentile(50) / 1_000,
      p99: histogram.percentile(99) / 1_000,
      p999: histogram.percentile(99.9) / 1_000,
      max: histogram.max / 1_000,
      mean: histogram.mean / 1_000,
    }
  }
}
