import type { MembershipRefusalReason } from '../paxos/membership-changes.js'
import type { Announcement, Ballot, Genesis, LogEntry, MembershipChange, MembershipRecord, NodeId, Slot } from '../paxos/types.js'
import type { CheckpointPart } from '../protocol/checkpoint-transfer.js'
import type { SessionName } from '../replication/session-table.js'
import type { Alarm } from './alarms.js'
import type { TransferProgress } from './checkpoint/transfer-progress.js'
import type { BinaryVersion, LevelInForce } from './membership/binary-version.js'

export type { Alarm } from './alarms.js'

/**
 * Why a member could not do what it was asked. All but OUTCOME_UNKNOWN, SESSION_EXPIRED and ALREADY_ACKNOWLEDGED say that it was not done,
 * and never will be: where that is not certain, the code is OUTCOME_UNKNOWN.
 * - NO_QUORUM: not proposed, no leader with a majority was known in time. Safe to retry.
 * - OUTCOME_UNKNOWN: proposed, but not known to be decided in time. A retry under the same request number is safe, another is not.
 * - CANCELLED: not proposed, the caller gave up before. Safe to retry.
 * - OVERLOADED: not proposed, too much is in flight here, or its disk has no room for a backup. Safe to retry, later.
 * - SESSION_EXPIRED: the cluster does not know this session (any more): this try was not carried out. Of an earlier one it says nothing.
 * - ALREADY_ACKNOWLEDGED: the request number is below first_unacknowledged: its result has been forgotten, as the client allowed.
 * - ID_REUSED: the request number was used for another command.
 * - BEYOND_ASKED: the request number is too far above those before it, or below first_unacknowledged.
 * - SESSION_FULL: the session keeps too many answers. The request number stays refused; under another one it is safe to retry.
 * - NOT_JOINED: this node is of no cluster yet, or has nothing of its state. Safe to retry elsewhere.
 * - DATA_DAMAGED: a read met damaged state, or could not read the disk. Another member may answer; an alarm is raised.
 * - LEVEL_UNKNOWN_TO_MEMBER: a member's binary does not know the level, or the member does not say. Safe to retry, later.
 * - STOPPED: this member is stopping or has failed. If the command was not sent before, safe to retry elsewhere.
 * - and why a leader refuses a change of the membership: see MembershipRefusalReason.
 */
export type MemberErrorCode =
  | 'NO_QUORUM'
  | 'OUTCOME_UNKNOWN'
  | 'CANCELLED'
  | 'OVERLOADED'
  | 'SESSION_EXPIRED'
  | 'ALREADY_ACKNOWLEDGED'
  | 'ID_REUSED'
  | 'BEYOND_ASKED'
  | 'SESSION_FULL'
  | 'NOT_JOINED'
  | 'DATA_DAMAGED'
  | 'LEVEL_UNKNOWN_TO_MEMBER'
  | 'STOPPED'
  | MembershipRefusalReason

export class MemberError extends Error {
  override readonly name = 'MemberError'
  readonly code: MemberErrorCode

