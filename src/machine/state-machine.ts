/** All that a state machine may know of the world when it applies a command: where in the log, and the log's clock. */
export interface Moment {
  /** From 1; 0 for the initial commands. */
  readonly slot: number
  /** Log time: what the leader wrote into the slot (see paxos/log-clock.ts), ms since 1970, never going back. The only time there is. */
  readonly timeMs: number
}

/** One entry of a checkpoint. */
export interface StateEntry {
  /** At most 8,192 bytes of UTF-8. */
  readonly key: string
  /** Absent: the entry is gone since the last checkpoint. May be a getter that encodes: it is asked once, some time later. */
  readonly value: Uint8Array | undefined
}

/**
 * A deterministic state machine: the same commands in the same order give the same results and the same state, on every node and
 * in every year. No clock, no chance, no I/O, no iteration order that differs by node.
 */
export interface StateMachine {
  /** Carries a command out. Must not throw for any bytes: what is wrong with a command is a result, too. */
  apply(command: Uint8Array, at: Moment): Uint8Array
  /** Answers a read from the current state, without changing it. */
  query(query: Uint8Array): Uint8Array
  /**
   * The entries that have changed since the last call (all of them at the first), for a checkpoint taken now. Walked at once; values
   * asked for later must still be those of now.
   */
  changes(): Iterable<StateEntry>
  /** Called once, before anything else, on a machine fresh from its constructor: every entry of the last checkpoint. */
  restore(entries: Iterable<StateEntry>): void
}
