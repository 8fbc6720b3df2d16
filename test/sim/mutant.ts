import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { WorldPlan } from '../../src/sim/plan.js'
import { type RunSettings, runSeed, type SeedResult } from '../../src/sim/run-seed.js'
import type { FaultKind } from '../../src/sim/schedule.js'

/** A line of `src` that reads otherwise: a bug as a tired colleague would write it, or a change that does no harm. */
export interface Change {
  readonly name: string
  /** Below src/. */
  readonly file: string
  /** Stands in the file once. */
  readonly find: string
  readonly replace: string
}

/** A bug that the simulator must notice. */
export interface Mutation extends Change {
  /** In which worlds it shows soon. `npm test` leaves the others out; how soon it is noticed is measured in worlds of any kind. */
  readonly favours?: (plan: WorldPlan) => boolean
  /** Takes so many worlds, or so long in one, to notice that `npm test` leaves it out; scripts/mutations.ts measures it. */
  readonly isRare?: boolean
}

/** Worlds in which one of these faults strikes. */
export function strikes(...kinds: readonly FaultKind[]): (plan: WorldPlan) => boolean {
  return ({ faults }) => faults.some(({ kind }) => kinds.includes(kind))
}

/** Worlds in which one leader soon follows the other, each with votes that not all have seen. */
export function rivals({ faults }: WorldPlan): boolean {
  return faults.filter(({ kind }) => kind === 'leaderIsolation').length >= 6
}

/** Worlds in which the wall clocks of two nodes are seconds apart. */
export function clocksDiffer({ faults }: WorldPlan): boolean {
  return faults.some((fault) => (fault.kind === 'clockJump' || fault.kind === 'clockSkew') && fault.byMs < -2_000)
}

/** The simulator of a program with a change in it. */
export interface Mutant {
  readonly runSeed: typeof runSeed
  readonly dispose: () => void
}

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')
const SRC = join(ROOT, 'src')
const ENTRY = 'sim/run-seed.ts'
const FILES = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

/**
 * Loads the simulator from a directory of its own, in which `src` stands with the change. Only the changed file and whatever imports
 * it, by however many steps, is there twice; the rest are links, so that it takes a fraction of a second.
 */
export async function loadMutant(change: Change): Promise<Mutant> {
  const changed = changedText(change)
  const copied = withDependents(change.file)
  assert.ok(copied.has(ENTRY), `src/${change.file} is part of the simulator`)
  const directory = mkdtempSync(join(tmpdir(), 'synod-mutant-'))
  const dispose = (): void => rmSync(directory, { recursive: true, force: true })
  try {
    for (const shared of ['node_modules', 'package.json']) symlinkSync(join(ROOT, shared), join(directory, shared))
    for (const file of FILES) {
      const path = join(directory, 'src', file)
      mkdirSync(dirname(path), { recursive: true })
      if (copied.has(file)) writeFileSync(path, file === change.file ? changed : textOf(file))
      else symlinkSync(join(SRC, file), path)
    }
    const mutant: { runSeed: typeof runSeed } = await import(pathToFileURL(join(directory, 'src', ENTRY)).href)
    return { runSeed: mutant.runSeed, dispose }
  } catch (error) {
    dispose()
    throw error
  }
}

/** A seed whose world the change has broken, and how many worlds it took. */
export interface Noticed {
  readonly seed: number
  readonly worldCount: number
  readonly result: SeedResult
}

/** The first of the seeds whose world breaks a promise with the change, but not without it. */
export async function firstToNotice(
  mutant: Mutant,
  seeds: Iterable<number>,
  settings: RunSettings = {},
): Promise<Noticed | undefined> {
  let worldCount = 0
  for (const seed of seeds) {
    worldCount++
    const result = await mutant.runSeed(seed, settings)
    if (result.failure !== undefined && (await runSeed(seed, settings)).failure === undefined) return { seed, worldCount, result }
  }
  return undefined
}

/** @throws AssertionError when the source has moved on: then the change must be written anew. */
function changedText({ file, find, replace }: Change): string {
  const parts = textOf(file).split(find)
  assert.equal(parts.length, 2, `this must stand in src/${file} once: ${find}`)
  return parts.join(replace)
}

function withDependents(file: string): Set<string> {
  const found = new Set([file])
  for (const imported of found) for (const importer of importersOf(imported)) found.add(importer)
  return found
}

function importersOf(file: string): string[] {
  return FILES.filter((importer) => importsOf(importer).includes(file))
}

const imports = new Map<string, readonly string[]>()

function importsOf(file: string): readonly string[] {
  const known = imports.get(file)
  if (known !== undefined) return known
  const found = [...textOf(file).matchAll(/from '(\.[^']+)\.js'/g)].map(([, path = '']) =>
    posix.join(dirname(file), `${path}.ts`),
  )
  imports.set(file, found)
  return found
}

function textOf(file: string): string {
  return readFileSync(join(SRC, file), 'utf8')
}
