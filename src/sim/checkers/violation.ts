/** A guarantee of Synod's that a run has seen violated, in one sentence. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** @throws Violation unless it holds. */
export function check(holds: boolean, describe: () => string): asserts holds {
  if (!holds) throw new Violation(describe())
}