  constructor(code: MemberErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A command with what makes it exactly-once (RIFL, SOSP '15). */
export interface SessionRequest extends SessionName {
  /** From 1, each used once; a retry keeps it. */
  readonly requestNumber: number
  /** Every result below may be forgotten. At most requestNumber. */
  readonly firstUnacknowledged: number
  readonly command: Uint8Array
}

/** A result and the slot in which its command took effect (of a retry: the first time). */
export interface Answer {
  readonly slot: Slot
  readonly result: Uint8Array
}

export interface MemberStatus {
  readonly nodeId: NodeId
  readonly dataDirId: string
  /** Absent while the cluster forms. */
  readonly genesis: Genesis | undefined
  /** The newest one that was decided, perhaps not in force yet; absent while the cluster forms. */
  readonly membership: MembershipRecord | undefined
  /** joining: it is not a member yet, or no majority has confirmed since its start that its data directory is the newest. */
  readonly role: 'joining' | 'follower' | 'candidate' | 'leader'
  /** 0 when none is known. */
  readonly leaderId: NodeId
  readonly promised: Ballot
  readonly decidedUpTo: Slot
  readonly appliedUpTo: Slot
  /** Slots up to here are no longer in its log. */
  readonly compactedUpTo: Slot
  /** True when it belongs to a cluster and has some state of it, perhaps an old one; false while it installs the state of a peer. */
  readonly isJoined: boolean
  /** There is no cluster yet, and this node is to found it with the other initial members: that may be soon. */
  readonly isForming: boolean
  /** The membership is settled: a majority of its voters has it on disk that it is in force, and nobody else is needed. */
  readonly isMembershipSettled: boolean
  /** The addresses that nodes announce, this one's among them. */
  readonly announcements: readonly Announcement[]
  /** It does not vote (yet). */
  readonly isLearning: boolean
  /** On a leader: the decided watermark that each other member has reported. Empty on others. */
  readonly memberProgress: ReadonlyMap<NodeId, Slot>
  /** The rolling digest of all results up to appliedUpTo. */
  readonly stateDigest: number
  /** On a leader: the log time of a value proposed now, in ms since 1970. 0 on others, and before the clocks of a majority are known. */
  readonly logTimeMs: number
  /** True when this node leads with a majority, or hears a leader. */
  readonly hasQuorum: boolean
  /** Problems of this node that do not stop it. */
  readonly alarms: readonly Alarm[]
  /** The size of the replicated state in memory, as the machine counts it: see StateMachine.stateBytes. */
  readonly stateBytes: number
  /** The largest size that the state may reach; 0: no limit. */
  readonly quotaBytes: number
  /** The level in force after appliedUpTo; 0 while the cluster forms. */
  readonly level: number
  /** The levels that this member knows, and its version. */
  readonly binary: BinaryVersion
  /** The same of nodes that have been heard since this one started, this one among them: what each said last. */
  readonly memberBinaries: ReadonlyMap<NodeId, BinaryVersion>
  /** Checkpoints on their way to this node or from it. */
  readonly transfers: readonly TransferProgress[]
}

/** A piece of a backup: one header, pages, one end, then log entries. */
export type BackupPart = CheckpointPart | { readonly entries: readonly LogEntry[] }

/**
 * Tells that the caller has gone. It is looked at now and then, never listened to, so that it costs a call next to nothing; an AbortSignal
 * is one.
 */
export interface Cancellation {
  readonly aborted: boolean
}

/** Longest wait of a call. */
export interface WaitOptions {
  /** Default: 10 s. */
  readonly timeoutMs?: number
  /** Once it is aborted, what waits is given up: with CANCELLED if nothing was proposed, with OUTCOME_UNKNOWN otherwise. */
  readonly signal?: Cancellation
}

/** The part of a member that the services need. Every wait ends after timeoutMs at the latest. */
export interface MemberApi {
  /** Carries a command out exactly once, in this member's own session. @throws MemberError */
  invoke(command: Uint8Array, options?: WaitOptions): Promise<Answer>
  /** Opens a session for a client of its own. @throws MemberError */
  openSession(options?: WaitOptions): Promise<SessionName>
  /** Ends a session; resolves with whether there was one, and the slot in which it ended. May be asked again. @throws MemberError */
  closeSession(session: SessionName, options?: WaitOptions): Promise<{ readonly closed: boolean; readonly slot: Slot }>
  /** Carries a client's command out exactly once. `settle` is called once, later or at once; no promise is made on the way. */
  submit(request: SessionRequest, options: WaitOptions, settle: (answer: Answer | MemberError) => void): void
  /**
   * Gets a read index and waits until this node has applied it, and so every operation that was acknowledged anywhere before the
   * call: a read of the local state made right then is linearizable. Gives the slot as of which it is. @throws MemberError
   */
  readIndex(options?: WaitOptions): Promise<Slot>
  /** True when the state may be read now: it is that after a whole slot. */
  readonly isReadable: boolean
  /** Resolves when it is, with the slot: at once, or soon. A read made right then sees whole slots only. @throws MemberError */
  untilReadable(options?: WaitOptions): Promise<Slot>
  /** Runs a read of the local state, when it is readable. @throws MemberError DATA_DAMAGED when it throws; the alarm is raised then, and the member goes on */
  reading<T>(read: () => T): T
  /** The level in force, from 1: what doors let through. */
  readonly level: number
  status(): MemberStatus
  /**
   * Carries a change of the membership out; resolves when it is decided and in force, with the slot in which it was decided. What is so
   * already needs no change. @throws MemberError, also with a MembershipRefusalReason
   */
  changeMembership(
    change: MembershipChange,
    options?: WaitOptions,
  ): Promise<{ readonly slot: Slot; readonly membership: MembershipRecord }>
  /**
   * Sets the largest size of the state, in bytes, 1 to 2^53 - 1; a state that is larger already may not grow. Resolves with the
   * slot in which it was decided. @throws MemberError; RangeError
   */
  setQuota(quotaBytes: number, options?: WaitOptions): Promise<Slot>
  /**
   * Raises the level of the log, for good, once every member has said anew that it knows it; 0: to the highest that all know. A level that is
   * in force, or a lower one, changes nothing. Resolves with the level in force, and the slot. @throws MemberError; RangeError
   */
  raiseLevel(level: number, options?: WaitOptions): Promise<LevelInForce>
  /** Asks the leader to hand over to that node (0: whichever it likes); resolves with who leads then. @throws MemberError */
  transferLeadership(to: NodeId, options?: WaitOptions): Promise<NodeId>
  /**
   * A consistent cut: the last checkpoint, and what was decided after it by the time that it is read, all of one cluster.
   * @throws MemberError when there is no cluster, or no checkpoint yet and none can be made
   */
  backup(options?: Pick<WaitOptions, 'signal'>): AsyncIterable<BackupPart>
}
