import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planOf } from '../../src/sim/run-seed.js'
import { loadMutant, type Mutation } from './mutant.js'
import { MUTATIONS } from './mutations.js'

/** Several times what the best hidden of them needs: a change of the core shifts what each seed leads to. */
const WORLDS_MAX = 600
const FIRST_SEED = 5_001

for (const mutation of Object.values(MUTATIONS).flat()) {
  test(`the simulation notices when ${mutation.name}`, async (t) => {
    const { runSeed, dispose } = await loadMutant(mutation)
    t.after(dispose)
    for (const seed of seedsFor(mutation)) {
      const { failure } = await runSeed(seed)
      if (failure !== undefined) return t.diagnostic(`seed ${seed}: ${failure}`)
    }
    assert.fail(`${WORLDS_MAX} worlds did not notice`)
  })
}

function* seedsFor({ favours = () => true }: Mutation): Generator<number> {
  let seed = FIRST_SEED
  for (let worlds = 0; worlds < WORLDS_MAX; seed++) {
    if (!favours(planOf(seed))) continue
    worlds++
    yield seed
  }
}
