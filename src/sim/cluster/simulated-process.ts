import { pino } from 'pino'
import type { CallerIdentity, PeerRefusal } from '../../host/admission.js'
import type { HostedMember } from '../../host/hosted-member.js'
import type { HostedMemberOptions, MemberParts } from '../../host/member-parts.js'
import type { PeerPort, PeerPortHandlers } from '../../host/peer-port.js'
import { restoreMachine } from '../../host/restored.js'
import { startMember } from '../../host/start-member.js'
import type { Events } from '../../observer/names.js'
import { type EventHandlers, EventObserver, type Observer } from '../../observer/observer.js'
import type { CoreOptions } from '../../paxos/core-options.js'
import { type CoreView, viewOf } from '../../paxos/invariants.js'
import type { MemberAddresses } from '../../paxos/membership-changes.js'
import type { Message } from '../../paxos/messages.js'
import type { Node, NodeSettings } from '../../paxos/node.js'
import type { LogEntry, NodeId, Slot } from '../../paxos/types.js'
import {
  type CheckpointPart,
  type CheckpointRequest,
  type CheckpointSink,
  TransferError,
} from '../../protocol/checkpoint-transfer.js'
import { isFromStranger } from '../../protocol/strangers.js'
import { CommitFeed } from '../../replication/commit-feed.js'
import { SESSION_LIMITS } from '../../replication/session-table.js'
import { LevelStorage } from '../../storage/level-storage.js'
import type { CheckpointInfo } from '../../storage/storage.js'
import { StorageError } from '../../storage/storage-error.js'
import type { Checker } from '../checkers/checker.js'
import { check } from '../checkers/violation.js'
import type { FaultTotals } from '../plan/faults.js'
import type { Random } from '../random.js'
import type { EventTrace } from '../trace/event-trace.js'
import { nodeEvents } from '../trace/node-events.js'
import type { Fate } from '../trace/trace-events.js'
import type { NodeEnd, StreamOutlet } from './client-port.js'
import { FeedFollower } from './feed-follower.js'
import type { Network, Packet, SentPacket } from './network.js'
import { NEXT_LEVEL } from './next-machine.js'
import { fromNextRecord, type SoftwareVersion, toNextRecord } from './next-version.js'
import type { Scheduler } from './scheduler.js'
import { SessionDoor } from './session-door.js'
import type { SimulatedApplication } from './simulated-application.js'
import type { RecordFormat } from './simulated-database.js'
import type { DiskSettings, SimulatedDisk } from './simulated-disk.js'
import { SimulatedRuntime } from './simulated-runtime.js'
import { SimulatedTransfer, type TransferSource } from './simulated-transfer.js'
import type { StateLimits } from './state-limits.js'

type IdentitySource = PeerPortHandlers['identity']

/** The identity of a process before it listens: nothing is sent then. */
const NOBODY: IdentitySource = () => ({ clusterId: '', dataDirId: '' })

export interface SimulatedNodeSettings {
  readonly id: NodeId
  /** The members that it is started with: their addresses at the time when its own were last set. */
  readonly members: () => readonly MemberAddresses[]
  readonly options: CoreOptions
  readonly initialCommands: readonly Uint8Array[]
  /** True if the node is no initial member, and waits to be added. */
  readonly isSpare: boolean
  /** The boundaries at which checkpoints begin. */
  readonly boundaries: { readonly slotsMax: number; readonly commandsMax: number }
  readonly logSlotsMax: number
  readonly limits: StateLimits
  /** The node's memory for state, and so the cluster's quota, in bytes; 0: none. */
  readonly quotaBytes: number
  /** The duration of the host's turn: inputs within one turn share a drain. */
  readonly turnMsMax: number
  readonly tickMs: number
  readonly disk: Omit<DiskSettings, 'nodeId'>
  readonly random: Random
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
  readonly checker: Checker
  readonly trace: EventTrace
  readonly network: Network
  /** Returns the current address of a node. */
  readonly addressOf: (id: NodeId) => string
  /** Returns the process of another node, if it runs. */
  readonly peer: (id: NodeId) => TransferSource | undefined
  readonly send: (packet: Packet) => void
  /** Called when a node refuses its peer, which is then told. */
  readonly onRefused: (what: { readonly by: NodeId; readonly peer: NodeId; readonly refusal: PeerRefusal }) => void
  /** Called when the node can be reached. */
  readonly onListening: () => void
  /** True if a machine may throw: that stops its node, and violates nothing. */
  readonly mayFailToApply: boolean
  /** Called with an error that only a bug can cause. */
  readonly onBug: (error: Error) => void
  /** Makes the parts of a node; tests replace them with defective ones. */
  readonly parts: NodeParts
}

