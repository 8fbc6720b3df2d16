import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Bound, formatBound, type Ratio, ratioOf, verdictOf } from '../../scripts/bench/goal.js'

function ratio(bound: Bound, values: Ratio['values']): Ratio {
  return { goal: { figure: 'throughput', against: 'etcd', bound }, of: '', values, unit: '/s' }
}

describe('the verdict on a goal', () => {
  for (const [bound, ours, verdict] of [
    [{ atLeast: 10 }, 9.9, 'FAIL'],
    [{ atLeast: 10 }, 10, 'PASS'],
    [{ atMost: 2 }, 2, 'PASS'],
    [{ atMost: 2 }, 2.1, 'FAIL'],
  ] as const) {
    it(`${formatBound(bound)}: ${ours}× is a ${verdict}`, () => {
      assert.equal(verdictOf(ratio(bound, { ours, theirs: 1 })), verdict)
    })
  }

  it('is not spoken where there is no rival', () => {
    const alone = ratio({ atLeast: 1 }, undefined)
    assert.equal(verdictOf(alone), 'skipped')
    assert.equal(ratioOf(alone), undefined)
  })

  it('is FAIL where nothing at all was done', () => {
    assert.equal(verdictOf(ratio({ atLeast: 1 }, { ours: 0, theirs: 0 })), 'FAIL')
    assert.equal(verdictOf(ratio({ atMost: 1 }, { ours: 0, theirs: 0 })), 'FAIL')
  })
})
