import { createHash } from 'node:crypto'
import { assert } from '../paxos/assert.js'
import type { Message } from '../paxos/messages.js'
import { Node, type NodeSettings } from '../paxos/node.js'
import { DEFAULT_OPTIONS } from '../paxos/options.js'
import type { Member, MembershipChange, NodeId, Slot } from '../paxos/types.js'
import type { SessionName } from '../replication/session-table.js'
import type { Sessions } from '../replication/sessions.js'
import type { Storage } from '../storage/storage.js'
import { admit, membersOf, type PeerRefusal } from './admission.js'
import type { Alarms } from './alarms.js'
import { type Answer, type BackupPart, type MemberApi, MemberError, type MemberStatus, type SessionRequest } from './api.js'
import type { Applier } from './applier.js'
import { backupOf } from './backup.js'
import { checkDuration, checkWhole } from './bounds.js'
import { CheckpointReceiver } from './checkpoint-receiver.js'
import { CheckpointSender } from './checkpoint-sender.js'
import { ClockWatch } from './clock-watch.js'
import { DEFAULT_TICK_INTERVAL_MS, HaltError, Host } from './host.js'
import { LaggardHolds } from './laggard-holds.js'
import { MajorityWatch } from './majority-watch.js'
import type { HostedMemberOptions, MemberParts } from './member-parts.js'
import { type ChangedMembership, MembershipCalls } from './membership-calls.js'
import { PeerFinder, recordOf } from './peer-finder.js'
import type { PeerPort } from './peer-port.js'
import { PeerTalk } from './peer-talk.js'
import type { Settle } from './pending.js'
import { QuotaWatch } from './quota-watch.js'
import { ReadIndexWaiters } from './read-index-waiters.js'
import { installState } from './recovery.js'
import type { Requester } from './requester.js'
import { type Restored, restoreMachine } from './restored.js'
import type { Runtime } from './runtime.js'
import type { SafeReads } from './safe-reads.js'
import type { SessionDesk } from './session-desk.js'
import { Waiting } from './waiting.js'

export type { HostedMemberOptions, MemberParts } from './member-parts.js'
export type { PeerPort, PeerPortHandlers } from './peer-port.js'
export { type Restored, restoreMachine } from './restored.js'

const DEFAULT_TIMEOUT_MS = 10_000
const NO_COMMAND = new Uint8Array(0)
/** A value that no message between nodes can hold would block its slot, and the log with it, for good. */
export const COMMAND_BYTES_MAX = 16 << 20
const JOIN_INTERVAL_MS = 200
/** There is room above for the ids of a lifetime. */
const ID_SPAN = 2 ** 48
/** How long a stopping leader waits for another to take over. */
const HAND_OVER_TIMEOUT_MS = 1_000

/** A member of a cluster, wherever its disk is and however it reaches its peers: in a real process or in a simulated world. */
export class HostedMember implements MemberApi {
  /** Settles when the member has stopped by itself: a failed disk, a broken invariant, a data directory that must not vote. */
  readonly failed: Promise<Error>
  /** What is wrong here without stopping the node; told in its status. */
  protected readonly alarms: Alarms
  readonly #options: HostedMemberOptions
  readonly #storage: Storage
  readonly #runtime: Runtime
  readonly #node: Node
  readonly #port: PeerPort
  readonly #host: Host
  readonly #applier: Applier
  readonly #sessions: Sessions
  readonly #reads: SafeReads
  readonly #requester: Requester
  readonly #readIndexWaiters: ReadIndexWaiters
  readonly #desk: SessionDesk
  readonly #membershipCalls: MembershipCalls
  readonly #finder: PeerFinder
  readonly #talk: PeerTalk
  readonly #sender: CheckpointSender
  readonly #receiver: CheckpointReceiver
  #isStopped = false
  #stopping: Promise<void> | undefined
  /** Peers whose cluster is another. */
  readonly #foreignTo = new Set<NodeId>()
  #onLedByAnother: (() => void) | undefined

  /** Restores the state machine from what the storage holds, and goes to work. */
  static async restore(options: HostedMemberOptions, parts: MemberParts): Promise<HostedMember> {
    const member = new HostedMember(options, parts, await restoreMachine(options, parts))
    await member.listen()
    return member
  }

