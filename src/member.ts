import { getHeapStatistics } from 'node:v8'
import type { Answer, BackupPart, MemberApi, MemberError, MemberStatus, SessionRequest, WaitOptions } from './host/api.js'
import type { HostedMember } from './host/hosted-member.js'
import type { LevelInForce } from './host/membership/binary-version.js'
import { safeLogger } from './host/safe-logger.js'
import { capacityOf } from './host/start/capacity.js'
import { checkMemberOptions, type MemberOptions } from './host/start/member-options.js'
import { openOrRepair } from './host/start/open-member.js'
import { startMember } from './host/start/start-member.js'
import { SafeObserver } from './observer/observer.js'
import type { MembershipChange, MembershipRecord, NodeId, Slot } from './paxos/types.js'
import type { FeedCursor } from './replication/commit-feed.js'
import type { SessionName } from './replication/session-table.js'
import { INSECURE, type Security } from './security/security.js'

export { type Answer, type BackupPart, MemberError, type MemberErrorCode, type MemberStatus } from './host/api.js'
export { HaltError } from './host/halt-error.js'
export type { MemberOptions } from './host/start/member-options.js'
export type { Counters, Durations, Events, Gauges } from './observer/names.js'
export type { Observer } from './observer/observer.js'
export type { Remedy } from './remedy.js'
export type { FeedCursor, FeedProgress, FeedRead } from './replication/commit-feed.js'
export { EventLog, type StoreEvent } from './replication/event-log.js'
export type { FeedSlot } from './replication/feed-ring.js'
export type { HistoryReader, Moment, Restoration, StateEntry, StateMachine } from './replication/state-machine.js'
export { StorageError, type StorageErrorCode } from './storage/storage-error.js'
export { type Deadline, Deadlines } from './tables/deadlines.js'
export { PeerListenError } from './transport/peer-transport.js'

/**
 * A member of a cluster, inside this process: one's own deterministic state machine, replicated (the application interface of
 * "Clustering by Consensus"). The bank-and-keys server is its first user.
 */
export class Member implements MemberApi {
  readonly #hosted: HostedMember

  /**
   * Opens the data directory, restores the state machine and starts to talk to the other members. Does not wait for a leader.
   *
   * @throws StorageError when the directory cannot be used; PeerListenError when the address is taken; RangeError for other options
   */
  static async start(given: MemberOptions, security: Security = INSECURE): Promise<Member> {
    const capacityBytes = given.capacityBytes ?? capacityOf(getHeapStatistics().heap_size_limit)
    const observer = given.observer && new SafeObserver(given.observer)
    const options: MemberOptions = {
      ...given,
      capacityBytes,
      logger: safeLogger(given.logger),
      ...(observer && { observer }),
    }
    checkMemberOptions(options)
    const { parts, restored } = await openOrRepair(options, security)
    try {
      return new Member(await startMember(options, parts, restored))
    } catch (error) {
      await parts.storage.close()
      throw error
    }
  }

  private constructor(hosted: HostedMember) {
    this.#hosted = hosted
  }

  /** Settles when the member has stopped by itself: a failed disk, a broken invariant, a data directory that must not vote. */
  get failed(): Promise<Error> {
    return this.#hosted.failed
  }

  /**
   * Carries a command, of at most 16 MiB, out on the replicated state machine, exactly once, and gives its result.
   *
   * @throws MemberError; RangeError when the command is too large, or timeoutMs is no time to wait
   */
  invoke(command: Uint8Array, options?: WaitOptions): Promise<Answer> {
    return this.#hosted.invoke(command, options)
  }

  /** Reads from the state machine, linearizably: at least as new as everything acknowledged before the call. @throws MemberError */
  query(query: Uint8Array, options?: WaitOptions): Promise<Answer> {
    return this.#hosted.query(query, options)
  }

  openSession(options?: WaitOptions): Promise<SessionName> {
    return this.#hosted.openSession(options)
  }

  closeSession(session: SessionName, options?: WaitOptions): Promise<{ readonly closed: boolean; readonly slot: Slot }> {
    return this.#hosted.closeSession(session, options)
  }

  submit(request: SessionRequest, options: WaitOptions, settle: (answer: Answer | MemberError) => void): void {
    this.#hosted.submit(request, options, settle)
  }

  readIndex(options?: WaitOptions): Promise<Slot> {
    return this.#hosted.readIndex(options)
  }

  get isReadable(): boolean {
    return this.#hosted.isReadable
  }

  get level(): number {
    return this.#hosted.level
  }

  untilReadable(options?: WaitOptions): Promise<Slot> {
    return this.#hosted.untilReadable(options)
  }

  reading<T>(read: () => T): T {
    return this.#hosted.reading(read)
  }

  status(): MemberStatus {
    return this.#hosted.status()
  }

  changeMembership(
    change: MembershipChange,
    options?: WaitOptions,
  ): Promise<{ readonly slot: Slot; readonly membership: MembershipRecord }> {
    return this.#hosted.changeMembership(change, options)
  }

  setQuota(quotaBytes: number, options?: WaitOptions): Promise<Slot> {
    return this.#hosted.setQuota(quotaBytes, options)
  }

  raiseLevel(level: number, options?: WaitOptions): Promise<LevelInForce> {
    return this.#hosted.raiseLevel(level, options)
  }

  transferLeadership(to: NodeId, options?: WaitOptions): Promise<NodeId> {
    return this.#hosted.transferLeadership(to, options)
  }

  backup(options?: Pick<WaitOptions, 'signal'>): AsyncIterable<BackupPart> {
    return this.#hosted.backup(options)
  }

  /**
   * Makes a cursor over the events of the machine (see StateMachine.events), as this member applies them; close() it when it is not needed
   * any more. `from`: revision of the first event wanted; absent: the first one that comes.
   */
  events(from?: bigint): FeedCursor {
    return this.#hosted.events(from)
  }

  /** If this member leads: asks another to, and waits until it does, for a second at most. */
  handOver(): Promise<void> {
    return this.#hosted.handOver()
  }

  /** Hands leadership over, writes the state machine's state and lets go of everything. What waits is told STOPPED. */
  stop(): Promise<void> {
    return this.#hosted.stop()
  }
}
