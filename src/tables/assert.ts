/** Stays on in production. `promise` says what must hold. A machine that has broken it must not go on: the node stops. */
export function assert(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new Error(`broken invariant of the state machine: ${promise}`)
}
