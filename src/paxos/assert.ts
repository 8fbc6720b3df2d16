/** A broken invariant. The node that meets one stops: going on could lose or fork what was acknowledged. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** Stays on in production. `promise` says what must hold, for whoever reads the report. */
export function assert(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new InvariantError(`broken invariant: ${promise}`)
}
