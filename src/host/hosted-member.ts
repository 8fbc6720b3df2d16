import { assert } from '../paxos/assert.js'
import type { MembershipChange, NodeId, Slot } from '../paxos/types.js'
import type { FeedCursor } from '../replication/commit-feed.js'
import { LEVEL_MIN, LEVEL_NUMBER_MAX } from '../replication/levels.js'
import type { SessionName } from '../replication/session-table.js'
import {
  type Answer,
  type BackupPart,
  type MemberApi,
  MemberError,
  type MemberStatus,
  type SessionRequest,
  type WaitOptions,
} from './api.js'
import { backupOf } from './checkpoint/backup-stream.js'
import { statusOf } from './member-status.js'
import type { LevelInForce } from './membership/binary-version.js'
import type { ChangedMembership } from './membership/membership-calls.js'
import { checkDuration, checkWhole } from './number-checks.js'
import type { Settle } from './requests/pending.js'
import type { Assembly } from './start/assemble.js'
import type { Shutdown } from './start/shutdown.js'

const DEFAULT_TIMEOUT_MS = 10_000
const NO_COMMAND = new Uint8Array(0)
/** The largest command. A value too large for a message between nodes would block its slot, and the log, for good. */
export const COMMAND_BYTES_MAX = 16 << 20

/** The calls of a member of a cluster, wherever its disk is and however it reaches its peers: in a real process or in a simulated world. */
export class HostedMember implements MemberApi {
  readonly #a: Assembly
  readonly #shutdown: Shutdown

  constructor(assembly: Assembly, shutdown: Shutdown) {
    this.#a = assembly
    this.#shutdown = shutdown
  }

  /** Settles when the member has stopped by itself: see Shutdown. */
  get failed(): Promise<Error> {
    return this.#shutdown.failed
  }

  /**
   * Carries a command, of at most 16 MiB, out on the replicated state machine, exactly once, and gives its result.
   * @throws MemberError; RangeError when the command is too large, or timeoutMs is no time to wait
   */
  async invoke(command: Uint8Array, options?: WaitOptions): Promise<Answer> {
    checkSize(command)
    return this.#wait<Answer>('invoke', (settle) => this.#a.desk.invoke(command, this.#deadlineOf(options), settle, options))
  }

  /** Reads from the state machine, linearizably: at least as new as everything acknowledged before the call. @throws MemberError */
  async query(query: Uint8Array, options?: WaitOptions): Promise<Answer> {
    await this.readIndex(options)
    // More may have been applied by the time that this goes on.
    return { slot: this.#a.applier.appliedUpTo, result: this.reading(() => this.#a.options.machine.query(query)) }
  }

  openSession(options?: WaitOptions): Promise<SessionName> {
    return this.#wait<SessionName>('openSession', (settle) =>
      this.#a.desk.openSession(this.#deadlineOf(options), settle, options?.signal),
    )
  }

