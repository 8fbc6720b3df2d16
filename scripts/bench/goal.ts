/** What a ratio is to be. */
export type Bound = { readonly atLeast: number } | { readonly atMost: number }

/** A row of what is to be reached, as a scenario knows it before it has run. */
export interface Goal {
  /** 'p99', 'time without service'. */
  readonly figure: string
  /** 'etcd', 'the disk and a round trip', 'itself, undisturbed'. */
  readonly against: string
  readonly bound: Bound
}

/** A goal as it was met, or missed. */
export interface Ratio {
  readonly goal: Goal
  /** Which of the goal's cases: '16 in flight, etcd 3.4.23'. */
  readonly of: string
  /** What was measured, and what that is held against. Undefined where there is no such rival on this machine. */
  readonly values: { readonly ours: number; readonly theirs: number } | undefined
  /** Of both: '/s', 'ms'. */
  readonly unit: string
}

export type Verdict = 'PASS' | 'FAIL' | 'skipped'

/** Undefined where nothing was measured. */
export function ratioOf({ values }: Ratio): number | undefined {
  return values === undefined ? undefined : values.ours / values.theirs
}

export function verdictOf(ratio: Ratio): Verdict {
  const value = ratioOf(ratio)
  if (value === undefined) return 'skipped'
  const { bound } = ratio.goal
  return ('atLeast' in bound ? value >= bound.atLeast : value <= bound.atMost) ? 'PASS' : 'FAIL'
}

/** '≥ 20×'. */
export function formatBound(bound: Bound): string {
  return 'atLeast' in bound ? `≥ ${bound.atLeast}×` : `≤ ${bound.atMost}×`
}
