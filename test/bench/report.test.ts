import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Goal } from '../../scripts/bench/goal.js'
import { formatHtml } from '../../scripts/bench/report/html.js'
import { formatJson } from '../../scripts/bench/report/json.js'
import { formatTally, type Report, tallyOf } from '../../scripts/bench/report/report.js'
import { formatFinished } from '../../scripts/bench/report/text.js'
import { measurementOf } from './measurement.js'

const HOSTILE = '<script>alert("x")</script> & co'
const goal: Goal = { figure: HOSTILE, against: HOSTILE, bound: { atLeast: 2 } }
const scenario = { name: HOSTILE, title: HOSTILE, goals: [goal] }
const line = { name: HOSTILE, points: [[1, 2] as const, [3, 4] as const] }

const report: Report = {
  startedAt: new Date(0),
  facts: [[HOSTILE, HOSTILE]],
  finished: [
    {
      scenario,
      seconds: 1,
      outcome: {
        rows: [{ point: HOSTILE, rival: HOSTILE, measurement: { ...measurementOf({}), failed: 2, firstFailure: HOSTILE } }],
        ratios: [
          { goal, of: HOSTILE, values: { ours: 4, theirs: 2 }, unit: HOSTILE },
          { goal, of: HOSTILE, values: { ours: 2, theirs: 2 }, unit: '/s' },
          { goal, of: HOSTILE, values: undefined, unit: '/s' },
        ],
        plots: [
          {
            title: HOSTILE,
            xUnit: HOSTILE,
            yUnit: HOSTILE,
            lines: [line],
            pointNames: [HOSTILE],
            marks: [{ name: HOSTILE, x: 1 }],
            limits: [{ name: HOSTILE, y: 1 }],
          },
        ],
        notes: [HOSTILE],
      },
    },
    { scenario, seconds: 1, outcome: new Error(HOSTILE) },
  ],
}

describe('the report', () => {
  it('counts what was reached and missed, and says what was not measured', () => {
    assert.equal(formatTally(tallyOf(report)), '1 reached, 1 missed, 1 skipped, 1 broke off')
    assert.equal(formatTally({ reached: 3, missed: 0, skipped: 0, failed: 0 }), '3 reached, 0 missed')
  })

  it('as a page escapes all that it is given, and needs nothing from elsewhere', () => {
    const html = formatHtml(report)
    assert.ok(!html.includes('<script'), 'no text becomes an element')
    assert.ok(!html.includes('"x"'), 'nor leaves an attribute')
    assert.ok(html.includes('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; co'))
    assert.ok(!/(src|href)=/.test(html))
    assert.ok(html.includes('prefers-color-scheme: dark'))
  })

  it('as JSON has every figure, each ratio with its verdict', () => {
    const { reached, scenarios } = JSON.parse(formatJson(report)) as {
      reached: number
      scenarios: { rows?: unknown[]; ratios?: { ratio?: number; verdict: string }[]; error?: string }[]
    }
    assert.equal(reached, 1)
    assert.deepEqual(
      scenarios[0]?.ratios?.map(({ ratio, verdict }) => [ratio, verdict]),
      [
        [2, 'PASS'],
        [1, 'FAIL'],
        [undefined, 'skipped'],
      ],
    )
    assert.equal(scenarios[1]?.error, HOSTILE)
  })

  it('as text has a line for each row and goal, what failed in its own words, and why a scenario broke off', () => {
    const [measured, broken] = report.finished.map(formatFinished)
    assert.match(measured ?? '', /2 failed: <script>/)
    assert.match(measured ?? '', /≥ 2× +PASS/)
    assert.match(measured ?? '', /≥ 2× +FAIL/)
    assert.match(measured ?? '', /not on this machine/)
    assert.match(broken ?? '', /broke off:/)
  })
})