export interface NodeParts {
  readonly makeNode: (settings: NodeSettings) => Node
  readonly makeDisk: (settings: DiskSettings) => SimulatedDisk
  readonly makeApplication: (version: SoftwareVersion) => SimulatedApplication
}

/** The machine on which a process runs. */
export interface Machine {
  /** The members that the process is started with. */
  readonly members: readonly MemberAddresses[]
  readonly version: SoftwareVersion
  readonly disk: SimulatedDisk
  readonly wallMs: () => number
  readonly turnMsMax: () => number
  /** Called when the process reaches the step at which it is to be killed. */
  readonly onDeath: () => void
  /** Called when the process has found its directory damaged, and set it aside. */
  readonly onSetAside: () => void
  /** Called when the process has stopped by itself. */
  readonly onStopped: (error: Error) => void
}

const CURRENT_FORMAT: RecordFormat = { write: (_key, record) => record, read: (_key, record) => record }

/**
 * Size of the pieces in which checkpoints are written: small, so that a checkpoint has several, as large ones have in production.
 */
const SMALL_PIECE_BYTES = 500

const SILENT = pino({ enabled: false })

/**
 * One incarnation of a node, from a start to a crash: a real member on a simulated machine. It may be killed between any two of
 * its interactions with the world; a dead process has no effect any more.
 */
export class SimulatedProcess implements TransferSource {
  readonly runtime: SimulatedRuntime
  readonly application: SimulatedApplication
  readonly #settings: SimulatedNodeSettings
  readonly #machine: Machine
  /** Absent if nothing looks inside: then no event is made. */
  readonly #follower: FeedFollower | undefined
  #storage: LevelStorage | undefined
  readonly #marksHeard = new Map<string, number>()
  #member: HostedMember | undefined
  #core: Node | undefined
  #view: CoreView | undefined
  #handlers: PeerPortHandlers | undefined
  /** The identity that each peer was given when it was first sent to. */
  readonly #introducedAs = new Map<NodeId, CallerIdentity>()
  /** The addresses at which the node looks for each peer. */
  readonly #routes = new Map<NodeId, readonly string[]>()
  readonly #observer: Observer
  #appliedUpTo: Slot = 0
  readonly #door: SessionDoor
  #stepsToLive = Number.POSITIVE_INFINITY
  #diesInWrite = false