  closeSession(session: SessionName, options?: WaitOptions): Promise<{ readonly closed: boolean; readonly slot: Slot }> {
    return this.#wait('closeSession', (settle) =>
      this.#a.desk.closeSession(session, this.#deadlineOf(options), settle, options?.signal),
    )
  }

  submit(request: SessionRequest, options: WaitOptions, settle: (answer: Answer | MemberError) => void): void {
    checkSize(request.command)
    if (this.#shutdown.isStopped) return settle(this.#refuse('submit', stopped()))
    const { observer } = this.#a.options
    const told = observer === undefined ? settle : this.#observed('submit', settle)
    this.#a.desk.submit(request, this.#deadlineOf(options), told, options.signal)
    this.#a.host.schedule()
  }

  readIndex(options?: WaitOptions): Promise<Slot> {
    return this.#wait<Slot>('readIndex', (settle) =>
      this.#a.readIndexWaiters.add(this.#deadlineOf(options), settle, options?.signal),
    )
  }

  get isReadable(): boolean {
    return this.#a.applier.isReadable
  }

  get level(): number {
    // While the cluster forms nothing is let through anyway.
    return Math.max(this.#a.sessions.raised.level, LEVEL_MIN)
  }

  untilReadable(options?: WaitOptions): Promise<Slot> {
    if (this.isReadable && !this.#shutdown.isStopped) return Promise.resolve(this.#a.applier.appliedUpTo)
    return this.#wait<Slot>('untilReadable', (settle) =>
      this.#a.readIndexWaiters.addLocal(this.#deadlineOf(options), settle, options?.signal),
    )
  }

  reading<T>(read: () => T): T {
    // A slot that fails at a later command is skipped: nobody may have seen half of it.
    assert(this.isReadable, 'reads come between two slots')
    return this.#a.reads.run(read)
  }

  /**
   * Makes a cursor over the events of the machine (see StateMachine.events), as this member applies them; close() it when it is not needed
   * any more. `from`: revision of the first event wanted; absent: the first one that comes.
   */
  events(from?: bigint): FeedCursor {
    return this.#a.feed.open(from)
  }

  /** Ends all cursors at once, of a simulated process that dies without a word. */
  endEvents(): void {
    this.#a.feed.close()
  }

  status(): MemberStatus {
    return statusOf(this.#a, this.#shutdown)
  }

  async changeMembership(change: MembershipChange, options?: WaitOptions): Promise<ChangedMembership> {
    return this.#wait<ChangedMembership>('changeMembership', (settle) =>
      this.#a.membershipCalls.change(change, this.#deadlineOf(options), settle, options?.signal),
    )
  }

  async setQuota(quotaBytes: number, options?: WaitOptions): Promise<Slot> {
    checkWhole('quotaBytes', quotaBytes, 1)
    const { slot } = await this.#wait<Answer>('setQuota', (settle) => {
      this.#a.desk.invoke(NO_COMMAND, this.#deadlineOf(options), settle, { ...options, quotaBytes })
    })
    return slot
  }

  async raiseLevel(level: number, options?: WaitOptions): Promise<LevelInForce> {
    checkWhole('level', level, 0, LEVEL_NUMBER_MAX)
    const deadlineMs = this.#deadlineOf(options)
    // Every membership that was decided before the call must be known here.
    await this.readIndex(options)
    return this.#wait<LevelInForce>('raiseLevel', (settle) => this.#a.levels.raise(level, deadlineMs, settle, options?.signal))
  }

  async transferLeadership(to: NodeId, options?: WaitOptions): Promise<NodeId> {
    return this.#wait<NodeId>('transferLeadership', (settle) =>
      this.#a.membershipCalls.transfer(to, this.#deadlineOf(options), settle, options?.signal),
    )
  }

  backup({ signal }: Pick<WaitOptions, 'signal'> = {}): AsyncIterable<BackupPart> {
    const parts = backupOf({
      storage: this.#a.storage,
      runtime: this.#a.runtime,
      decidedUpTo: () => this.#a.node.decidedUpTo,
      askForCheckpoint: () => this.#a.host.askForCheckpoint(),
      isStopped: () => this.#shutdown.isStopped,
      signal,
    })
    return this.#a.reads.through(parts)
  }

  /** See Shutdown. */
  handOver(): Promise<void> {
    return this.#shutdown.handOver()
  }

  /** See Shutdown. */
  stop(): Promise<void> {
    return this.#shutdown.stop()
  }

  #wait<T>(call: keyof MemberApi, begin: (settle: Settle<T>) => void): Promise<T> {
    if (this.#shutdown.isStopped) return Promise.reject(this.#refuse(call, stopped()))
    const promise = new Promise<T>((resolve, reject) => {
      begin((outcome) => (outcome instanceof MemberError ? reject(this.#refuse(call, outcome)) : resolve(outcome)))
    })
    this.#a.host.schedule()
    return promise
  }

  #refuse(call: keyof MemberApi, error: MemberError): MemberError {
    this.#a.options.observer?.event('callRefused', { call, code: error.code })
    return error
  }

  #observed<T>(call: keyof MemberApi, settle: Settle<T>): Settle<T> {
    return (outcome) => settle(outcome instanceof MemberError ? this.#refuse(call, outcome) : outcome)
  }

  #deadlineOf(options: WaitOptions | undefined): number {
    const timeoutMs = options?.timeoutMs ?? DEFAULT_TIMEOUT_MS
    // A deadline that is not a number never comes.
    checkDuration('timeoutMs', timeoutMs)
    return this.#a.runtime.nowMs() + timeoutMs
  }
}

function checkSize(command: Uint8Array): void {
  if (!(command instanceof Uint8Array)) throw new TypeError('command: must be a Uint8Array')
  if (command.length <= COMMAND_BYTES_MAX) return
  throw new RangeError(`command: must be at most ${COMMAND_BYTES_MAX} bytes, not ${command.length}`)
}

function stopped(): MemberError {
  return new MemberError('STOPPED', 'this member has stopped')
}
