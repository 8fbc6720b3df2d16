import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { Coverage } from '../../src/sim/runs/coverage.js'
import { runSeeds } from '../../src/sim/runs/jobs.js'
import { runSeed } from '../../src/sim/runs/run-seed.js'
import { HELD_WORLDS } from './held-worlds.js'

/** To run another range: SYNOD_SIM_FIRST_SEED=5000 SYNOD_SIM_RUNS=10000 npm test */
const FIRST_SEED = Number(process.env['SYNOD_SIM_FIRST_SEED'] ?? 1)
const RUNS = Number(process.env['SYNOD_SIM_RUNS'] ?? HELD_WORLDS)
/** A range of this size is like any other. */
const TYPICAL_RUNS = 70
/** A range of this size sees every fault in some world. */
const ENOUGH_RUNS = 1_000

test(`no violation in ${RUNS} seeded worlds`, async (t) => {
  const coverage = new Coverage()
  const startedMs = performance.now()
  await runSeeds({
    firstSeed: FIRST_SEED,
    runCount: RUNS,
    jobs: availableParallelism(),
    onRun: (run) => coverage.add(run),
  })
  const { leaderCount, acknowledgedCount, countedRunCount, faults } = coverage
  const seconds = (performance.now() - startedMs) / 1_000
  t.diagnostic(`${(RUNS / seconds).toFixed(1)} runs/s; ${leaderCount} leaders, ${acknowledgedCount} requests acknowledged`)
  t.diagnostic(
    `faults, each with the number of its worlds: ${faults.map((f) => `${f.fault} ${f.count} (${f.runCount})`).join(', ')}`,
  )
  const failures = [...coverage.broken, ...coverage.crashed]
  assert.deepEqual(
    failures.map(({ seed, sentence }) => `seed ${seed}: ${sentence}\n  replay: npm run sim -- --seed ${seed} --verbose`),
    [],
  )
  assert.equal(coverage.runCount, RUNS)
  if (RUNS < TYPICAL_RUNS) return
  assert.deepEqual(
    [...coverage.nodeCounts].toSorted((a, b) => a - b),
    [3, 4, 5],
  )
  assert.ok(countedRunCount > 0.7 * RUNS, `in only ${countedRunCount} of them leaders changed and faults struck`)
  assert.ok(leaderCount > 2 * RUNS && acknowledgedCount > 20 * RUNS)
  if (RUNS >= ENOUGH_RUNS) assert.deepEqual(coverage.missing, [], 'every fault struck in some world')
})

test('one seed gives the same world twice, to the event', async () => {
  for (const seed of [15, 20, 93]) {
    const lines: string[] = []
    const once = await runSeed(seed, { print: (line) => lines.push(line) })
    const again = await runSeed(seed)
    assert.equal(once.eventHash, again.eventHash)
    assert.equal(once.eventCount, again.eventCount)
    assert.match(once.eventHash, /^[0-9a-f]{16}$/)
    assert.ok(lines.length > 100)
  }
  assert.notEqual((await runSeed(20)).eventHash, (await runSeed(93)).eventHash)
})
