const MIB = 1 << 20
/** Memory of a process beside the state: code, queues, messages, unsaved changes, and V8's young generation. */
const OWN_BYTES = 80 * MIB
const CAPACITY_BYTES_MIN = 4 * MIB
/** The state's share of the rest: V8 needs room to collect garbage, and buffers and tables double before they are copied. */
const STATE_SHARE = 1 / 2
/** V8's limit is that of the old space and so much more. */
const YOUNG_BYTES = 48 * MIB

/** The largest state that a process has memory for, as the state machine counts it, by the limit of V8's heap. */
export function capacityOf(heapLimitBytes: number): number {
  return Math.max(CAPACITY_BYTES_MIN, Math.floor((heapLimitBytes - OWN_BYTES) * STATE_SHARE))
}

/** Returns the --max-old-space-size, in MiB, that a state of so many bytes needs. */
export function oldSpaceMibFor(stateBytes: number): number {
  return Math.ceil((stateBytes / STATE_SHARE + OWN_BYTES - YOUNG_BYTES) / MIB)
}
