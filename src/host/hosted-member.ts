import type { Logger } from 'pino'
import { Sessions } from '../machine/sessions.js'
import type { StateMachine } from '../machine/state-machine.js'
import type { Message } from '../paxos/messages.js'
import { Node, type NodeSettings } from '../paxos/node.js'
import { type CoreOptions, DEFAULT_OPTIONS } from '../paxos/options.js'
import type { GenesisMember, Member, MembershipChange, MembershipRecord, NodeId, Slot } from '../paxos/types.js'
import type { CheckpointInfo, Storage } from '../storage/storage.js'
import type { CheckpointPart, CheckpointRequest, CheckpointSink } from '../transport/checkpoint-transfer.js'
import { sessionCodec } from '../wire/state.js'
import { type Admission, admit, type CallerIdentity, type LocalIdentity, membersOf, type PeerRefusal } from './admission.js'
import { type Answer, type BackupPart, type MemberApi, MemberError, type MemberStatus, type SessionRequest } from './api.js'
import type { Applier, OnApplied } from './applier.js'
import { backupOf } from './backup.js'
import { Barriers } from './barriers.js'
import { CheckpointReceiver } from './checkpoint-receiver.js'
import { CheckpointSender } from './checkpoint-sender.js'
import { type CheckpointOptions, DEFAULT_CHECKPOINT_OPTIONS } from './checkpointer.js'
import { DEFAULT_TICK_INTERVAL_MS, HaltError, Host } from './host.js'
import { type ChangedMembership, MembershipCalls } from './membership-calls.js'
import { PeerTalk } from './peer-talk.js'
import { replayLog } from './recovery.js'
import { Requester, type Settle } from './requester.js'
import type { CallOff, Runtime } from './runtime.js'
import { SessionDesk } from './session-desk.js'

/** Who a member is, and what it replicates. */
export interface HostedMemberOptions {
  /** This member's number, 1 to 65,535. */
  readonly nodeId: NodeId
  /**
   * Every initial member, this one included, the same list on each: a new cluster forms once all of them have been up at once. With
   * `join`: this member, and some of those that there are. Of a member of a cluster, its own memory counts.
   */
  readonly members: readonly Omit<GenesisMember, 'dataDirId'>[]
  /** Never founds a cluster, but waits to be let into the one that the others are of. Default: false. */
  readonly join?: boolean
  /** Fresh from its constructor; the member restores it and applies to it, and nobody else does. */
  readonly machine: StateMachine
  /** Applied to the machine of a new cluster before anything else. Those of the member with the lowest number count. */
  readonly initialCommands?: readonly Uint8Array[]
  readonly logger: Logger
  readonly options?: Partial<CoreOptions>
}

export interface PeerAddress {
  readonly nodeId: NodeId
  /** host:port */
  readonly address: string
}

/** How a member reaches its peers: messages may be lost at any time, without a word. */
export interface PeerPort {
  /** Begins to listen. @throws PeerListenError */
  start(): Promise<void>
  /** Whom to connect to from now on; this node itself may be among them. */
  setPeers(peers: readonly PeerAddress[]): void
  /** Queues a message that leaves with the next flush. Never throws and never waits. */
  send(to: NodeId, message: Message): void
  flush(): void
  /**
   * Fetches a checkpoint from a peer: the sink is given its parts one after the other, none before it has taken the one before. It hears
   * of nothing before this returns, and of nothing after the transfer was called off.
   */
  fetchCheckpoint(from: NodeId, request: CheckpointRequest, sink: CheckpointSink): CallOff
  stop(): Promise<void>
}

/** What the way to the peers asks of the member, and brings it. */
export interface PeerPortHandlers {
  readonly identity: () => LocalIdentity
  readonly admit: (caller: CallerIdentity) => Admission
  /** Of a caller that was admitted; of one that may only join, those that isFromStranger allows. */
  readonly onMessages: (from: NodeId, messages: readonly Message[], caller: Pick<CallerIdentity, 'dataDirId'>) => void
  /** The parts of a checkpoint for a caller that was admitted. Rejects with a TransferError. */
  readonly serveCheckpoint: (caller: CallerIdentity, request: CheckpointRequest) => AsyncIterable<CheckpointPart>
  /** A peer does not let this node in. */
  readonly onRefused: (by: NodeId, refusal: PeerRefusal) => void
}