  constructor(settings: SimulatedNodeSettings, machine: Machine) {
    const { random, scheduler, parts } = settings
    this.#settings = settings
    this.#machine = machine
    this.application = parts.makeApplication(machine.version)
    this.#follower = settings.checker.looksInside ? new FeedFollower() : undefined
    this.runtime = new SimulatedRuntime({ scheduler, random, wallMs: machine.wallMs, turnMsMax: machine.turnMsMax })
    this.#observer = this.#makeObserver()
    this.#door = new SessionDoor({
      machine: this.application.machine,
      runtime: this.runtime,
      input: (run) => this.input(run),
      onUnforeseen: (error) => this.#onUnforeseen(error),
    })
  }

  /** Absent until the disk has been read. */
  get member(): HostedMember | undefined {
    return this.#member
  }

  /** Absent until the disk has been read. */
  get core(): Node | undefined {
    return this.#core
  }

  get appliedUpTo(): Slot {
    return this.#appliedUpTo
  }

  /** The progress of other directories that is recorded on this one's disk; undefined until the disk has been read. */
  get marksOnDisk(): ReadonlyMap<string, number> | undefined {
    return this.#storage?.marks
  }

  /** Returns the progress of another directory, by what the process has heard, too: that is lost with the process. */
  markOf(dataDirId: string): number {
    return Math.max(this.#marksHeard.get(dataDirId) ?? 0, this.#storage?.marks.get(dataDirId) ?? 0)
  }

  /** Starts from the contents of the disk. */
  async boot(): Promise<void> {
    const { id, isSpare, options, boundaries, limits, quotaBytes, tickMs, initialCommands } = this.#settings
    try {
      const storage = await this.#openStorage()
      this.#storage = storage
      this.#appliedUpTo = storage.checkpoint.appliedUpTo
      const memberOptions: HostedMemberOptions = {
        nodeId: id,
        members: this.#machine.members,
        join: isSpare,
        machine: this.application.machine,
        initialCommands,
        capacityBytes: quotaBytes,
        logger: SILENT,
        observer: this.#observer,
        version: this.#machine.version,
        options,
      }
      const parts: MemberParts = {
        storage,
        runtime: this.runtime,
        tickIntervalMs: tickMs,
        checkpoints: boundaries,
        sessionLimits: { ...SESSION_LIMITS, ...limits },
        port: this.#makePeerPort(),
        makeNode: (nodeSettings) => this.#makeNode(nodeSettings),
        feed: this.#follower?.feed ?? new CommitFeed(),
      }
      this.#member = await startMember(memberOptions, parts, await restoreMachine(memberOptions, parts))
    } catch (error) {
      this.#onFailed(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Resolves the failure of a slot as an operator does while the node is stopped. @throws StorageError */
  async resolveApplyFailure(how: 'skip' | 'retry'): Promise<void> {
    const storage = await this.#openStorage()
    await storage.resolveApplyFailure(how)
    await storage.close()
  }

  /** The next version uses its own format only at a level that has it. */
  get #recordFormat(): RecordFormat {
    if (this.#machine.version === 'current') return CURRENT_FORMAT
    const isNext = (): boolean => (this.#member?.status().level ?? 0) >= NEXT_LEVEL
    return { write: (key, record) => (isNext() ? toNextRecord(key, record) : record), read: fromNextRecord }
  }

  /**
   * Opens the storage. A damaged directory is set aside, and a new one made in its place, as the server does. @throws
   * StorageError
   */
  async #openStorage(): Promise<LevelStorage> {
    const { disk, onSetAside } = this.#machine
    const { logSlotsMax } = this.#settings
    const window = { slots: logSlotsMax, bytes: Number.MAX_SAFE_INTEGER }
    const open = async (): Promise<LevelStorage> =>
      LevelStorage.fromDirectory(await disk.open(this.runtime, this.#recordFormat), {
        window,
        observer: this.#observer,
        pieceBytes: SMALL_PIECE_BYTES,
      })
    try {
      return await open()
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'DAMAGED' || !disk.isCorrupted) throw error
      disk.setAside()
      onSetAside()
      return await open()
    }
  }

  serveCheckpoint(caller: CallerIdentity, request: CheckpointRequest): AsyncIterable<CheckpointPart> {
    const handlers = this.#handlers
    if (handlers === undefined) throw new TransferError('UNREACHABLE', `node ${this.#settings.id} does not listen`)
    const admission = handlers.admit(caller)
    if (admission === 'joinOnly')
      throw new TransferError('UNREACHABLE', `node ${caller.nodeId} is not known by its directory yet`)
    if (admission !== undefined) throw new TransferError('REFUSED', admission.message)
    return handlers.serveCheckpoint(caller, request)
  }

  /** Kills the process between two steps, after this number of steps. */
  dieAfterSteps(steps: number): void {
    this.#stepsToLive = steps
  }

  /** Kills the process in the middle of its next write. */
  dieInWrite(): void {
    this.#diesInWrite = true
  }

  /** Cancels a planned death. */
  spare(): void {
    this.#stepsToLive = Number.POSITIVE_INFINITY
    this.#diesInWrite = false
  }

  /** Accepts a client's stream. Returns undefined before the node serves clients. */
  acceptStream(outlet: StreamOutlet): NodeEnd | undefined {
    return this.#member === undefined ? undefined : this.#door.accept(outlet)
  }

  /** Ends all streams and accepts no more. */
  finishStreams(): void {
    this.#door.finish()
  }

  #onUnforeseen(error: unknown): void {
    // The error comes from a damaged record: the process stops with its next write.
    if (error instanceof StorageError && error.code === 'DAMAGED' && this.#machine.disk.wasCorrupted) return
    this.#settings.onBug(error instanceof Error ? error : new Error(String(error)))
  }

  /** Passes an input from the world to the process, as soon as it is awake. */
  input(run: (member: HostedMember) => void): void {
    this.runtime.whenAwake(() => {
      if (this.#member !== undefined) run(this.#member)
    })
  }

  receive(packet: SentPacket): void {
    const { from, to, message, caller, sentStep } = packet
    let isTold = false
    const tellFate = (fate: Fate): void => {
      if (!isTold) this.#settings.trace.tell({ kind: 'ended', sentStep, from, to, message, fate })
      isTold = true
    }
    if (this.runtime.isPaused) tellFate('waits')
    this.runtime.whenAwake(() => {
      const handlers = this.#handlers
      if (handlers === undefined) return tellFate('down')
      const admission = handlers.admit(caller)
      if (admission === 'joinOnly' ? !isFromStranger(message) : admission !== undefined) {
        tellFate('refused')
        if (admission !== 'joinOnly' && admission !== undefined)
          this.#settings.onRefused({ by: to, peer: from, refusal: admission })
        return
      }
      tellFate('delivered')
      if (message.kind === 'mark') for (const { dataDirId, writeNumber } of message.marks) this.#onMark(dataDirId, writeNumber)
      handlers.onMessages(from, [message], caller)
      this.#afterStep()
    })
  }

  #onMark(dataDirId: string, writeNumber: number): void {
    this.#marksHeard.set(dataDirId, Math.max(this.markOf(dataDirId), writeNumber))
  }

  #makeNode(settings: NodeSettings): Node {
    const core = this.#settings.parts.makeNode(settings)
    this.#core = core
    this.#view = viewOf(core)
    this.#check(() => this.#settings.checker.onStarted(this.#settings.id, core, this.#machine.disk.contents))
    return core
  }

  #makePeerPort(): PeerPort {
    const { id, send } = this.#settings
    /** The node's own identity, also while it stops. */
    let identity = NOBODY
    return {
      start: async (handlers) => {
        this.#handlers = handlers
        identity = handlers.identity
        this.#settings.onListening()
      },
      send: (to: NodeId, message: Message) => {
        // A message to itself: the core gets it when its records are durable.
        if (this.runtime.isOver || to === id || !this.#finds(to)) return
        this.#check(() => send({ from: id, to, message, caller: this.#introductionTo(to, identity) }))
        this.#passStep()
      },
      flush: () => this.#afterStep(),
      isOpen: (to) => this.#settings.peer(to) !== undefined,
      setPeers: (peers) => {
        this.#routes.clear()
        for (const { nodeId, addresses } of peers) this.#routes.set(nodeId, addresses)
      },
      redial: () => undefined,
      links: () => [],
      fetchCheckpoint: (from, request, sink) => this.#fetch(from, request, sink, identity),
      stop: async () => {
        this.#handlers = undefined
      },
    }
  }

  /**
   * Returns true if the peer is at one of the addresses at which it is looked for: the link tries them in turn, and has reached
   * that one.
   */
  #finds(peer: NodeId): boolean {
    return this.#routes.get(peer)?.includes(this.#settings.addressOf(peer)) === true
  }

  #fetch(from: NodeId, request: CheckpointRequest, sink: CheckpointSink, identity: IdentitySource): () => void {
    const { id: to, peer, network, scheduler, totals, trace, onBug } = this.#settings
    const { runtime } = this
    const source = (): TransferSource | undefined => (this.#finds(from) ? peer(from) : undefined)
    const caller = { nodeId: to, ...identity() }
    const transfer = new SimulatedTransfer({
      to,
      from,
      source,
      runtime,
      caller,
      request,
      sink,
      network,
      scheduler,
      totals,
      trace,
      onBug,
    })
    return () => transfer.cancel()
  }

  /** Returns the observer of this process. A dead process reports nothing. */
  #makeObserver(): Observer {
    const { id, trace } = this.#settings
    const traced = nodeEvents(id, trace)
    const handlers: EventHandlers = {
      ...traced,
      slotApplied: (fields) => {
        traced.slotApplied(fields)
        this.#onApplied(fields.entry, fields.stateDigest)
      },
      checkpointInstalled: ({ checkpoint }) => this.#onInstalled(checkpoint),
      writeBegun: (subject) => this.#onWriting(subject),
      writeEnded: () => this.#passStep(),
      halted: ({ error }) => this.#onFailed(error),
    }
    return new LivingObserver(handlers, this.runtime)
  }

  #onApplied(entry: LogEntry, digest: number): void {
    const { id, checker } = this.#settings
    const { application } = this
    this.#appliedUpTo = entry.slot
    this.#check(() => {
      checker.onApplied({ nodeId: id, entry, digest, application })
      if (this.#follower !== undefined && application.machine.events !== undefined) {
        checker.feed.onApplied(id, entry.slot, this.#follower.onApplied())
      }
    })
    this.#passStep()
  }

  #onInstalled(checkpoint: CheckpointInfo): void {
    const { id, checker } = this.#settings
    this.#appliedUpTo = checkpoint.appliedUpTo
    this.#check(() => {
      checker.onInstalled(id, checkpoint, this.application)
      this.#follower?.onInstalled()
      const { missingVote } = this.#machine.disk
      check(missingVote === undefined, () => `node ${id} lost its vote for slot ${missingVote} when it installed a checkpoint`)
    })
    this.#passStep()
  }

  /** The peer, or this node, is a new process: if they find each other their links are made anew. */
  onRelinked(peer: NodeId): void {
    if (this.#handlers !== undefined && this.#finds(peer)) this.input(() => this.#handlers?.onConnected(peer))
  }

  /** A peer refuses this node. The stream has ended: the next one carries this node's new identity. */
  onRefused(by: NodeId, refusal: PeerRefusal): void {
    this.#introducedAs.delete(by)
    this.input(() => this.#handlers?.onRefused(by, refusal, this.#settings.addressOf(by)))
  }

  #introductionTo(to: NodeId, identity: IdentitySource): CallerIdentity {
    const known = this.#introducedAs.get(to)
    if (known !== undefined) return known
    const caller = { nodeId: this.#settings.id, ...identity() }
    this.#introducedAs.set(to, caller)
    return caller
  }

  #afterStep(): void {
    if (this.runtime.isOver || this.#core === undefined || this.#view === undefined) return
    const before = this.#view
    const now = viewOf(this.#core)
    this.#view = now
    this.#check(() => this.#settings.checker.onStep(this.#settings.id, before, now))
    if (now.decidedUpTo !== before.decidedUpTo) this.#checkMemberships(this.#core)
  }

  #checkMemberships({ memberships, decidedUpTo }: Node): void {
    if (memberships === undefined) return
    this.#check(() => this.#settings.checker.onMemberships(this.#settings.id, memberships.toRecords(), decidedUpTo))
  }

  #onWriting(subject: Events['writeBegun']): void {
    const { checkpoint } = subject
    if (checkpoint !== undefined) this.#check(() => this.#settings.checker.onCheckpoint(this.#settings.id, checkpoint))
    this.#machine.disk.expect(subject)
    if (this.#diesInWrite) this.#dieWhileWriting()
    this.#passStep()
  }

  #onFailed(error: Error): void {
    if (!this.runtime.isOver) this.#machine.onStopped(error)
  }

  #check(run: () => void): void {
    try {
      run()
    } catch (error) {
      // The checker has read a damaged record: the node stops with its next write.
      if (error instanceof StorageError && error.code === 'DAMAGED' && this.#machine.disk.wasCorrupted) return
      this.#settings.onBug(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Passes a step, at which the process may be killed. */
  #passStep(): void {
    if (this.runtime.isOver || --this.#stepsToLive > 0) return
    this.#settings.totals.count('crashMidStep')
    this.#machine.onDeath()
  }

  /** Kills the process during its write, late enough for messages that left too early to arrive. */
  #dieWhileWriting(): void {
    const { scheduler, random, disk, totals } = this.#settings
    scheduler.after(random.next() * disk.syncMsMean, () => {
      if (this.runtime.isOver || !this.#diesInWrite || !this.#machine.disk.isWriting) return
      totals.count('crashInWrite')
      this.#machine.onDeath()
    })
  }
}

/** The observer of a process, silent once that is dead. */
class LivingObserver extends EventObserver {
  readonly #runtime: Pick<SimulatedRuntime, 'isOver'>

  constructor(handlers: EventHandlers, runtime: Pick<SimulatedRuntime, 'isOver'>) {
    super(handlers)
    this.#runtime = runtime
  }

  override event<Name extends keyof Events>(name: Name, fields: Events[Name]): void {
    if (!this.#runtime.isOver) super.event(name, fields)
  }
}
