import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LatencyHistogram } from '../../scripts/bench/histogram.js'

describe('a histogram of latencies', () => {
  it('tells percentiles in ms, to three digits', () => {
    const histogram = new LatencyHistogram()
    for (let i = 1; i <= 1_000; i++) histogram.record(i / 10)
    const { p50, p99, p999, max, mean } = histogram.latencies()
    for (const [actual, expected] of [
      [p50, 50],
      [p99, 99],
      [p999, 99.9],
      [max, 100],
      [mean, 50.05],
    ] as const) {
      assert.ok(Math.abs(actual / expected - 1) < 0.002, `${actual} is about ${expected}`)
    }
  })

  it('takes what is shorter than it can tell, or longer', () => {
    const histogram = new LatencyHistogram()
    histogram.record(0)
    histogram.record(1e12)
    assert.equal(histogram.count, 2)
    assert.ok(histogram.latencies().max >= 3_600_000)
  })

  it('is all zero while it is empty', () => {
    assert.deepEqual(new LatencyHistogram().latencies(), { p50: 0, p99: 0, p999: 0, max: 0, mean: 0 })
  })
})
