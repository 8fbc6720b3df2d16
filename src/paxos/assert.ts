/** A broken invariant. The node that meets one stops: going on could lose or fork what was acknowledged. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** Throws unless the condition holds, in production, too. `promise` is the broken rule, in words for the report. */
export function assert(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new InvariantError(`broken invariant: ${promise}`)
}
