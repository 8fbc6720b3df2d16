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
export type Value = NoopValue | BatchValue | MembershipValue

/** Fills a gap. */
interface NoopValue {
  readonly kind: 'noop'
}

export interface BatchValue {
  readonly kind: 'batch'
  /**
   * Log time in ms since 1970 (see log-clock.ts), never below what the leader has seen decided. A value that a later leader proposes again keeps
   * its time, possibly behind that of an earlier slot: whoever applies takes the highest so far, the only time the state machine sees.
   */
  readonly timeMs: number
  /** Opaque to the core. None: a pulse, which only lets time go on. */
  readonly commands: readonly Uint8Array[]
  /**
   * An operator has had the slot skipped: it changes nothing but the log's time. A mark on what was decided, made in data directories while
   * their nodes were stopped, and no part of the decision: with the mark and without it is the same value.
   */
  readonly skipped?: true
}

/** A change of the membership. Without effect unless the membership that it changes is the latest, and in force; see memberships.ts. */
export interface MembershipValue {
  readonly kind: 'membership'
  /** Of the membership that it makes. */
  readonly epoch: number
  readonly change: MembershipChange
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
  /** The pipeline window (the paper's WINDOW, α): the same on every node, as a change of the membership is in force so many slots later. */
  readonly windowSlots: number
  /** The state's first quota, in bytes: the smallest capacity of the members. 0: none. */
  readonly quotaBytes: number
  /** The first level of the log: the highest that every member knew. */
  readonly level: number
  /** Of the seed's binary; may be empty. */
  readonly levelVersion: string
}

/** A member, as some membership has it. */
export interface Member {
  readonly nodeId: NodeId
  /** The random id of the data directory that it votes from; empty until it has said so. */
  readonly dataDirId: string
  /** host:port */
  readonly peerAddress: string
  /** host:port; empty for a member that serves no clients over the network. */
  readonly clientAddress: string
  /** It votes from this slot on, and in none below; 0 for a learner. Tells one life of a member from the next. */
  readonly votesFrom: Slot
  /** A learner that was a voter until its directory was damaged: promoted without being asked for once it has caught up. */
  readonly returning: boolean
}

/** Who the members are from a slot on (the chapter's view). */
export interface MembershipRecord {
  /** Counts memberships, from 1. */
  readonly epoch: number
  /** The first slot that it governs. */
  readonly fromSlot: Slot
  /** In ascending order of node id. */
  readonly members: readonly Member[]
  /** The highest node id that was ever given: those up to it are never given again. */
  readonly lastNodeId: NodeId
}

/** Where a node says of itself that it is reached. Of two for one data directory the higher version is the newer one. */
export interface Announcement {
  readonly nodeId: NodeId
  /** The announcing node's data directory: its identity, wherever it is. */
  readonly dataDirId: string
  /** host:port */
  readonly peerAddress: string
  /** host:port; empty for a node that serves no clients over the network. */
  readonly clientAddress: string
  /** From 1. */
  readonly version: number
}

export type MembershipChange =
  /** A new learner. */
  | { readonly kind: 'add'; readonly nodeId: NodeId; readonly peerAddress: string; readonly clientAddress: string }
  /** A learner says which data directory is its own. */
  | { readonly kind: 'bind'; readonly nodeId: NodeId; readonly dataDirId: string }
  /** A learner becomes a voter. */
  | { readonly kind: 'promote'; readonly nodeId: NodeId }
  | { readonly kind: 'remove'; readonly nodeId: NodeId }
  /** The member is reached at other addresses. Who votes stays as it is. */
  | { readonly kind: 'update'; readonly nodeId: NodeId; readonly peerAddress: string; readonly clientAddress: string }
  /** The member's directory is damaged: it begins anew as a learner, in another. */
  | { readonly kind: 'reset'; readonly nodeId: NodeId; readonly dataDirId: string; readonly newDataDirId: string }

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
  /** Slots up to here, at most the checkpoint's, are no longer in the log. */
  readonly compactedUpTo: Slot
}
