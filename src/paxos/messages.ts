import type { Ballot, Genesis, LogEntry, NodeId, Slot, Value } from './types.js'

/** Between nodes. What each means and when it may leave is told in proto/synod/peer/v1/peer.proto, with the message lifelines. */
export type Message =
  | Prepare
  | Promised
  | Accept
  | Accepted
  | Nack
  | Heartbeat
  | HeartbeatAck
  | Decided
  | Propose
  | CatchUp
  | CatchUpReply
  | ReadIndex
  | ReadIndexReply
  | Poll
  | PollReply
  | TakeOver
  | Join
  | Welcome

/** Phase 1a. */
export interface Prepare {
  readonly kind: 'prepare'
  readonly ballot: Ballot
  readonly fromSlot: Slot
}

/** Phase 1b, one page. (Promise is a word of JavaScript's.) */
export interface Promised {
  readonly kind: 'promise'
  readonly ballot: Ballot
  readonly fromSlot: Slot
  readonly accepted: readonly LogEntry[]
  readonly decidedUpTo: Slot
  /** Where the next page begins; 0 on the last. */
  readonly nextSlot: Slot
}

/** Phase 2a. */
export interface Accept {
  readonly kind: 'accept'
  readonly ballot: Ballot
  readonly slot: Slot
  readonly value: Value
  readonly decidedUpTo: Slot
}

/** Phase 2b. */
export interface Accepted {
  readonly kind: 'accepted'
  readonly ballot: Ballot
  readonly slot: Slot
}

export interface Nack {
  readonly kind: 'nack'
  readonly ballot: Ballot
  readonly promised: Ballot
}

interface Heartbeat {
  readonly kind: 'heartbeat'
  readonly ballot: Ballot
  readonly round: number
  readonly decidedUpTo: Slot
}

export interface HeartbeatAck {
  readonly kind: 'heartbeatAck'
  readonly ballot: Ballot
  readonly round: number
  readonly decidedUpTo: Slot
  /** The sender's wall clock, in ms since 1970; 0 if it does not know. */
  readonly wallMs: number
}

interface Decided {
  readonly kind: 'decided'
  readonly ballot: Ballot
  readonly decidedUpTo: Slot
}

export interface Propose {
  readonly kind: 'propose'
  readonly commands: readonly Uint8Array[]
  readonly hops: number
}

export interface CatchUp {
  readonly kind: 'catchUp'
  readonly fromSlot: Slot
  readonly toSlot: Slot
}

export interface CatchUpReply {
  readonly kind: 'catchUpReply'
  readonly entries: readonly LogEntry[]
  readonly decidedUpTo: Slot
}

interface ReadIndex {
  readonly kind: 'readIndex'
  readonly readId: number
}

export interface ReadIndexReply {
  readonly kind: 'readIndexReply'
  readonly readId: number
  readonly slot: Slot
}

export interface Poll {
  readonly kind: 'poll'
  readonly pollId: number
}

export interface PollReply {
  readonly kind: 'pollReply'
  readonly pollId: number
  readonly granted: boolean
  readonly promised: Ballot
  /** 0 for nobody. */
  readonly leaderId: NodeId
  readonly decidedUpTo: Slot
}

interface TakeOver {
  readonly kind: 'takeOver'
  readonly ballot: Ballot
}

interface Join {
  readonly kind: 'join'
  readonly dataDirId: string
}

interface Welcome {
  readonly kind: 'welcome'
  readonly genesis: Genesis
}
