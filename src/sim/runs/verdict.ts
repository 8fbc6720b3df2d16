import type { SeededPlan } from '../plan/plan-file.js'
import { type RunSettings, runPlan, type SeedResult } from './run-seed.js'

/** What became of one world. */
export type Verdict =
  | { readonly kind: 'held'; readonly result: SeedResult }
  | { readonly kind: 'broken'; readonly result: SeedResult; readonly sentence: string }
  /** The simulator itself failed: that is a bug of its own, and says nothing about Synod. */
  | { readonly kind: 'crashed'; readonly error: unknown; readonly sentence: string }

/** Lives through a world. Never throws. */
export async function judge(seeded: SeededPlan, settings: RunSettings = {}): Promise<Verdict> {
  try {
    const result = await runPlan({ ...settings, ...seeded })
    return result.failure === undefined ? { kind: 'held', result } : { kind: 'broken', result, sentence: result.failure }
  } catch (error) {
    return { kind: 'crashed', error, sentence: error instanceof Error ? error.message : String(error) }
  }
}

/**
 * The sort of a broken promise: its sentence without what is quoted, without numbers, and without names, which all have a number in
 * them. Two runs that break the same promise on other nodes, at another time, in other slots are of one sort.
 */
export function sortOf(sentence: string): string {
  return sentence
    .replace(/"[^"]*"|\{[^}]*\}/g, '…')
    .replace(/[^\s,;()]*\d[^\s,;()]*/g, '#')
    .replace(/(read|request|openSession)(?= #)/g, 'operation')
}
