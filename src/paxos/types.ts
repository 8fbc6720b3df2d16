/** A member's number, 1 to 65,535. Part of its ballots, therefore never used again for another member. */
export type NodeId = number

/** A position in the log, from 1. 0 means none yet: compare, never test truthiness. */
export type Slot = number

/**
 * A ballot, (round, node id) totally ordered, packed in one number so that `<`, `===` and Map keys work. 0 means none yet.
 * See ballot.ts.
 */
export type Ballot = number

/** What a slot decides. Values are never changed once made: the same object may stand in messages, records and logs. */
export type Value = NoopValue | BatchValue

/** Fills a gap. */
interface NoopValue {
  readonly kind: 'noop'
}

interface BatchValue {
  readonly kind: 'batch'
  /**
   * Log time in ms since 1970 (see log-clock.ts), never below what the leader has seen decided. A value that a later leader proposes again keeps
   * its time, possibly behind that of an earlier slot: whoever applies takes the highest so far, the only time the state machine sees.
   */
  readonly timeMs: number
  /** Opaque to the core, at least one. */
  readonly commands: readonly Uint8Array[]
}

export const NOOP: Value = Object.freeze({ kind: 'noop' })

/** A value accepted in a ballot, or decided. */
export interface LogEntry {
  readonly slot: Slot
  readonly ballot: Ballot
  readonly value: Value
}

/** A member as the cluster was formed with it. */
export interface GenesisMember {
  readonly nodeId: NodeId
  /** The random id of the data directory that the member votes from (DESIGN.md, rule 5). */
  readonly dataDirId: string
  /** host:port */
  readonly peerAddress: string
  /** host:port; empty for a member that serves no clients over the network. */
  readonly clientAddress: string
}

/** How a cluster began: made once by the seed, never changed, slot 0 of its log. */
export interface Genesis {
  readonly clusterId: string
  /** In ascending order of node id. */
  readonly members: readonly GenesisMember[]
  /** Commands that are applied as slot 0. */
  readonly initialCommands: readonly Uint8Array[]
}

/** What the core wants to find again after a restart. */
export type DurableRecord =
  | { readonly kind: 'genesis'; readonly genesis: Genesis }
  | { readonly kind: 'promised'; readonly ballot: Ballot }
  /** The acceptor's vote. Replaces an earlier one for the slot. */
  | { readonly kind: 'accepted'; readonly entry: LogEntry }
  /** A slot whose decided value came by catch-up. Replaces what was accepted there. */
  | { readonly kind: 'learned'; readonly entry: LogEntry }
  /** Every slot up to here is decided, and the log holds the decided value. */
  | { readonly kind: 'decidedUpTo'; readonly slot: Slot }

/** What a node's storage gives back at start. */
export interface RecoveredState {
  readonly genesis: Genesis | undefined
  readonly promised: Ballot
  readonly decidedUpTo: Slot
  /** Everything accepted in slots above decidedUpTo, ascending. */
  readonly accepted: readonly LogEntry[]
}
