import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import type { WorldPlan } from '../../src/sim/plan/plan.js'
import type { FaultKind } from '../../src/sim/plan/schedule.js'
import { type RunSettings, runSeed, type SeedResult } from '../../src/sim/runs/run-seed.js'
import { HELD_WORLDS } from './held-worlds.js'

/** A changed line of `src`: a bug as a tired colleague would write it, or a change that does no harm. */
export interface Change {
  readonly name: string
  /** Path below src/. */
  readonly file: string
  /** Text that occurs once in the file. */
  readonly find: string
  readonly replace: string
}

/** A bug that the simulator must notice. */
export interface Mutation extends Change {
  /** The worlds in which it shows soon. `npm test` runs only these; the time to notice it is measured in all worlds. */
  readonly favours?: (plan: WorldPlan) => boolean
  /** True if it takes so many worlds, or so long in one, that `npm test` leaves it out; scripts/mutations.ts measures it. */
  readonly isRare?: boolean
}

/** Selects worlds in which one of these faults strikes. */
export function strikes(...kinds: readonly FaultKind[]): (plan: WorldPlan) => boolean {
  return ({ faults }) => faults.some(({ kind }) => kinds.includes(kind))
}

/** Selects worlds in which leaders soon succeed each other, each with votes that not all nodes have seen. */
export function rivals({ faults }: WorldPlan): boolean {
  return faults.filter(({ kind }) => kind === 'leaderIsolation').length >= 6
}

/** Selects worlds in which the wall clocks of two nodes are seconds apart. */
export function clocksDiffer({ faults }: WorldPlan): boolean {
  return faults.some((fault) => (fault.kind === 'clockJump' || fault.kind === 'clockSkew') && fault.byMs < -2_000)
}

/** The simulator of a program with a change in it. */
export interface Mutant {
  readonly runSeed: typeof runSeed
  readonly dispose: () => void
}

/** Returns the file with the change. @throws AssertionError if the text is gone: then the change must be rewritten */
export function changedText({ file, find, replace }: Change): string {
  const parts = readFileSync(resolve('src', file), 'utf8').split(find)
  assert.equal(parts.length, 2, `this must stand in src/${file} once: ${find}`)
  return parts.join(replace)
}

/** Loads the simulator, bundled with the change, from a directory of its own. */
export async function loadMutant(change: Change): Promise<Mutant> {
  const path = resolve('src', change.file)
  const contents = changedText(change)
  const directory = mkdtempSync(join(tmpdir(), 'synod-mutant-'))
  const dispose = (): void => rmSync(directory, { recursive: true, force: true })
  try {
    let isPart = false
    const plugin: Plugin = {
      name: 'change',
      setup: (bundle) =>
        bundle.onLoad({ filter: /\.ts$/ }, (loaded) => {
          if (loaded.path !== path) return undefined
          isPart = true
          return { contents, loader: 'ts' }
        }),
    }
    const outfile = join(directory, 'run-seed.mjs')
    await build({
      entryPoints: ['src/sim/runs/run-seed.ts'],
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20',
      sourcemap: true,
      outfile,
      plugins: [plugin],
    })
    assert.ok(isPart, `src/${change.file} is part of the simulator`)
    symlinkSync(resolve('node_modules'), join(directory, 'node_modules'))
    const mutant: { runSeed: typeof runSeed } = await import(pathToFileURL(outfile).href)
    return { runSeed: mutant.runSeed, dispose }
  } catch (error) {
    dispose()
    throw error
  }
}

/** A seed whose world fails with the change, and the number of worlds that were run. */
export interface Noticed {
  readonly seed: number
  readonly worldCount: number
  readonly result: SeedResult
}

/** Returns the first seed whose world fails with the change, but not without it. */
export async function firstToNotice(
  mutant: Mutant,
  seeds: Iterable<number>,
  settings: RunSettings = {},
): Promise<Noticed | undefined> {
  let worldCount = 0
  for (const seed of seeds) {
    worldCount++
    const result = await mutant.runSeed(seed, settings)
    if (result.failure === undefined) continue
    if (seed <= HELD_WORLDS || (await runSeed(seed, settings)).failure === undefined) return { seed, worldCount, result }
  }
  return undefined
}
