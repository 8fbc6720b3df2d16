import { type Verdict, verdictOf } from '../goal.js'
import type { Scenario, ScenarioResult } from '../scenario.js'

/** A scenario that has run. */
export interface Finished {
  readonly scenario: Pick<Scenario, 'name' | 'title' | 'goals'>
  readonly seconds: number
  /** What it came to, or why it broke off. */
  readonly outcome: ScenarioResult | Error
}

/** A whole run of the benchmark. */
export interface Report {
  readonly startedAt: Date
  /** For people: the machine, the versions, how long was measured. */
  readonly facts: readonly (readonly [string, string])[]
  readonly finished: readonly Finished[]
}

export interface Tally {
  readonly reached: number
  readonly missed: number
  /** Goals without a rival on this machine. */
  readonly skipped: number
  /** Scenarios that broke off. */
  readonly failed: number
}

export function tallyOf({ finished }: Report): Tally {
  const verdicts = finished.flatMap(({ outcome }) => (outcome instanceof Error ? [] : outcome.ratios.map(verdictOf)))
  const count = (wanted: Verdict): number => verdicts.filter((verdict) => verdict === wanted).length
  const failed = finished.filter(({ outcome }) => outcome instanceof Error).length
  return { reached: count('PASS'), missed: count('FAIL'), skipped: count('skipped'), failed }
}

/** '12 reached, 3 missed', and what else there is to say. */
export function formatTally({ reached, missed, skipped, failed }: Tally): string {
  const rest = [skipped > 0 ? `, ${skipped} skipped` : '', failed > 0 ? `, ${failed} broke off` : '']
  return `${reached} reached, ${missed} missed${rest.join('')}`
}
