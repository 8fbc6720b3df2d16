import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { type Answer, type MemberApi, MemberError, type MemberStatus, type SessionRequest } from './host/api.js'
import { Applier } from './host/applier.js'
import { Barriers } from './host/barriers.js'
import { Host } from './host/host.js'
import { replayLog } from './host/recovery.js'
import { Requester, type Settle } from './host/requester.js'
import { SessionDesk } from './host/session-desk.js'
import { Sessions } from './machine/sessions.js'
import type { StateMachine } from './machine/state-machine.js'
import { Node } from './paxos/node.js'
import { type CoreOptions, DEFAULT_OPTIONS } from './paxos/options.js'
import type { Genesis, GenesisMember, NodeId, Slot } from './paxos/types.js'
import { LevelStorage } from './storage/level-storage.js'
import type { Storage } from './storage/storage.js'
import { StorageError, type StorageErrorCode } from './storage/storage-error.js'
import { type CallerIdentity, type PeerRefusal, PeerTransport } from './transport/peer-transport.js'
import { sessionCodec } from './wire/state.js'

export { type Answer, MemberError, type MemberErrorCode, type MemberStatus } from './host/api.js'
export { HaltError } from './host/host.js'
export type { Moment, StateEntry, StateMachine } from './machine/state-machine.js'
export { PeerListenError } from './transport/peer-transport.js'
export { StorageError, type StorageErrorCode }

export interface MemberOptions {
  /** This member's number, 1 to 65,535. */
  readonly nodeId: NodeId
  /** Where everything durable is kept; made when it is not there. One member each. */
  readonly directory: string
  /** host:port for the other members; port 0 takes a free one. */
  readonly listenAddress: string
  /** Every initial member, this one included, the same list on each. A new cluster forms once all of them have been up at once. */
  readonly members: readonly Omit<GenesisMember, 'dataDirId'>[]
  /** Fresh from its constructor; the member restores it and applies to it, and nobody else does. */
  readonly machine: StateMachine
  /** Applied to the machine of a new cluster before anything else. Those of the member with the lowest number count. */
  readonly initialCommands?: readonly Uint8Array[]
  readonly logger: Logger
  readonly options?: Partial<CoreOptions>
}

const DEFAULT_TIMEOUT_MS = 10_000
/** A value that no message between nodes can hold would block its slot, and the log with it, for good. */
const COMMAND_BYTES_MAX = 16 << 20
const JOIN_INTERVAL_MS = 200
/** How long a stopping leader waits for another to take over. */
const HAND_OVER_TIMEOUT_MS = 1_000

/**
 * A member of a cluster, inside this process: one's own deterministic state machine, replicated (the application interface of
 * "Clustering by Consensus"). The bank-and-keys server is its first user.
 */
export class Member implements MemberApi {
  /** Settles when the member has stopped by itself: a failed disk, a broken invariant, a data directory that must not vote. */
  readonly failed: Promise<Error>
  readonly #options: MemberOptions
  readonly #storage: Storage
  readonly #node: Node
  readonly #transport: PeerTransport
  readonly #host: Host
  readonly #applier: Applier
  readonly #requester: Requester
  readonly #barriers: Barriers
  readonly #desk: SessionDesk
  #isStopped = false
  #stopping: Promise<void> | undefined
  #onLedByAnother: (() => void) | undefined
  /** By peer: the last reason for not talking. */
  readonly #lastRefusal = new Map<NodeId, string>()

  /**
   * Opens the data directory, restores the state machine and starts to talk to the other members. Does not wait for a leader.
   *
   * @throws StorageError when the directory cannot be used; PeerListenError when the address is taken; RangeError for other options
   */
  static async start(options: MemberOptions): Promise<Member> {
    const storage = await LevelStorage.open({ directory: options.directory, nodeId: options.nodeId })
    try {
      checkMembers(options, storage.recovered.genesis)
      const requester = new Requester()
      const desk = new SessionDesk(requester)
      const sessions = new Sessions(options.machine, sessionCodec)
      const applier = await replayLog({ storage, sessions, machine: options.machine, listener: desk, logger: options.logger })
      const member = new Member(options, { storage, requester, desk, applier })
      await member.#listen()
      return member
    } catch (error) {
      await storage.close()
      throw error
    }
  }