/** What a member stands on: its disk, its peers, and the world around. */
export interface MemberParts {
  readonly storage: Storage
  readonly runtime: Runtime
  readonly makePeerPort: (handlers: PeerPortHandlers) => PeerPort
  readonly checkpoints?: CheckpointOptions
  readonly tickIntervalMs?: number
  /** Another core in the place of the real one: for tests. */
  readonly makeNode?: (settings: NodeSettings) => Node
  /** Told of each slot when all its commands have been carried out: for checkers. */
  readonly onApplied?: OnApplied
  /** A peer's checkpoint stands in the place of this node's state, on disk and in memory: for checkers. */
  readonly onInstalled?: (checkpoint: CheckpointInfo) => void
  /** Told at once, and before `failed` settles, why the member has stopped by itself. */
  readonly onFailed?: (error: Error) => void
}

const DEFAULT_TIMEOUT_MS = 10_000
/** A value that no message between nodes can hold would block its slot, and the log with it, for good. */
export const COMMAND_BYTES_MAX = 16 << 20
const JOIN_INTERVAL_MS = 200
/** How long a stopping leader waits for another to take over. */
const HAND_OVER_TIMEOUT_MS = 1_000

/** A member of a cluster, wherever its disk is and however it reaches its peers: in a real process or in a simulated world. */
export class HostedMember implements MemberApi {
  /** Settles when the member has stopped by itself: a failed disk, a broken invariant, a data directory that must not vote. */
  readonly failed: Promise<Error>
  readonly #options: HostedMemberOptions
  readonly #storage: Storage
  readonly #runtime: Runtime
  readonly #node: Node
  readonly #port: PeerPort
  readonly #host: Host
  readonly #applier: Applier
  readonly #requester: Requester
  readonly #barriers: Barriers
  readonly #desk: SessionDesk
  readonly #membershipCalls: MembershipCalls
  readonly #talk: PeerTalk
  readonly #sender: CheckpointSender
  readonly #receiver: CheckpointReceiver
  #isStopped = false
  #stopping: Promise<void> | undefined
  #onLedByAnother: (() => void) | undefined

  /** Restores the state machine from what the storage holds, and goes to work. */
  static async restore(options: HostedMemberOptions, parts: MemberParts): Promise<HostedMember> {
    const member = new HostedMember(options, parts, await restoreMachine(options, parts))
    await member.listen()
    return member
  }

