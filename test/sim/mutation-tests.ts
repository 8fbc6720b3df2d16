import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { planOf } from '../../src/sim/run-seed.js'
import { type Change, firstToNotice, loadMutant, type Mutation } from './mutant.js'

/** Several times what the best hidden of them needs: a change of the core shifts what each seed leads to. */
const WORLDS_MAX = 150
const FIRST_SEED = 5_001

/**
 * A test for each: some world notices it. Looked for first is the one that noticed it last, by mutation-seeds/LAYER.json, which
 * UPDATE_MUTATION_SEEDS=1 writes anew; a change of the simulator shifts what each seed leads to, and then it is searched again.
 */
export function testMutations(layer: string, mutations: readonly Mutation[]): void {
  const path = `test/sim/mutation-seeds/${layer}.json`
  const seeds = (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}) as Record<string, number>
  for (const mutation of mutations.filter(({ isRare = false }) => !isRare)) {
    test(`the simulation notices when ${mutation.name}`, async (t) => {
      const mutant = await loadMutant(mutation)
      t.after(mutant.dispose)
      const noticed = await firstToNotice(mutant, seedsFor(mutation, seeds[mutation.name]))
      assert.ok(noticed !== undefined, `${WORLDS_MAX} worlds did not notice`)
      seeds[mutation.name] = noticed.seed
      t.diagnostic(`seed ${noticed.seed}: ${noticed.result.failure}`)
    })
  }
  if (process.env['UPDATE_MUTATION_SEEDS'] !== '1') return
  after(() => writeFileSync(path, `${JSON.stringify(seeds, undefined, 2)}\n`))
}

/** A test for each: no world takes offence. */
export function testSurvivors(survivors: readonly Change[], worldCount: number): void {
  for (const change of survivors) {
    test(`the simulation does not mind that ${change.name}`, async (t) => {
      const mutant = await loadMutant(change)
      t.after(mutant.dispose)
      const seeds = Array.from({ length: worldCount }, (_, i) => FIRST_SEED + i)
      const noticed = await firstToNotice(mutant, seeds)
      assert.ok(noticed === undefined, `seed ${noticed?.seed}: ${noticed?.result.failure}`)
    })
  }
}

function* seedsFor({ favours = () => true }: Mutation, hint: number | undefined): Generator<number> {
  if (hint !== undefined) yield hint
  let seed = FIRST_SEED
  for (let worlds = 0; worlds < WORLDS_MAX; seed++) {
    if (!favours(planOf(seed))) continue
    worlds++
    yield seed
  }
}