  private constructor(
    options: MemberOptions,
    parts: { storage: Storage; requester: Requester; desk: SessionDesk; applier: Applier },
  ) {
    this.#options = options
    this.#storage = parts.storage
    this.#requester = parts.requester
    this.#desk = parts.desk
    this.#applier = parts.applier
    this.#barriers = new Barriers()
    this.#node = new Node({
      self: options.nodeId,
      dataDirId: parts.storage.dataDirId,
      members: options.members,
      newClusterId: randomUUID(),
      initialCommands: options.initialCommands ?? [],
      joinIntervalMs: JOIN_INTERVAL_MS,
      recovered: parts.storage.recovered,
      options: { ...DEFAULT_OPTIONS, ...options.options },
      random: Math.random,
      nowMs: performance.now(),
    })
    this.#transport = new PeerTransport({
      nodeId: options.nodeId,
      listenAddress: options.listenAddress,
      identity: () => ({ clusterId: this.#node.genesis?.clusterId ?? '', dataDirId: this.#storage.dataDirId }),
      admit: (caller) => this.#admit(caller),
      // A member whose directory was lost must hear so: it is welcomed, and stops by itself. Its votes come through admit.
      checkPeer: () => undefined,
      onMessages: (from, messages) => this.#host.receive(from, messages),
      onConnected: (peerId) => options.logger.info({ peerId }, 'connected to a peer'),
      onRefused: (peerId, refusal, by) => this.#onRefused(peerId, refusal, by),
      logger: options.logger,
    })
    let settleFailed: (error: Error) => void = throwError
    this.failed = new Promise((resolve) => {
      settleFailed = resolve
    })
    this.#host = new Host({
      node: this.#node,
      storage: this.#storage,
      outlet: this.#transport,
      applier: this.#applier,
      requester: this.#requester,
      desk: this.#desk,
      barriers: this.#barriers,
      onFormed: () => this.#onFormed(),
      onLeaderChanged: (leaderId) => this.#onLeaderChanged(leaderId),
      onFailed: (error) => {
        options.logger.fatal({ err: error }, 'the node stops')
        this.#stopping ??= this.#abandon()
        settleFailed(error)
      },
    })
  }

  async #listen(): Promise<void> {
    try {
      await this.#transport.start()
      this.#transport.setPeers(this.#options.members.map((m) => ({ nodeId: m.nodeId, address: m.peerAddress })))
    } catch (error) {
      await this.#host.stop()
      await this.#transport.stop()
      throw error
    }
  }

  /**
   * Carries a command, of at most 16 MiB, out on the replicated state machine, exactly once, and gives its result.
   * @throws MemberError; RangeError when the command is too large
   */
  async invoke(command: Uint8Array, options?: { timeoutMs?: number }): Promise<Answer> {
    checkSize(command)
    return this.#wait<Answer>((settle) => this.#desk.invoke(command, deadlineOf(options), settle))
  }

  /** Reads from the state machine, linearizably: at least as new as everything acknowledged before the call. @throws MemberError */
  async query(query: Uint8Array, options?: { timeoutMs?: number }): Promise<Answer> {
    const slot = await this.barrier(options)
    return { slot, result: this.#options.machine.query(query) }
  }

  openSession(options?: { timeoutMs?: number }): Promise<number> {
    return this.#wait<number>((settle) => this.#desk.openSession(deadlineOf(options), settle))
  }

  submit(request: SessionRequest, timeoutMs: number, settle: (answer: Answer | MemberError) => void): void {
    checkSize(request.command)
    if (this.#isStopped) return settle(stopped())
    this.#desk.submit(request, deadlineOf({ timeoutMs }), settle)
    this.#host.schedule()
  }

  barrier(options?: { timeoutMs?: number }): Promise<Slot> {
    return this.#wait<Slot>((settle) => this.#barriers.add(deadlineOf(options), settle))
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
      const timer = setTimeout(resolve, HAND_OVER_TIMEOUT_MS)
      this.#onLedByAnother = () => {
        clearTimeout(timer)
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
    await this.#transport.stop()
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
    if (this.#applier.isFresh) this.#applier.applyInitial(this.#options.machine, genesis.initialCommands)
    this.#options.logger.info({ clusterId: genesis.clusterId, members: genesis.members.length }, 'member of a cluster')
  }

  #onLeaderChanged(leaderId: NodeId): void {
    this.#options.logger.info({ leaderId }, leaderId === 0 ? 'no leader is heard' : 'a leader is heard')
    if (leaderId !== this.#options.nodeId && leaderId !== 0) this.#onLedByAnother?.()
  }

  /** DESIGN.md, rule 5: nobody votes from another directory than the membership says. */
  #admit(caller: CallerIdentity): PeerRefusal | 'joinOnly' | undefined {
    const genesis = this.#node.genesis
    if (genesis === undefined) return undefined
    const member = genesis.members.find((m) => m.nodeId === caller.nodeId)
    const isItsDirectory = member?.dataDirId === caller.dataDirId
    // A node that knows of no cluster is welcomed, so that one with a lost directory hears of it; but it is not listened to.
    if (caller.clusterId === '') return isItsDirectory ? undefined : 'joinOnly'
    if (caller.clusterId !== genesis.clusterId) {
      return {
        reason: 'WRONG_CLUSTER',
        message: `node ${caller.nodeId} belongs to cluster ${caller.clusterId}, this one to ${genesis.clusterId}`,
      }
    }
    if (member === undefined) return { reason: 'UNKNOWN_MEMBER', message: `node ${caller.nodeId} is not a member` }
    if (isItsDirectory) return undefined
    return {
      reason: 'DATA_DIR_MISMATCH',
      message: `node ${caller.nodeId} votes from data directory ${member.dataDirId}, not from ${caller.dataDirId}`,
    }
  }

  /** Refusals come again at each try, several a second: each is told once. */
  #onRefused(peerId: NodeId, refusal: PeerRefusal, by: 'us' | 'peer'): void {
    const said = `${by}: ${refusal.message}`
    if (this.#lastRefusal.get(peerId) === said) return
    this.#lastRefusal.set(peerId, said)
    this.#options.logger.error({ peerId, by, ...refusal }, 'a peer connection was refused')
  }
}

/** @throws RangeError that names what is wrong; StorageError FOREIGN when the directory is of a cluster with other members. */
function checkMembers({ nodeId, members, directory }: MemberOptions, genesis: Genesis | undefined): void {
  const listed = members.map((m) => m.nodeId).toSorted((a, b) => a - b)
  if (new Set(listed).size < listed.length) throw new RangeError('members: a node id is listed twice')
  if (!listed.includes(nodeId)) throw new RangeError(`members: node ${nodeId}, this one, is not among them`)
  const kept = genesis?.members.map((m) => m.nodeId) ?? listed
  if (kept.join() === listed.join()) return
  throw new StorageError(
    'FOREIGN',
    `data directory ${directory} is of cluster ${genesis?.clusterId} with the nodes ${kept.join(', ')}, ` +
      `not of one with ${listed.join(', ')}: name its members, or another directory`,
  )
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

function deadlineOf(options: { timeoutMs?: number } | undefined): number {
  return performance.now() + (options?.timeoutMs ?? DEFAULT_TIMEOUT_MS)
}
