import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FaultTotals } from '../../src/sim/faults.js'
import { replayCommand, runSeed } from '../../src/sim/run-seed.js'

/** Another range: SYNOD_SIM_FIRST_SEED=5000 SYNOD_SIM_RUNS=1000 npm test */
const FIRST_SEED = Number(process.env['SYNOD_SIM_FIRST_SEED'] ?? 1)
const RUNS = Number(process.env['SYNOD_SIM_RUNS'] ?? 200)

test(`every promise holds in ${RUNS} seeded worlds`, async (t) => {
  const totals = new FaultTotals()
  const broken: string[] = []
  const sizes = new Set<number>()
  let leaders = 0
  let acknowledged = 0
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    const result = await runSeed(seed)
    totals.add(result.totals)
    sizes.add(result.plan.nodeCount)
    leaders += result.leaderCount
    acknowledged += result.acknowledgedCount
    if (result.failure !== undefined) broken.push(`seed ${seed}: ${result.failure}\n  replay: ${replayCommand(seed)}`)
  }
  t.diagnostic(`${leaders} leaders, ${acknowledged} requests acknowledged; faults: ${totals.toString()}`)
  assert.deepEqual(broken, [])
  if (RUNS < 100) return
  assert.deepEqual(
    [...sizes].toSorted((a, b) => a - b),
    [3, 5],
  )
  assert.ok(leaders > RUNS, 'leaders changed')
  assert.deepEqual(totals.missing, [], 'every fault struck in some world')
})

test('one seed gives the same world twice, to the event', async () => {
  for (const seed of [3, 14, 159]) {
    const lines: string[] = []
    const once = await runSeed(seed, { print: (line) => lines.push(line) })
    const again = await runSeed(seed)
    assert.equal(once.eventHash, again.eventHash)
    assert.equal(once.eventCount, again.eventCount)
    assert.match(once.eventHash, /^[0-9a-f]{16}$/)
    assert.ok(lines.length > 100)
  }
  assert.notEqual((await runSeed(3)).eventHash, (await runSeed(4)).eventHash)
})
