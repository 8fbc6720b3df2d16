import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeeds } from '../../src/sim/runs/jobs.js'
import { runSeed } from '../../src/sim/runs/run-seed.js'
import type { RunSummary } from '../../src/sim/runs/summary.js'

async function collect(settings: Omit<Parameters<typeof runSeeds>[0], 'onRun'>): Promise<RunSummary[]> {
  const runs: RunSummary[] = []
  await runSeeds({ ...settings, onRun: (run) => runs.push(run) })
  return runs
}

test('each seed runs once, with the same result as in this process', async () => {
  const runs = await collect({ firstSeed: 20, runCount: 5, jobs: 2 })
  assert.deepEqual(
    runs.map(({ seed }) => seed).toSorted((a, b) => a - b),
    Array.from({ length: 5 }, (_, i) => 20 + i),
  )
  const { eventHash, totals } = await runSeed(23)
  const run = runs.find(({ seed }) => seed === 23)
  assert.equal(run?.verdict, 'held')
  assert.equal(run.size?.eventHash, eventHash)
  assert.deepEqual(run.faults, totals.toJSON())
})

test('the jobs end on request, and report no run after that', async () => {
  let count = 0
  const runs = await collect({ firstSeed: 1, runCount: Number.POSITIVE_INFINITY, jobs: 2, goesOn: () => ++count < 3 })
  assert.equal(runs.length, 3)
  const stop = new AbortController()
  const aborted = collect({ firstSeed: 1, runCount: 1_000, jobs: 2, signal: stop.signal })
  stop.abort()
  assert.deepEqual(await aborted, [])
  assert.deepEqual(await collect({ firstSeed: 1, runCount: 10, jobs: 1, signal: stop.signal }), [])
})
