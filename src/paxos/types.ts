/** A member's number, 1 to 65,535. It is part of ballots and therefore never reused for another member. */
export type NodeId = number

/** A position in the log, from 1. 0 means none yet: compare, never test truthiness. */
export type Slot = number

/**
 * A ballot, (round, node id) totally ordered, packed in one number so that `<`, `===` and Map keys work. 0 means none yet.
 * See ballot.ts.
 */
export type Ballot = number

/** The value of a slot. Values are immutable: the same object may be in messages, records and logs. */
export type Value = NoopValue | BatchValue | MembershipValue

/** Fills a gap. */
interface NoopValue {
  readonly kind: 'noop'
}

export interface BatchValue {
  readonly kind: 'batch'
  /**
   * Log time in ms since 1970 (see log-clock.ts), never below the times that the leader has seen decided. A value that a later leader
   * proposes again keeps its time, which may be behind that of an earlier slot. The state machine is given the highest time so far.
   */
  readonly timeMs: number
  /** The commands, opaque to the core. A batch without commands is a pulse: it only advances log time. */
  readonly commands: readonly Uint8Array[]
  /**
   * An operator has had the slot skipped: it changes nothing but log time. The mark is made in data directories while their nodes are
   * stopped. It is not part of the decision: with and without the mark the value is the same.
   */
  readonly skipped?: true
}

/** A change of the membership. It takes effect only if the membership that it changes is the latest and in force; see memberships.ts. */
export interface MembershipValue {
  readonly kind: 'membership'
  /** The epoch of the membership that the change makes. */
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

/** A member of the first membership. */
export interface GenesisMember {
  readonly nodeId: NodeId
  /** The random id of the data directory that the member votes from (docs/protocol.md, rule 5). */
  readonly dataDirId: string
  /** host:port */
  readonly peerAddress: string
  /** host:port; empty for a member that serves no clients over the network. */
  readonly clientAddress: string
}

/** The beginning of a cluster: made once by the seed, never changed, slot 0 of its log. */
export interface Genesis {
  readonly clusterId: string
  /** The members, in ascending order of node id. */
  readonly members: readonly GenesisMember[]
  /** The commands that are applied as slot 0. */
  readonly initialCommands: readonly Uint8Array[]
  /** The pipeline window (the paper's WINDOW, α): a membership change is in force that many slots later. The same on every node. */
  readonly windowSlots: number
  /** The first quota of the state, in bytes: the smallest capacity of the members; 0 for none. */
  readonly quotaBytes: number
  /** The first level of the log: the highest that every member knew. */
  readonly level: number
  /** Version of the seed's binary; may be empty. */
  readonly levelVersion: string
}

/** A member of a membership. */
export interface Member {
  readonly nodeId: NodeId
  /** The random id of the data directory that it votes from; empty until it has reported it. */
  readonly dataDirId: string
  /** host:port */
  readonly peerAddress: string
  /** host:port; empty for a member that serves no clients over the network. */
  readonly clientAddress: string
  /** The first slot in which it votes; 0 for a learner. Tells one life of a member from the next. */
  readonly votesFrom: Slot
  /** A learner that was a voter until its directory was damaged: promoted automatically once it has caught up. */
  readonly returning: boolean
}

/** The members from a slot on (the chapter's view). */
export interface MembershipRecord {
  /** The number of the membership, from 1. */
  readonly epoch: number
  /** The first slot that the membership governs. */
  readonly fromSlot: Slot
  /** The members, in ascending order of node id. */
  readonly members: readonly Member[]
  /** The highest node id that was ever given: ids up to it are never given again. */
  readonly lastNodeId: NodeId
}

/** A node's own addresses. Of two announcements for one data directory, the one with the higher version is newer. */
export interface Announcement {
  readonly nodeId: NodeId
  /** The announcing node's data directory: its identity, whatever its addresses. */
  readonly dataDirId: string
  /** host:port */
  readonly peerAddress: string
  /** host:port; empty for a node that serves no clients over the network. */
  readonly clientAddress: string
  /** The version of the announcement, from 1. */
  readonly version: number
}

export type MembershipChange =
  /** Adds a learner. */
  | { readonly kind: 'add'; readonly nodeId: NodeId; readonly peerAddress: string; readonly clientAddress: string }
  /** A learner has reported its data directory. */
  | { readonly kind: 'bind'; readonly nodeId: NodeId; readonly dataDirId: string }
  /** A learner becomes a voter. */
  | { readonly kind: 'promote'; readonly nodeId: NodeId }
  | { readonly kind: 'remove'; readonly nodeId: NodeId }
  /** The member has other addresses. The voters stay the same. */
  | { readonly kind: 'update'; readonly nodeId: NodeId; readonly peerAddress: string; readonly clientAddress: string }
  /** The member's directory is damaged: it starts anew as a learner, with another one. */
  | { readonly kind: 'reset'; readonly nodeId: NodeId; readonly dataDirId: string; readonly newDataDirId: string }

/** A record that the core must find again after a restart. */
export type DurableRecord =
  | { readonly kind: 'genesis'; readonly genesis: Genesis }
  | { readonly kind: 'promised'; readonly ballot: Ballot }
  /** The acceptor's vote. Replaces an earlier vote for the slot. */
  | { readonly kind: 'accepted'; readonly entry: LogEntry }
  /** A decided slot without a vote in the deciding ballot, mostly from catch-up. Replaces a vote for the slot. */
  | { readonly kind: 'learned'; readonly entry: LogEntry }
  /** Every slot up to here is decided, and the log holds the decided value. */
  | { readonly kind: 'decidedUpTo'; readonly slot: Slot }

/** The state of the core that storage has recovered at start. */
export interface RecoveredState {
  readonly genesis: Genesis | undefined
  readonly promised: Ballot
  readonly decidedUpTo: Slot
  /** The votes for slots above decidedUpTo, ascending. */
  readonly accepted: readonly LogEntry[]
  /** Slots up to here, at most the checkpoint's, are no longer in the log. */
  readonly compactedUpTo: Slot
}
