import type { SeededPlan } from '../plan/plan-file.js'
import { type RunSettings, runPlan, type SeedResult } from './run-seed.js'

/** The verdict on one world. */
export type Verdict =
  | { readonly kind: 'held'; readonly result: SeedResult }
  | { readonly kind: 'broken'; readonly result: SeedResult; readonly sentence: string }
  /** The simulator itself failed: a bug of its own, which says nothing about Synod. */
  | { readonly kind: 'crashed'; readonly error: unknown; readonly sentence: string }

/** Runs one world. Never throws. */
export async function judge(seeded: SeededPlan, settings: RunSettings = {}): Promise<Verdict> {
  try {
    const result = await runPlan({ ...settings, ...seeded })
    return result.failure === undefined ? { kind: 'held', result } : { kind: 'broken', result, sentence: result.failure }
  } catch (error) {
    return { kind: 'crashed', error, sentence: error instanceof Error ? error.message : String(error) }
  }
}

/**
 * Returns the sort of a violation: its sentence without quoted parts, numbers, and names (which all contain a number). Two runs
 * with the same violation on other nodes, at other times, in other slots have one sort.
 */
export function sortOf(sentence: string): string {
  return sentence
    .replace(/"[^"]*"|\{[^}]*\}/g, '…')
    .replace(/[^\s,;()]*\d[^\s,;()]*/g, '#')
    .replace(/(read|request|openSession)(?= #)/g, 'operation')
}
