import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LoadShape } from '../../scripts/bench/load.js'
import { RivalPool } from '../../scripts/bench/rivals/pool.js'
import type { Context } from '../../scripts/bench/scenario.js'
import { type Competitor, compare, type MeasuredGoal } from '../../scripts/bench/scenarios/compare.js'
import { measurementOf } from './measurement.js'

const context: Context = {
  isQuick: true,
  rounds: 3,
  seconds: 1,
  warmupSeconds: 0,
  rivals: new RivalPool({ etcds: [] }),
  note: () => {},
}
const goals: readonly MeasuredGoal[] = [
  { figure: 'throughput', against: 'etcd', bound: { atLeast: 1 } },
  { figure: 'p99', against: 'etcd', bound: { atMost: 1 } },
]

/** Does so many operations a second for each that is in flight. */
function competitor(name: string, throughput: number, isShownOnly = false): Competitor {
  const turn = (shape: LoadShape) =>
    Promise.resolve(measurementOf({ throughput: 'inFlight' in shape ? throughput * shape.inFlight : shape.ratePerSecond }))
  return { name, isShownOnly, turn }
}

describe('a comparison', () => {
  it('holds the first against each of the others, at each point and by each goal', async () => {
    const contestants = [competitor('ours', 4), competitor('a', 2), competitor('b', 8), competitor('shown', 1, true)]
    const { rows, ratios, plots } = await compare(context, { title: 'put', goals, inFlight: [1, 64], contestants })
    assert.equal(rows.length, 8)
    assert.deepEqual(
      ratios.filter(({ goal }) => goal.figure === 'throughput').map(({ of, values }) => [of, values?.ours, values?.theirs]),
      [
        ['1 in flight, a', 4, 2],
        ['1 in flight, b', 4, 8],
        ['64 in flight, a', 256, 128],
        ['64 in flight, b', 256, 512],
      ],
    )
    assert.deepEqual(plots[0]?.pointNames, ['1', '64'])
  })

  it('without a rival says of each goal that nothing was compared', async () => {
    const { ratios } = await compare(context, { title: 'put', goals, inFlight: [1], contestants: [competitor('ours', 4)] })
    assert.deepEqual(
      ratios.map(({ values }) => values),
      [undefined, undefined],
    )
  })

  it('in the open loop asks all of them for half of what the slowest can do at best', async () => {
    const contestants = [competitor('ours', 40), competitor('theirs', 2.5)]
    const { rows } = await compare(context, { title: 'put', goals, inFlight: [1, 100], contestants, isOpenLoopToo: true })
    const open = rows.slice(-2)
    assert.deepEqual(
      open.map(({ point, measurement }) => [point, measurement.throughput]),
      [
        ['open loop, 120/s', 120],
        ['open loop, 120/s', 120],
      ],
    )
  })
})
