import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { alternate, medianMeasurement, medianOf } from '../../scripts/bench/alternate.js'
import { measurementOf } from './measurement.js'

describe('turns', () => {
  it('are taken A B A B, one at a time', async () => {
    const taken: string[] = []
    const contestants = ['A', 'B'].map((name) => ({
      name,
      turn: () => Promise.resolve(measurementOf({ throughput: taken.push(name) })),
    }))
    const measurements = await alternate(contestants, 2)
    assert.equal(taken.join(' '), 'A B A B')
    assert.deepEqual(
      measurements.get('B')?.map(({ throughput }) => throughput),
      [2, 4],
    )
  })

  it('come to the median of each figure by itself', () => {
    const rounds = [
      measurementOf({ throughput: 1, p99: 30 }),
      measurementOf({ throughput: 100, p99: 20 }),
      measurementOf({ throughput: 3, p99: 10 }),
    ]
    const { throughput, latency, cpuPerThousand } = medianMeasurement(rounds)
    assert.deepEqual([throughput, latency.p99, latency.p50], [3, 20, 10])
    assert.deepEqual(cpuPerThousand, { n1: 0.1, client: 0.2 })
  })

  it('keep the reason of a failure, in whichever round it was', () => {
    const { firstFailure } = medianMeasurement([measurementOf({}), { ...measurementOf({}), firstFailure: 'no majority' }])
    assert.equal(firstFailure, 'no majority')
  })
})

describe('a median', () => {
  it('is the one in the middle, or the mean of the two', () => {
    assert.equal(medianOf([3, 1, 2]), 2)
    assert.equal(medianOf([4, 1, 2, 3]), 2.5)
    assert.equal(medianOf([]), 0)
  })
})