  protected constructor(options: HostedMemberOptions, parts: MemberParts, restored: Restored) {
    const { storage, runtime, makeNode = newNode } = parts
    const core = { ...DEFAULT_OPTIONS, ...options.options }
    this.#options = options
    this.#storage = storage
    this.#runtime = runtime
    this.#requester = restored.requester
    this.#desk = restored.desk
    this.#applier = restored.applier
    this.#barriers = new Barriers()
    this.#node = makeNode({
      self: options.nodeId,
      dataDirId: storage.dataDirId,
      members: options.members,
      newClusterId: runtime.uuid(),
      initialCommands: options.initialCommands ?? [],
      joinIntervalMs: JOIN_INTERVAL_MS,
      joins: options.join ?? false,
      replacesDataDirId: storage.replacesDataDirId,
      recovered: { ...storage.recovered, memberships: restored.memberships },
      options: core,
      random: () => runtime.random(),
      nowMs: runtime.nowMs(),
    })
    this.#port = parts.makePeerPort({
      identity: () => ({ clusterId: this.#node.genesis?.clusterId ?? '', dataDirId: storage.dataDirId }),
      admit: (caller) => admit(caller, this.#knownCluster),
      onMessages: (from, messages, { dataDirId }) => this.#host.receive(from, messages, dataDirId),
      serveCheckpoint: (caller, request) => this.#sender.serve(caller, request),
      onRefused: (by, refusal) => this.#onRefused(by, refusal),
    })
    const send = (to: NodeId, message: Message): void => this.#port.send(to, message)
    this.#membershipCalls = new MembershipCalls(this.#node, runtime.random())
    this.#talk = new PeerTalk({
      self: options.nodeId,
      storage,
      voters: votersOf(options, restored.memberships),
      members: () => this.#members,
      send,
      logger: options.logger,
    })
    this.#sender = new CheckpointSender({
      storage,
      runtime,
      appliedUpTo: () => this.#applier.appliedUpTo,
      askForCheckpoint: () => this.#host.askForCheckpoint(),
    })
    this.#receiver = new CheckpointReceiver({
      storage,
      runtime,
      logger: options.logger,
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
      barriers: this.#barriers,
      talk: this.#talk,
      membershipCalls: this.#membershipCalls,
      reload: async () => {
        await restored.reload()
        parts.onInstalled?.(storage.checkpoint)
      },
      onCheckpointWanted: (wanted) => this.#receiver.want(wanted),
      onMembershipsChanged: () => this.#onMembershipsChanged(),
      checkpoints: parts.checkpoints ?? DEFAULT_CHECKPOINT_OPTIONS,
      tickIntervalMs: parts.tickIntervalMs ?? DEFAULT_TICK_INTERVAL_MS,
      pageBytesMax: core.pageBytesMax,
      onFormed: () => this.#onFormed(),
      onLeaderChanged: (leaderId) => this.#onLeaderChanged(leaderId),
      onFailed: (error) => {
        options.logger.fatal({ err: error }, 'the node stops')
        parts.onFailed?.(error)
        this.#stopping ??= this.#abandon()
        settleFailed(error)
      },
    })
  }

  protected async listen(): Promise<void> {
    try {
      await this.#port.start()
      this.#setPeers()
    } catch (error) {
      await this.#host.stop()
      await this.#port.stop()
      throw error
    }
  }

  /**
   * Carries a command, of at most 16 MiB, out on the replicated state machine, exactly once, and gives its result.
   * @throws MemberError; RangeError when the command is too large
   */
  async invoke(command: Uint8Array, options?: { timeoutMs?: number }): Promise<Answer> {
    checkSize(command)
    return this.#wait<Answer>((settle) => this.#desk.invoke(command, this.#deadlineOf(options), settle))
  }

  /** Reads from the state machine, linearizably: at least as new as everything acknowledged before the call. @throws MemberError */
  async query(query: Uint8Array, options?: { timeoutMs?: number }): Promise<Answer> {
    await this.barrier(options)
    // More may have been applied by the time that this goes on.
    return { slot: this.#applier.appliedUpTo, result: this.#options.machine.query(query) }
  }

  openSession(options?: { timeoutMs?: number }): Promise<number> {
    return this.#wait<number>((settle) => this.#desk.openSession(this.#deadlineOf(options), settle))
  }

  submit(request: SessionRequest, timeoutMs: number, settle: (answer: Answer | MemberError) => void): void {
    checkSize(request.command)
    if (this.#isStopped) return settle(stopped())
    this.#desk.submit(request, this.#deadlineOf({ timeoutMs }), settle)
    this.#host.schedule()
  }

  barrier(options?: { timeoutMs?: number }): Promise<Slot> {
    return this.#wait<Slot>((settle) => this.#barriers.add(this.#deadlineOf(options), settle))
  }

  status(): MemberStatus {
    const node = this.#node
    return {
      nodeId: this.#options.nodeId,
      dataDirId: this.#storage.dataDirId,
      genesis: node.genesis,
      membership: node.memberships?.latest,
      role: this.#talk.isOpen ? ROLES[node.phase] : 'joining',
      leaderId: node.leaderId,
      promised: node.promised,
      decidedUpTo: node.decidedUpTo,
      appliedUpTo: this.#applier.appliedUpTo,
      compactedUpTo: this.#storage.compactedUpTo,
      isLearning: node.memberships !== undefined && !node.memberships.latest.isVoter(this.#options.nodeId),
      memberProgress: node.memberProgress,
      stateDigest: this.#applier.stateDigest,
      hasQuorum: !this.#isStopped && node.leaderId !== 0,
    }
  }

  async changeMembership(change: MembershipChange, options?: { timeoutMs?: number }): Promise<ChangedMembership> {
    return this.#wait<ChangedMembership>((settle) => this.#membershipCalls.change(change, this.#deadlineOf(options), settle))
  }

  async transferLeadership(to: NodeId, options?: { timeoutMs?: number }): Promise<NodeId> {
    return this.#wait<NodeId>((settle) => this.#membershipCalls.transfer(to, this.#deadlineOf(options), settle))
  }

  backup(): AsyncIterable<BackupPart> {
    return backupOf({
      storage: this.#storage,
      runtime: this.#runtime,
      decidedUpTo: () => this.#node.decidedUpTo,
      askForCheckpoint: () => this.#host.askForCheckpoint(),
      isStopped: () => this.#isStopped,
    })
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

  async #letGo(): Promise<void> {
    this.#isStopped = true
    this.#requester.stop('this member has stopped')
    this.#barriers.stop('this member has stopped')
    this.#membershipCalls.stop('this member has stopped')
    this.#receiver.stop()
    await this.#port.stop()
    await this.#sender.stop()
    await this.#storage.close()
  }

  /** What failed is known; what fails after it, on a broken disk say, must not end this process as an unhandled rejection. */
  async #abandon(): Promise<void> {
    try {
      await this.#letGo()
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
    const { genesis, memberships, decidedUpTo } = this.#node
    return genesis && memberships && { clusterId: genesis.clusterId, memberships, decidedUpTo }
  }

  /** By every membership that still matters; one may be named twice. */
  get #members(): readonly Member[] {
    const { memberships, decidedUpTo } = this.#node
    return memberships === undefined ? [] : membersOf({ memberships, decidedUpTo })
  }

  #onMembershipsChanged(): void {
    const { memberships } = this.#node
    const { nodeId, logger } = this.#options
    if (memberships === undefined) return
    const { epoch, fromSlot, members } = memberships.latest
    logger.info({ epoch, fromSlot, members: members.map(describe) }, 'the membership')
    const own = memberships.latest.member(nodeId)
    if (own?.dataDirId === this.#storage.dataDirId && this.#storage.replacesDataDirId !== '') this.#storage.noteAdmitted()
    this.#setPeers()
  }

  #setPeers(): void {
    const known = this.#members
    const listed = known.length > 0 ? known : this.#options.members
    // Of a member whose address has changed, the newest counts.
    const peers = new Map(listed.map((m) => [m.nodeId, { nodeId: m.nodeId, address: m.peerAddress }]))
    this.#port.setPeers([...peers.values()])
  }

  #onRefused(by: NodeId, { reason, message }: PeerRefusal): void {
    if (reason === 'REMOVED') this.#host.fail(new HaltError('REMOVED', `node ${by} says: ${message}`))
  }

  #onFormed(): void {
    const genesis = this.#node.genesis
    if (genesis === undefined) return
    if (this.#applier.isFresh) this.#applier.applyInitial(this.#options.machine, genesis.initialCommands)
    this.#options.logger.info({ clusterId: genesis.clusterId, members: genesis.members.length }, 'member of a cluster')
  }

  #onLeaderChanged(leaderId: NodeId): void {
    this.#options.logger.info({ leaderId }, leaderId === 0 ? 'no leader is heard' : 'a leader is heard')
    if (leaderId !== this.#options.nodeId && leaderId !== 0) this.#onLedByAnother?.()
  }

  #deadlineOf(options: { timeoutMs?: number } | undefined): number {
    return this.#runtime.nowMs() + (options?.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  }
}

