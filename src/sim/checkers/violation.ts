/** A violated guarantee of Synod, in one sentence. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** @throws Violation if `holds` is false */
export function check(holds: boolean, describe: () => string): asserts holds {
  if (!holds) throw new Violation(describe())
}
