import type { Logger } from 'pino'
import { Sessions } from '../machine/sessions.js'
import type { StateMachine } from '../machine/state-machine.js'
import type { Message } from '../paxos/messages.js'
import { Node, type NodeSettings } from '../paxos/node.js'
import { type CoreOptions, DEFAULT_OPTIONS } from '../paxos/options.js'
import type { GenesisMember, MembershipRecord, NodeId, Slot } from '../paxos/types.js'
import type { Storage } from '../storage/storage.js'
import { sessionCodec } from '../wire/state.js'
import { type Admission, admit, type CallerIdentity, type LocalIdentity } from './admission.js'
import { type Answer, type MemberApi, MemberError, type MemberStatus, type SessionRequest } from './api.js'
import type { Applier, CheckpointOptions, OnApplied } from './applier.js'
import { Barriers } from './barriers.js'
import { DEFAULT_TICK_INTERVAL_MS, Host } from './host.js'
import { replayLog } from './recovery.js'
import { Requester, type Settle } from './requester.js'
import type { Runtime } from './runtime.js'
import { SessionDesk } from './session-desk.js'

/** Who a member is, and what it replicates. */
export interface HostedMemberOptions {
  /** This member's number, 1 to 65,535. */
  readonly nodeId: NodeId
  /** Every initial member, this one included, the same list on each. A new cluster forms once all of them have been up at once. */
  readonly members: readonly Omit<GenesisMember, 'dataDirId'>[]
  /** Fresh from its constructor; the member restores it and applies to it, and nobody else does. */
  readonly machine: StateMachine
  /** Applied to the machine of a new cluster before anything else. Those of the member with the lowest number count. */
  readonly initialCommands?: readonly Uint8Array[]
  readonly logger: Logger
  readonly options?: Partial<CoreOptions>
}

/** How a member reaches its peers: messages may be lost at any time, without a word. */
export interface PeerPort {
  /** Begins to listen and to connect. @throws PeerListenError */
  start(): Promise<void>
  /** Queues a message that leaves with the next flush. Never throws and never waits. */
  send(to: NodeId, message: Message): void
  flush(): void
  stop(): Promise<void>
}

/** What the way to the peers asks of the member, and brings it. */
export interface PeerPortHandlers {
  readonly identity: () => LocalIdentity
  readonly admit: (caller: CallerIdentity) => Admission
  readonly onMessages: (from: NodeId, messages: readonly Message[]) => void
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
      recovered: { ...storage.recovered, memberships: restored.memberships },
      options: core,
      random: () => runtime.random(),
      nowMs: runtime.nowMs(),
    })
    this.#port = parts.makePeerPort({
      identity: () => ({ clusterId: this.#node.genesis?.clusterId ?? '', dataDirId: storage.dataDirId }),
      admit: (caller) => admit(caller, this.#node.genesis),
      onMessages: (from, messages) => this.#host.receive(from, messages),
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
      role: ROLES[node.phase],
      leaderId: node.leaderId,
      promised: node.promised,
      decidedUpTo: node.decidedUpTo,
      appliedUpTo: this.#applier.appliedUpTo,
      compactedUpTo: 0,
      stateDigest: this.#applier.stateDigest,
      hasQuorum: !this.#isStopped && node.leaderId !== 0,
    }
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
    await this.#port.stop()
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
    return this.#runtime.nowMs() + (options?.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  }
}

/** What of a member exists before its core does. */
export interface Restored {
  readonly requester: Requester
  readonly desk: SessionDesk
  readonly applier: Applier
  /** Those that govern the slots above the recovered decidedUpTo. */
  readonly memberships: readonly MembershipRecord[]
}

/** @throws StorageError when what is on disk cannot be read */
export async function restoreMachine(options: HostedMemberOptions, parts: MemberParts): Promise<Restored> {
  const { machine, logger } = options
  const { storage, runtime, checkpoints, onApplied } = parts
  const requester = new Requester()
  const desk = new SessionDesk(requester, runtime)
  const sessions = new Sessions(machine, sessionCodec)
  const nowMs = (): number => runtime.nowMs()
  const { applier, memberships } = await replayLog({
    storage,
    sessions,
    machine,
    listener: desk,
    logger,
    nowMs,
    checkpoints,
    onApplied,
  })
  return { requester, desk, applier, memberships }
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