/** What of a member exists before its core does. */
export interface Restored {
  readonly requester: Requester
  readonly desk: SessionDesk
  readonly applier: Applier
  /** Those that govern the slots above the decided ones; none without a genesis. */
  readonly memberships: readonly MembershipRecord[]
  /** Fills the machine and the applier anew with what the storage holds by now. @throws StorageError */
  readonly reload: () => Promise<void>
}

/** @throws StorageError when what is on disk cannot be read */
export async function restoreMachine(options: HostedMemberOptions, parts: MemberParts): Promise<Restored> {
  const { machine, logger } = options
  const { storage, runtime, onApplied } = parts
  const requester = new Requester()
  const desk = new SessionDesk(requester, runtime)
  const sessions = new Sessions(machine, sessionCodec)
  const applier = await replayLog({ storage, sessions, machine, listener: desk, logger, onApplied })
  return { requester, desk, applier }
}

/** Who votes on the slots that are open. Before there is a cluster: whoever is to found it, or is said to be of it. */
function votersOf({ members, nodeId, join = false }: HostedMemberOptions, memberships: readonly MembershipRecord[]): NodeId[][] {
  if (memberships.length > 0) return memberships.map((m) => m.members.filter((v) => v.votesFrom > 0).map((v) => v.nodeId))
  return [members.map((m) => m.nodeId).filter((id) => !join || id !== nodeId)]
}

function describe({ nodeId, votesFrom, peerAddress }: Member): string {
  return `${nodeId} at ${peerAddress}${votesFrom > 0 ? '' : ', learning'}`
}

const ROLES = {
  joining: 'joining',
  following: 'follower',
  polling: 'candidate',
  scouting: 'candidate',
  leading: 'leader',
} as const

function checkSize(command: Uint8Array): void {
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