  protected constructor(options: HostedMemberOptions, parts: MemberParts, restored: Restored) {
    const { storage, runtime, makeNode = newNode } = parts
    const { sessions } = restored
    const { logger } = options
    const nowMs = (): number => runtime.nowMs()
    const core = { ...DEFAULT_OPTIONS, ...options.options }
    this.#options = options
    this.#storage = storage
    this.#runtime = runtime
    this.alarms = restored.alarms
    this.#reads = restored.reads
    this.#requester = restored.requester
    this.#desk = restored.desk
    this.#applier = restored.applier
    this.#sessions = sessions
    this.#readIndexWaiters = new ReadIndexWaiters()
    this.#node = makeNode({
      self: options.nodeId,
      dataDirId: storage.dataDirId,
      members: options.members,
      newClusterId: runtime.uuid(),
      initialCommands: options.initialCommands ?? [],
      initialDigest: digestOf(options.initialCommands ?? []),
      joinIntervalMs: JOIN_INTERVAL_MS,
      capacityBytes: options.capacityBytes ?? 0,
      joins: options.join === true || storage.replacesDataDirId !== '',
      replacesDataDirId: storage.replacesDataDirId,
      recovered: storage.recovered,
      memberships: restored.memberships,
      logTimeMs: restored.applier.timeMs,
      options: core,
      isLinked: (nodeId) => this.#port.isOpen(nodeId),
      random: () => runtime.random(),
      nowMs: runtime.nowMs(),
    })
    this.#port = parts.makePeerPort({
      identity: () => ({ clusterId: this.#node.genesis?.clusterId ?? '', dataDirId: storage.dataDirId }),
      admit: (caller) => admit(caller, this.#knownCluster, this.#finder),
      tell: ({ clusterId }) =>
        clusterId !== '' && clusterId === this.#node.genesis?.clusterId ? this.#finder.tell() : undefined,
      onMessages: (from, messages, { dataDirId }) => this.#host.receive(from, messages, dataDirId),
      serveCheckpoint: (caller, request) => this.#reads.through(this.#sender.serve(caller, request)),
      onConnected: (peer) => {
        this.#foreignTo.delete(peer)
        this.#finder.onConnected(peer)
        this.#talk.onConnected(peer)
      },
      onRefused: (by, refusal, address) => this.#onRefused(by, refusal, address),
    })
    const send = (to: NodeId, message: Message): void => this.#port.send(to, message)
    // Ids begin anywhere: a late answer to the node that was there before must not be taken for one of now.
    const firstId = Math.floor(runtime.random() * ID_SPAN)
    this.#membershipCalls = new MembershipCalls(this.#node, firstId)
    this.#finder = new PeerFinder({
      options,
      storage,
      core: this.#node,
      port: this.#port,
      send,
      onMembershipsTold: () => this.#onMembershipsChanged(),
    })
    this.#talk = new PeerTalk({
      self: options.nodeId,
      storage,
      finder: this.#finder,
      members: () => this.#members,
      send,
      passed: () => this.#applier,
      recallId: firstId,
      logger,
    })
    const waiting = new Waiting({
      options,
      joins: options.join === true || storage.replacesDataDirId !== '',
      core: this.#node,
      talk: this.#talk,
      finder: this.#finder,
      port: this.#port,
      alarms: this.alarms,
      logger,
    })
    this.#talk.noteReplayed(restored.boundaries.listen((slot, digest) => this.#talk.onBoundary(slot, digest)))
    const laggardHolds = new LaggardHolds(storage)
    this.#sender = new CheckpointSender({
      storage,
      runtime,
      holds: laggardHolds,
      pageBytesMax: core.pageBytesMax,
      appliedUpTo: () => this.#applier.appliedUpTo,
      askForCheckpoint: () => this.#host.askForCheckpoint(),
    })
    this.#receiver = new CheckpointReceiver({
      storage,
      runtime,
      logger,
      fetch: (from, request, sink) => this.#port.fetchCheckpoint(from, request, sink),
      clusterId: () => this.#node.genesis?.clusterId ?? '',
      decidedUpTo: () => this.#node.decidedUpTo,
      voters: () => this.#members.filter((m) => m.votesFrom > 0 && m.nodeId !== options.nodeId).map((m) => m.nodeId),
      leaderId: () => this.#node.leaderId,
      install: (incoming, header, end) => this.#host.install(incoming, header, end),
      onFailed: (error) => this.#host.fail(error),
    })
    let settleFailed: (error: Error) => void = throwError
    this.failed = new Promise((resolve) => {
      settleFailed = resolve
    })
    this.#host = new Host({
      node: this.#node,
      storage,
      runtime,
      outlet: this.#port,
      applier: this.#applier,
      requester: this.#requester,
      desk: this.#desk,
      readIndexWaiters: this.#readIndexWaiters,
      logger,
      talk: this.#talk,
      membershipCalls: this.#membershipCalls,
      laggardHolds,
      majorityWatch: new MajorityWatch({
        self: options.nodeId,
        replacesDataDirId: () => storage.replacesDataDirId,
        listed: options.members.map((m) => m.nodeId).filter((id) => options.join !== true || id !== options.nodeId),
        membership: () => this.#node.knownMembership,
        alarms: this.alarms,
      }),
      watches: [
        waiting,
        new ClockWatch({ node: this.#node, alarms: this.alarms, logger }),
        new QuotaWatch({ sessions, capacityBytes: options.capacityBytes ?? 0, alarms: this.alarms, logger }),
      ],
      reload: async () => {
        const { genesis } = this.#node
        assert(genesis !== undefined, 'only a member installs a checkpoint')
        await installState({ storage, sessions, logger, nowMs, applier: this.#applier, genesis })
        this.#requester.onStateReplaced()
        parts.onInstalled?.(storage.checkpoint)
      },
      onCheckpointWanted: (wanted) => this.#receiver.want(wanted),
      onMembershipsChanged: () => this.#onMembershipsChanged(),
      tickIntervalMs: parts.tickIntervalMs ?? DEFAULT_TICK_INTERVAL_MS,
      pageBytesMax: core.pageBytesMax,
      onFormed: () => this.#onFormed(),
      onLeaderChanged: (leaderId) => this.#onLeaderChanged(leaderId),
      onFailed: (error) => {
        options.logger.fatal({ err: error }, 'the node stops')
        parts.onFailed?.(error)
        this.#stopping ??= this.#abandon(error)
        settleFailed(error)
      },
    })
  }

  protected async listen(): Promise<void> {
    try {
      await this.#port.start()
      this.#finder.refresh()
    } catch (error) {
      await this.#host.stop()
      await this.#port.stop()
      throw error
    }
  }

  /**
   * Carries a command, of at most 16 MiB, out on the replicated state machine, exactly once, and gives its result.
   * @throws MemberError; RangeError when the command is too large, or timeoutMs is no time to wait
   */
  async invoke(command: Uint8Array, options?: { timeoutMs?: number }): Promise<Answer> {
    checkSize(command)
    return this.#wait<Answer>((settle) => this.#desk.invoke(command, this.#deadlineOf(options), settle))
  }

  /** Reads from the state machine, linearizably: at least as new as everything acknowledged before the call. @throws MemberError */
  async query(query: Uint8Array, options?: { timeoutMs?: number }): Promise<Answer> {
    await this.readIndex(options)
    // More may have been applied by the time that this goes on.
    return { slot: this.#applier.appliedUpTo, result: this.reading(() => this.#options.machine.query(query)) }
  }

  openSession(options?: { timeoutMs?: number }): Promise<SessionName> {
    return this.#wait<SessionName>((settle) => this.#desk.openSession(this.#deadlineOf(options), settle))
  }

  closeSession(
    session: SessionName,
    options?: { timeoutMs?: number },
  ): Promise<{ readonly closed: boolean; readonly slot: Slot }> {
    return this.#wait((settle) => this.#desk.closeSession(session, this.#deadlineOf(options), settle))
  }

  submit(request: SessionRequest, timeoutMs: number, settle: (answer: Answer | MemberError) => void): void {
    checkSize(request.command)
    if (this.#isStopped) return settle(stopped())
    this.#desk.submit(request, this.#deadlineOf({ timeoutMs }), settle)
    this.#host.schedule()
  }

  readIndex(options?: { timeoutMs?: number }): Promise<Slot> {
    return this.#wait<Slot>((settle) => this.#readIndexWaiters.add(this.#deadlineOf(options), settle))
  }

  get isReadable(): boolean {
    return this.#applier.isReadable
  }

  untilReadable(options?: { timeoutMs?: number }): Promise<Slot> {
    if (this.isReadable && !this.#isStopped) return Promise.resolve(this.#applier.appliedUpTo)
    return this.#wait<Slot>((settle) => this.#readIndexWaiters.addLocal(this.#deadlineOf(options), settle))
  }

  reading<T>(read: () => T): T {
    // Of a slot that fails at a later command, and is skipped then, nobody may have seen the half.
    assert(this.isReadable, 'reads come between two slots')
    return this.#reads.run(read)
  }

  status(): MemberStatus {
    const node = this.#node
    const known = node.knownMembership
    const isLearning = node.memberships !== undefined && !node.isVoter
    return {
      nodeId: this.#options.nodeId,
      dataDirId: this.#storage.dataDirId,
      genesis: node.genesis,
      membership: known && recordOf(known),
      role: this.#talk.isOpen ? ROLES[node.phase] : 'joining',
      leaderId: node.leaderId,
      promised: node.promised,
      decidedUpTo: node.decidedUpTo,
      appliedUpTo: this.#applier.appliedUpTo,
      compactedUpTo: this.#storage.compactedUpTo,
      isJoined: node.genesis !== undefined && !this.#applier.isSuspended && (!isLearning || this.#applier.appliedUpTo > 0),
      isForming: node.genesis === undefined && this.#options.join !== true && this.#storage.replacesDataDirId === '',
      isLearning,
      announcements: this.#finder.announcements,
      isMembershipSettled: known !== undefined && node.settledEpoch >= known.epoch,
      memberProgress: node.progress,
      stateDigest: this.#applier.stateDigest,
      logTimeMs: node.logTimeMs,
      hasQuorum: !this.#isStopped && node.leaderId !== 0,
      stateBytes: this.#sessions.stateBytes,
      quotaBytes: this.#sessions.quotaBytes,
      alarms: this.alarms.list,
      transfers: [...this.#receiver.progress(), ...this.#sender.progress()],
    }
  }

  async changeMembership(change: MembershipChange, options?: { timeoutMs?: number }): Promise<ChangedMembership> {
    return this.#wait<ChangedMembership>((settle) => this.#membershipCalls.change(change, this.#deadlineOf(options), settle))
  }

  async setQuota(quotaBytes: number, options?: { timeoutMs?: number }): Promise<Slot> {
    checkWhole('quotaBytes', quotaBytes, 1)
    const { slot } = await this.#wait<Answer>((settle) => {
      this.#desk.invoke(NO_COMMAND, this.#deadlineOf(options), settle, quotaBytes)
    })
    return slot
  }

  async transferLeadership(to: NodeId, options?: { timeoutMs?: number }): Promise<NodeId> {
    return this.#wait<NodeId>((settle) => this.#membershipCalls.transfer(to, this.#deadlineOf(options), settle))
  }

  backup(): AsyncIterable<BackupPart> {
    const parts = backupOf({
      storage: this.#storage,
      runtime: this.#runtime,
      decidedUpTo: () => this.#node.decidedUpTo,
      askForCheckpoint: () => this.#host.askForCheckpoint(),
      isStopped: () => this.#isStopped,
    })
    return this.#reads.through(parts)
  }

  /** If this member leads: asks another to, and waits until it does, for a second at most. */
  async handOver(): Promise<void> {
    if (!this.#node.handOver()) return
    this.#host.schedule()
    await new Promise<void>((resolve) => {
      const callOff = this.#runtime.after(HAND_OVER_TIMEOUT_MS, resolve)
      this.#onLedByAnother = () => {
        callOff()
        resolve()
      }
    })
  }

  /** Hands leadership over, writes the state machine's state and lets go of everything. What waits is told STOPPED. */
  stop(): Promise<void> {
    this.#stopping ??= this.handOver()
      .then(() => this.#host.stop())
      .then(() => this.#letGo())
    return this.#stopping
  }

  async #letGo(removed?: NodeId): Promise<void> {
    this.#isStopped = true
    this.#requester.stop('this member has stopped')
    this.#desk.stop('this member has stopped')
    this.#readIndexWaiters.stop('this member has stopped')
    this.#membershipCalls.stop('this member has stopped', removed)
    this.#receiver.stop()
    await this.#port.stop()
    await this.#sender.stop()
    await this.#storage.close()
  }

  /** What failed is known; what fails after it, on a broken disk say, must not end this process as an unhandled rejection. */
  async #abandon(failure: Error): Promise<void> {
    const isRemoved = failure instanceof HaltError && failure.code === 'REMOVED'
    try {
      await this.#letGo(isRemoved ? this.#options.nodeId : undefined)
    } catch (error) {
      this.#options.logger.error({ err: error }, 'the node could not let go of everything')
    }
  }

  #wait<T>(begin: (settle: Settle<T>) => void): Promise<T> {
    if (this.#isStopped) return Promise.reject(stopped())
    const promise = new Promise<T>((resolve, reject) => {
      begin((outcome) => (outcome instanceof MemberError ? reject(outcome) : resolve(outcome)))
    })
    this.#host.schedule()
    return promise
  }

  get #knownCluster(): Parameters<typeof admit>[1] {
    const { genesis, memberships, knownMembership: known, isMembershipSettled } = this.#node
    return genesis && memberships && known && { clusterId: genesis.clusterId, memberships, known, isMembershipSettled }
  }

  /** By every membership that still matters; one may be named twice. */
  get #members(): readonly Member[] {
    const cluster = this.#knownCluster
    return cluster === undefined ? [] : membersOf(cluster)
  }

  #onMembershipsChanged(): void {
    const { knownMembership } = this.#node
    const { nodeId, logger } = this.#options
    if (knownMembership === undefined) return
    const { epoch, fromSlot, members } = knownMembership
    logger.info({ epoch, fromSlot, members: members.map(describe) }, 'the membership')
    const own = members.find((m) => m.nodeId === nodeId)
    if (own?.dataDirId === this.#storage.dataDirId && this.#storage.replacesDataDirId !== '') this.#storage.noteAdmitted()
    this.#finder.refresh()
  }

  #onRefused(by: NodeId, { reason, message, roster, toldBy = by }: PeerRefusal, address: string): void {
    if (reason === 'WRONG_CLUSTER') return this.#onForeign(by, message, address)
    if (roster !== undefined) this.#finder.onRoster(toldBy, roster)
    if (reason === 'DATA_DIR_MISMATCH') return this.#talk.onRefusedForDirectory(by, message)
    if (reason !== 'REMOVED') return
    this.#options.logger.warn({ by }, message)
    // Before it may take part again, the core is not asked.
    if (this.#talk.isOpen) this.#node.onRefusedAsRemoved()
    else this.#host.fail(new HaltError('REMOVED', message))
  }

  /** One peer may be at a wrong address; when most of those that it was started with say that this directory is of another cluster, it is. */
  #onForeign(by: NodeId, message: string, address: string): void {
    const others = this.#options.members.filter((m) => m.nodeId !== this.#options.nodeId)
    if (!others.some((m) => m.nodeId === by && m.peerAddress === address)) return
    this.#foreignTo.add(by)
    if (others.filter((m) => this.#foreignTo.has(m.nodeId)).length <= others.length / 2) return
    const remedy = 'Start it with the members of its own cluster, or in a data directory of theirs.'
    this.#host.fail(new HaltError('WRONG_CLUSTER', `${message}. ${remedy}`))
  }

  #onFormed(): void {
    const genesis = this.#node.genesis
    if (genesis === undefined) return
    if (this.#applier.isFresh) this.#applier.applyInitial(this.#options.machine, genesis)
    this.#options.logger.info({ clusterId: genesis.clusterId, members: genesis.members.length }, 'member of a cluster')
  }

  #onLeaderChanged(leaderId: NodeId): void {
    this.#options.logger.info({ leaderId }, leaderId === 0 ? 'no leader is heard' : 'a leader is heard')
    if (leaderId !== this.#options.nodeId && leaderId !== 0) this.#onLedByAnother?.()
  }

  #deadlineOf(options: { timeoutMs?: number } | undefined): number {
    const timeoutMs = options?.timeoutMs ?? DEFAULT_TIMEOUT_MS
    // A deadline that is not a number never comes.
    checkDuration('timeoutMs', timeoutMs)
    return this.#runtime.nowMs() + timeoutMs
  }
}

function describe({ nodeId, votesFrom, peerAddress }: Member): string {
  return `${nodeId} at ${peerAddress}${votesFrom > 0 ? '' : ', learning'}`
}

/** Of commands in their order: each with its length, so that no two lists have the same. */
function digestOf(commands: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const command of commands) hash.update(`${command.length} `).update(command)
  return hash.digest('hex')
}

const ROLES = {
  joining: 'joining',
  following: 'follower',
  polling: 'candidate',
  scouting: 'candidate',
  leading: 'leader',
} as const

function checkSize(command: Uint8Array): void {
  if (!(command instanceof Uint8Array)) throw new TypeError('command: must be a Uint8Array')
  if (command.length <= COMMAND_BYTES_MAX) return
  throw new RangeError(`command: must be at most ${COMMAND_BYTES_MAX} bytes, not ${command.length}`)
}

function throwError(error: Error): never {
  throw error
}

function stopped(): MemberError {
  return new MemberError('STOPPED', 'this member has stopped')
}

function newNode(settings: NodeSettings): Node {
  return new Node(settings)
}
