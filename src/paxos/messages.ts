import type { MemberAddresses } from './membership-changes.js'
import type { Announcement, Ballot, Genesis, LogEntry, MembershipChange, MembershipRecord, NodeId, Slot, Value } from './types.js'

/** Between nodes. What each means and when it may leave is told in proto/synod/peer/v1/peer.proto, with the message lifelines. */
export type Message = CoreMessage | HostMessage

/** For the core. */
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

/** Between hosts, about what only they know: who and where everybody is, how far directories have got, and what states have come to. */
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
  /** Where the next page begins; 0 on the last. */
  readonly nextSlot: Slot
  /** Which life of the member promises: Member.votesFrom, as the sender knows it. */
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
  /** Members that have acknowledged a heartbeat of this ballot of late. */
  readonly heard: readonly NodeId[]
  /** Of the newest settled membership that the leader knows of: see Node.settledEpoch. */
  readonly settledEpoch: number
}

export interface HeartbeatAck {
  readonly kind: 'heartbeatAck'
  readonly ballot: Ballot
  /** 0 when the sender does not vote, as far as the leader can know: it confirms no read. */
  readonly round: number
  readonly decidedUpTo: Slot
  /** The sender's disk says so, too. */
  readonly durableUpTo: Slot
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
  /** The node whose clients' commands they are. */
  readonly originNodeId: NodeId
  /** That node's name for them; 0: it need not hear that they are refused. */
  readonly pageId: number
}

/** The leader has no room for those commands. */
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
  /** Another reply to the same question follows at once. */
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
  /** 0 for nobody. */
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
  /** The damaged directory that this one takes the place of; empty for none. */
  readonly replacesDataDirId: string
  /** The largest state that the sender has memory for, in bytes; 0: it does not say. */
  readonly capacityBytes: number
  /** What the sender was started with; undefined when it is to join a cluster that is there already. */
  readonly formation: Formation | undefined
  /** The highest level that the sender knows. */
  readonly levelMax: number
}

/** What every initial member must have been started with alike. */
export interface Formation {
  /** In ascending order of node id. */
  readonly members: readonly MemberAddresses[]
  readonly initialCommandCount: number
  /** Of the initial commands, as the host computes it. */
  readonly initialDigest: string
}

export interface Welcome {
  readonly kind: 'welcome'
  readonly genesis: Genesis
  readonly memberships: readonly MembershipRecord[]
  /** As in Heartbeat. */
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

/** Why a leader does not propose a change. */
export type MembershipRefusalReason =
  /** The node id stands for another member, or stood for one: ids are never given again. */
  | 'NODE_ID_USED'
  /** Ids below it that were not given yet would be lost. */
  | 'NODE_ID_TOO_HIGH'
  /** Another member is reached there, or it would be both addresses of one. */
  | 'ADDRESS_USED'
  | 'MEMBER_NOT_FOUND'
  /** The learner is too far behind to vote, or has not been heard of late. */
  | 'NOT_CAUGHT_UP'
  /** The change before this one is not in force yet. A retry is safe. */
  | 'CHANGE_IN_PROGRESS'
  /** Nobody would be left to vote, or too few of those who would be are up. */
  | 'QUORUM_AT_RISK'
  | 'TOO_MANY_MEMBERS'
  /** The member votes from another data directory than the change says. */
  | 'DATA_DIR_MISMATCH'

interface HandOver {
  readonly kind: 'handOver'
  /** 0: whichever node the leader likes. */
  readonly toNodeId: NodeId
}

/** Who the members are and where nodes are reached, as far as the sender knows. */
export interface Roster {
  readonly kind: 'roster'
  /** Empty before the sender has a cluster. */
  readonly clusterId: string
  /** The newest that the sender has learned or was told of: every slot below the first one's fromSlot is decided. */
  readonly memberships: readonly MembershipRecord[]
  /** The sender's own is the first. */
  readonly announcements: readonly Announcement[]
  /** The sender has not had the receiver's roster since it started. */
  readonly asks: boolean
  /** The levels that the sender knows, both ends included. */
  readonly levelMin: number
  readonly levelMax: number
  /** Of the sender's binary; may be empty. */
  readonly version: string
}

/** A node that has just started asks how far its peers have seen its data directory get. */
interface Recall {
  readonly kind: 'recall'
  readonly writeNumber: number
  /** Another one at each start. */
  readonly recallId: number
}

interface Recalled {
  readonly kind: 'recalled'
  readonly writeNumber: number
  /** As asked. */
  readonly recallId: number
}

/** How far data directories have got, the sender's and those of others as it heard. */
interface Mark {
  readonly kind: 'mark'
  readonly marks: readonly DirectoryMark[]
}

export interface DirectoryMark {
  readonly dataDirId: string
  readonly writeNumber: number
}

/** Which slots the sender has passed without carrying them out, because an operator had them skipped. */
interface SkippedSlots {
  readonly kind: 'skippedSlots'
  readonly appliedUpTo: Slot
  /** Ascending, the last ones up to appliedUpTo. */
  readonly slots: readonly Slot[]
}

interface DigestReport {
  readonly kind: 'digest'
  readonly slot: Slot
  readonly stateDigest: number
}
