import type { MemberAddresses, MembershipRefusalReason } from './membership-changes.js'
import type { Announcement, Ballot, Genesis, LogEntry, MembershipChange, MembershipRecord, NodeId, Slot, Value } from './types.js'

/** A message between nodes. Its meaning, when it may leave, and the message lifelines are in proto/synod/peer/v1/peer.proto. */
export type Message = CoreMessage | HostMessage

/** A message for the core. */
export type CoreMessage =
  | Prepare
  | Promised
  | Accept
  | Accepted
  | Nack
  | Heartbeat
  | HeartbeatAck
  | Decided
  | Propose
  | ProposeRefused
  | CatchUp
  | CatchUpReply
  | ReadIndex
  | ReadIndexReply
  | Poll
  | PollReply
  | TakeOver
  | Join
  | Welcome
  | ChangeMembership
  | ChangeMembershipRefused
  | HandOver

/** A message between hosts: addresses, progress of data directories, digests of states. */
export type HostMessage = Roster | Recall | Recalled | Mark | DigestReport | SkippedSlots

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
  /** The first slot of the next page; 0 on the last page. */
  readonly nextSlot: Slot
  /** Member.votesFrom as the sender knows it: tells one life of the member from the next. */
  readonly votesFrom: Slot
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

export interface Heartbeat {
  readonly kind: 'heartbeat'
  readonly ballot: Ballot
  readonly round: number
  readonly decidedUpTo: Slot
  /** Members that have acknowledged a heartbeat of this ballot recently. */
  readonly heard: readonly NodeId[]
  /** The epoch of the newest membership that the leader knows to be settled: see SettledEpoch. */
  readonly settledEpoch: number
}

export interface HeartbeatAck {
  readonly kind: 'heartbeatAck'
  readonly ballot: Ballot
  /** The heartbeat's round; 0 when the leader cannot know yet that the sender votes: then it confirms no read. */
  readonly round: number
  readonly decidedUpTo: Slot
  /** The sender's durable watermark. */
  readonly durableUpTo: Slot
  /** The sender's wall clock, in ms since 1970; 0: unknown. */
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
  /** The node whose clients have sent the commands. */
  readonly originNodeId: NodeId
  /** The origin's number for this page of commands; 0: it need not hear of a refusal. */
  readonly pageId: number
}

/** The leader's queue has no room for the commands. */
interface ProposeRefused {
  readonly kind: 'proposeRefused'
  readonly pageId: number
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
  readonly compactedUpTo: Slot
  /** Another reply to the same request follows at once. */
  readonly hasMore: boolean
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
  /** The leader that the sender follows; 0 for none. */
  readonly leaderId: NodeId
  readonly decidedUpTo: Slot
}

interface TakeOver {
  readonly kind: 'takeOver'
  readonly ballot: Ballot
}

export interface Join {
  readonly kind: 'join'
  readonly dataDirId: string
  /** The damaged directory that the sender's replaces; empty for none. */
  readonly replacesDataDirId: string
  /** The largest state that the sender has memory for, in bytes; 0: unknown. */
  readonly capacityBytes: number
  /** The sender's start options; undefined when it joins an existing cluster. */
  readonly formation: Formation | undefined
  /** The highest level that the sender knows. */
  readonly levelMax: number
}

/** The start options that every initial member must have in common. */
export interface Formation {
  /** The initial members, in ascending order of node id. */
  readonly members: readonly MemberAddresses[]
  readonly initialCommandCount: number
  /** The digest of the initial commands, as the host computes it. */
  readonly initialDigest: string
}

export interface Welcome {
  readonly kind: 'welcome'
  readonly genesis: Genesis
  readonly memberships: readonly MembershipRecord[]
  /** See Heartbeat.settledEpoch. */
  readonly settledEpoch: number
}

export interface ChangeMembership {
  readonly kind: 'changeMembership'
  readonly requestId: number
  readonly change: MembershipChange
}

export interface ChangeMembershipRefused {
  readonly kind: 'changeMembershipRefused'
  readonly requestId: number
  readonly reason: MembershipRefusalReason
  readonly message: string
}

interface HandOver {
  readonly kind: 'handOver'
  /** The node to lead next; 0: the leader chooses. */
  readonly toNodeId: NodeId
}

/** The members and the addresses of nodes, as far as the sender knows. */
export interface Roster {
  readonly kind: 'roster'
  /** Empty before the sender has a cluster. */
  readonly clusterId: string
  /** The newest memberships that the sender knows: every slot below the first one's fromSlot is decided. */
  readonly memberships: readonly MembershipRecord[]
  /** The sender's own announcement comes first. */
  readonly announcements: readonly Announcement[]
  /** The sender has not received the receiver's roster since it started. */
  readonly asks: boolean
  /** The levels that the sender knows, both ends included. */
  readonly levelMin: number
  readonly levelMax: number
  /** Version of the sender's binary; may be empty. */
  readonly version: string
}

/** Asks, after a start, for the highest write number of the sender's data directory that the peer has seen. */
interface Recall {
  readonly kind: 'recall'
  readonly writeNumber: number
  /** A new number for each start. */
  readonly recallId: number
}

interface Recalled {
  readonly kind: 'recalled'
  readonly writeNumber: number
  /** The number of the Recall that this answers. */
  readonly recallId: number
}

/** The highest write numbers of data directories: the sender's own, and those that it has heard of others. */
interface Mark {
  readonly kind: 'mark'
  readonly marks: readonly DirectoryMark[]
}

export interface DirectoryMark {
  readonly dataDirId: string
  readonly writeNumber: number
}

/** The slots that the sender has not executed, because an operator had them skipped. */
interface SkippedSlots {
  readonly kind: 'skippedSlots'
  readonly appliedUpTo: Slot
  /** The last skipped slots up to appliedUpTo, ascending. */
  readonly slots: readonly Slot[]
}

interface DigestReport {
  readonly kind: 'digest'
  readonly slot: Slot
  readonly stateDigest: number
}
