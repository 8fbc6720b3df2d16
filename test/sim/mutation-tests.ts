import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { planOf, runSeed } from '../../src/sim/runs/run-seed.js'
import { HELD_WORLDS } from './held-worlds.js'
import { type Change, firstToNotice, loadMutant, type Mutation } from './mutant.js'

/** Several times the number that the best hidden mutation needs: a change of the core shifts every seed's world. */
const WORLDS_MAX = 300
const IS_UPDATING = process.env['UPDATE_MUTATION_SEEDS'] === '1'

/**
 * Defines a test for each mutation: some world must notice it. The world that noticed it last is tried first, see
 * mutation-seeds/LAYER.json; UPDATE_MUTATION_SEEDS=1 rewrites that file with the smallest worlds that do. After a change of the
 * simulator, which shifts every seed's world, the search starts again.
 */
export function testMutations(layer: string, mutations: readonly Mutation[]): void {
  const path = `test/sim/mutation-seeds/${layer}.json`
  const seeds = (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}) as Record<string, number>
  const found: Record<string, number> = {}
  for (const mutation of mutations.filter(({ isRare = false }) => !isRare)) {
    test(`the simulation notices when ${mutation.name}`, async (t) => {
      const mutant = await loadMutant(mutation)
      t.after(mutant.dispose)
      const first = IS_UPDATING ? await smallestFirst() : [seeds[mutation.name] ?? 1]
      const noticed = await firstToNotice(mutant, seedsFor(mutation, first))
      assert.ok(noticed !== undefined, `${WORLDS_MAX} worlds did not notice`)
      assert.ok(!isSlip(noticed.result.error), `the change does not fit the source any more: ${noticed.result.failure}`)
      found[mutation.name] = noticed.seed
      t.diagnostic(`seed ${noticed.seed}, world ${noticed.worldCount}: ${noticed.result.failure}`)
    })
  }
  if (IS_UPDATING) after(() => writeFileSync(path, `${JSON.stringify(found, undefined, 2)}\n`))
}

/** Defines a test for each change that does no harm: no world may notice it. */
export function testSurvivors(survivors: readonly Change[], worldCount: number): void {
  for (const change of survivors) {
    test(`the simulation does not mind that ${change.name}`, async (t) => {
      const mutant = await loadMutant(change)
      t.after(mutant.dispose)
      const seeds = Array.from({ length: worldCount }, (_, i) => 1 + i)
      const noticed = await firstToNotice(mutant, seeds)
      assert.ok(noticed === undefined, `seed ${noticed?.seed}: ${noticed?.result.failure}`)
    })
  }
}

/** Returns true if a node failed on an undefined name, and not on what the change was to break. */
function isSlip(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof ReferenceError) return true
  return error instanceof Error && error.cause !== undefined && isSlip(error.cause)
}

function* seedsFor({ favours = () => true }: Mutation, first: readonly number[]): Generator<number> {
  yield* first
  let seed = 1
  for (let worlds = 0; worlds < WORLDS_MAX; seed++) {
    if (first.includes(seed) || !favours(planOf(seed))) continue
    worlds++
    yield seed
  }
}

let order: Promise<readonly number[]> | undefined

/** Returns worlds that hold, those with the fewest events first. */
function smallestFirst(): Promise<readonly number[]> {
  order ??= sortWorlds()
  return order
}

async function sortWorlds(): Promise<number[]> {
  const counted: { seed: number; eventCount: number }[] = []
  for (let seed = 1; seed <= HELD_WORLDS; seed++) counted.push({ seed, eventCount: (await runSeed(seed)).eventCount })
  return counted.toSorted((a, b) => a.eventCount - b.eventCount).map(({ seed }) => seed)
}
