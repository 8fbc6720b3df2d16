import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Node } from '../../src/paxos/node.js'
import type { SeededPlan } from '../../src/sim/plan/plan-file.js'
import { formatPlan, parsePlan } from '../../src/sim/plan/plan-file.js'
import { type Failure, shrink } from '../../src/sim/plan/shrink.js'
import { planOf, type RunSettings } from '../../src/sim/runs/run-seed.js'
import { judge, sortOf } from '../../src/sim/runs/verdict.js'

/** A deliberate bug: accepted values are forgotten at a restart. */
const parts: RunSettings['parts'] = {
  makeNode: (settings) => new Node({ ...settings, recovered: { ...settings.recovered, accepted: [] } }),
}

/** Finds the first world with many faults in which that bug causes a violation. */
async function findFailure(): Promise<{ failing: SeededPlan; failure: Failure }> {
  for (let seed = 5_001; seed < 5_400; seed++) {
    const failing = { seed, plan: planOf(seed) }
    if (failing.plan.faults.length < 8) continue
    const failure = await judge(failing, { parts })
    if (failure.kind !== 'held') return { failing, failure }
  }
  return assert.fail('no world noticed')
}

test('a failing world shrinks to a few faults that cause the same violation by themselves', async (t) => {
  const { failing, failure } = await findFailure()
  const progress: number[] = []
  const {
    best,
    runCount,
    isMinimal,
    failure: last,
  } = await shrink(failing, failure, {
    runsMax: 600,
    run: { parts },
    onRun: ({ best: { plan } }) => progress.push(plan.faults.length),
  })
  t.diagnostic(`${failing.plan.faults.length} faults to ${best.plan.faults.length} in ${runCount} runs: ${last.sentence}`)
  assert.ok(best.plan.faults.length <= 3 && best.plan.faults.length * 2 < failing.plan.faults.length)
  assert.equal(progress.length, runCount)
  assert.ok(
    progress.every((count, i) => count <= (progress[i - 1] ?? Number.POSITIVE_INFINITY)),
    'it never grows',
  )
  assert.equal(sortOf(last.sentence), sortOf(failure.sentence))
  assert.equal(best.plan.nodeCount, 3)
  assert.equal(best.plan.habits.readRate, 0)

  const replayed = await judge(parsePlan(formatPlan(best)), { parts })
  assert.ok(replayed.kind === 'broken' && last.kind === 'broken')
  assert.equal(replayed.sentence, last.sentence)
  assert.equal(replayed.result.eventHash, last.result.eventHash)
  assert.equal((await judge(best)).kind, 'held', 'without the bug nothing is wrong')
  if (!isMinimal) return
  for (let i = 0; i < best.plan.faults.length; i++) {
    const without = await judge({ ...best, plan: { ...best.plan, faults: best.plan.faults.toSpliced(i, 1) } }, { parts })
    assert.ok(without.kind === 'held' || sortOf(without.sentence) !== sortOf(last.sentence), `fault ${i} is needed`)
  }
})

test('shrinking ends with its budget, and keeps its best plan', async () => {
  const { failing, failure } = await findFailure()
  const none = await shrink(failing, failure, { runsMax: 600, run: { parts }, goesOn: () => false })
  assert.deepEqual(none, { best: failing, failure, runCount: 0, isMinimal: false })
  const few = await shrink(failing, failure, { runsMax: 5, run: { parts } })
  assert.equal(few.runCount, 5)
  assert.equal(few.isMinimal, false)
})

test('the sort of a violation leaves out nodes, places and times', () => {
  const SAME = [
    [
      'read client4/read5 stands at slot 30, but read client1/read31, answered before it was asked, at slot 31',
      'request 2:17 stands at slot 3, but openSession client1, answered before it was asked, at slot 4',
    ],
    ['node 1 got other results up to slot 26 than another node', 'node 3 got other results up to slot 7 than another node'],
    [
      'request 1:2 was answered "ok 7" at slot 3, but by the log it is "no" at slot 3',
      'request 8:9 was answered "x" at slot 4, but by the log it is "y" at slot 5',
    ],
    [
      '12 requests (first: read client1/read4) have no answer 30 s after',
      '1 requests (first: request 3:1) have no answer 30 s after',
    ],
  ] as const
  for (const [one, other] of SAME) assert.equal(sortOf(one), sortOf(other))
  assert.equal(new Set(SAME.map(([sentence]) => sortOf(sentence))).size, SAME.length)
})
