import { setImmediate } from 'node:timers/promises'
import type { RunSettings } from '../runs/run-seed.js'
import { judge, sortOf, type Verdict } from '../runs/verdict.js'
import type { WorldPlan } from './plan.js'
import type { SeededPlan } from './plan-file.js'
import type { PlannedFault } from './schedule.js'
import { cutOff, SIMPLER_FAULTS, SIMPLER_PLANS } from './simplify.js'

export type Failure = Exclude<Verdict, { readonly kind: 'held' }>

export interface ShrinkSettings {
  /** Maximum number of worlds to run. */
  readonly runsMax: number
  /** Asked before each run if the search shall continue. Default: always. */
  readonly goesOn?: () => boolean
  /** Called after each run. */
  readonly onRun?: (progress: ShrinkProgress) => void
  /** The settings of the run that failed. */
  readonly run?: RunSettings
}

interface ShrinkProgress {
  readonly runCount: number
  /** The smallest plan so far that fails in the same way. */
  readonly best: SeededPlan
}

export interface Shrunk extends ShrinkProgress {
  readonly failure: Failure
  /** True if no single step makes the plan smaller; false if the budget ended first. */
  readonly isMinimal: boolean
}

/** A changed plan shifts every later draw: a plan that still fails may need another seed. */
const SEEDS_PER_PLAN = 5

/**
 * Searches for a small plan that fails in the same way as `failing`. It uses delta debugging (Zeller and Hildebrandt, 2002) on
 * the list of faults, then simplifies each fault and the rest of the plan, until no single step helps or the budget is used up.
 */
export async function shrink(failing: SeededPlan, failure: Failure, settings: ShrinkSettings): Promise<Shrunk> {
  return await new Shrinker(failing, failure, settings).run()
}

class Shrinker {
  readonly #settings: ShrinkSettings
  readonly #sort: string
  /** Plans that were tried: none is tried twice. */
  readonly #tried = new Set<string>()
  readonly #run: RunSettings
  #best: SeededPlan
  #failure: Failure
  #runCount = 0

  constructor(failing: SeededPlan, failure: Failure, settings: ShrinkSettings) {
    this.#settings = settings
    this.#sort = sortOf(failure.sentence)
    // A failure during the faults is seen before they end: phase two is not needed.
    const endsWithFaults = failure.kind === 'broken' && failure.result.simulatedMs < failing.plan.faultsMs
    this.#run = { ...settings.run, endsWithFaults }
    this.#best = failing
    this.#failure = failure
  }

  async run(): Promise<Shrunk> {
    await this.#cutOff()
    let isSmaller = true
    while (isSmaller && this.#goesOn) {
      isSmaller = await this.#dropFaults()
      isSmaller = (await this.#simplifyPlan()) || isSmaller
      isSmaller = (await this.#simplifyFaults()) || isSmaller
    }
    return { best: this.#best, failure: this.#failure, runCount: this.#runCount, isMinimal: !isSmaller && this.#goesOn }
  }

  get #goesOn(): boolean {
    return this.#runCount < this.#settings.runsMax && this.#settings.goesOn?.() !== false
  }

  get #faults(): readonly PlannedFault[] {
    return this.#best.plan.faults
  }

  /** Drops parts of the list of faults, from large parts down to single faults. */
  async #dropFaults(): Promise<boolean> {
    const before = this.#faults.length
    for (let size = before; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = 0; at < this.#faults.length; ) {
        const faults = this.#faults.filter((_, i) => i < at || i >= at + size)
        if (!(await this.#try({ ...this.#best.plan, faults }))) at += size
      }
    }
    return this.#faults.length < before
  }

  async #simplifyPlan(): Promise<boolean> {
    let isSimpler = false
    for (const simplify of SIMPLER_PLANS) {
      while (await this.#try(simplify(this.#best.plan))) isSimpler = true
    }
    return isSimpler
  }

  async #simplifyFaults(): Promise<boolean> {
    let isSimpler = false
    for (let i = 0; i < this.#faults.length; i++) {
      for (const simplify of SIMPLER_FAULTS) {
        while (await this.#try(this.#withFault(i, simplify))) isSimpler = true
      }
    }
    return isSimpler
  }

  #withFault(i: number, simplify: (fault: PlannedFault) => PlannedFault | undefined): WorldPlan | undefined {
    const fault = this.#faults[i]
    const simpler = fault && simplify(fault)
    return simpler && { ...this.#best.plan, faults: this.#faults.with(i, simpler) }
  }

  /** Drops what comes after the failure. */
  async #cutOff(): Promise<void> {
    if (this.#failure.kind !== 'broken') return
    const { plan } = this.#best
    const shorter = cutOff(plan, this.#failure.result.simulatedMs)
    if (shorter.faultsMs < plan.faultsMs) await this.#try(shorter)
  }

  /** Returns true if the plan fails in the same way; then it is the best so far. */
  async #try(plan: WorldPlan | undefined): Promise<boolean> {
    if (plan === undefined) return false
    for (let i = 0; i < SEEDS_PER_PLAN; i++) {
      if (!this.#goesOn) return false
      const seeded = { seed: (this.#best.seed + i) >>> 0, plan }
      if (await this.#fails(seeded)) {
        await this.#cutOff()
        return true
      }
    }
    return false
  }

  async #fails(seeded: SeededPlan): Promise<boolean> {
    const key = JSON.stringify(seeded)
    if (this.#tried.has(key)) return false
    this.#tried.add(key)
    // Yields, so that Ctrl-C is heard between two runs.
    await setImmediate()
    const verdict = await judge(seeded, this.#run)
    this.#runCount++
    const isAlike = verdict.kind !== 'held' && sortOf(verdict.sentence) === this.#sort
    if (isAlike) {
      this.#best = seeded
      this.#failure = verdict
    }
    this.#settings.onRun?.({ runCount: this.#runCount, best: this.#best })
    return isAlike
  }
}
