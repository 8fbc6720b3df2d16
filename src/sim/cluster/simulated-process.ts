import { pino } from 'pino'
import type { CallerIdentity, PeerRefusal } from '../../host/admission.js'
import type { HostedMember } from '../../host/hosted-member.js'
import type { HostedMemberOptions, MemberParts } from '../../host/start/member-parts.js'
import { restoreMachine } from '../../host/start/restored.js'
import { startMember } from '../../host/start/start-member.js'
import type { Events } from '../../observer/names.js'
import type { EventHandlers, Observer } from '../../observer/observer.js'
import { type CoreView, viewOf } from '../../paxos/invariants.js'
import type { Node, NodeSettings } from '../../paxos/node.js'
import type { LogEntry, NodeId, Slot } from '../../paxos/types.js'
import type { CheckpointPart, CheckpointRequest } from '../../protocol/checkpoint-transfer.js'
import { CommitFeed } from '../../replication/commit-feed.js'
import { SESSION_LIMITS } from '../../replication/session-table.js'
import { LevelStorage } from '../../storage/level-storage.js'
import type { CheckpointInfo } from '../../storage/storage.js'
import { StorageError } from '../../storage/storage-error.js'
import { check } from '../checkers/violation.js'
import { nodeEvents } from '../trace/node-events.js'
import type { NodeEnd, StreamOutlet } from './client-port.js'
import { FeedFollower } from './feed-follower.js'
import { LivingObserver } from './living-observer.js'
import type { SentPacket } from './network.js'
import { NEXT_LEVEL } from './next-machine.js'
import { fromNextRecord, toNextRecord } from './next-version.js'
import { PlannedDeath } from './planned-death.js'
import { SessionDoor } from './session-door.js'
import type { SimulatedApplication } from './simulated-application.js'
import type { RecordFormat } from './simulated-database.js'
import type { Machine, SimulatedNodeSettings } from './simulated-node-settings.js'
import { SimulatedPeerPort } from './simulated-peer-port.js'
import { SimulatedRuntime } from './simulated-runtime.js'
import type { TransferSource } from './simulated-transfer.js'

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
  readonly #port: SimulatedPeerPort
  readonly #death: PlannedDeath
  readonly #observer: Observer
  #appliedUpTo: Slot = 0
  readonly #door: SessionDoor

  constructor(settings: SimulatedNodeSettings, machine: Machine) {
    const { random, scheduler, parts } = settings
    this.#settings = settings
    this.#machine = machine
    this.application = parts.makeApplication(machine.version)
    this.#follower = settings.checker.looksInside ? new FeedFollower() : undefined
    this.runtime = new SimulatedRuntime({ scheduler, random, wallMs: machine.wallMs, turnMsMax: machine.turnMsMax })
    this.#death = new PlannedDeath(settings, { disk: machine.disk, runtime: this.runtime, onDeath: machine.onDeath })
    this.#observer = this.#makeObserver()
    this.#port = new SimulatedPeerPort(settings, {
      runtime: this.runtime,
      input: (run) => this.input(run),
      check: (run) => this.#check(run),
      onMark: (dataDirId, writeNumber) => this.#onMark(dataDirId, writeNumber),
      onSent: () => this.#death.passStep(),
      afterStep: () => this.#afterStep(),
    })
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
        port: this.#port,
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

  /** The death that a fault has planned for this process. */
  get death(): Pick<PlannedDeath, 'afterSteps' | 'inWrite' | 'cancel'> {
    return this.#death
  }

  serveCheckpoint(caller: CallerIdentity, request: CheckpointRequest): AsyncIterable<CheckpointPart> {
    return this.#port.serveCheckpoint(caller, request)
  }

  /** Passes a packet to the process, as soon as it is awake. */
  receive(packet: SentPacket): void {
    this.#port.receive(packet)
  }

  /** The peer, or this node, is a new process: if they find each other their links are made anew. */
  onRelinked(peer: NodeId): void {
    this.#port.onRelinked(peer)
  }

  /** Tells the process that a peer refuses it. */
  onRefused(by: NodeId, refusal: PeerRefusal): void {
    this.#port.onRefused(by, refusal)
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
      writeEnded: () => this.#death.passStep(),
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
    this.#death.passStep()
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
    this.#death.passStep()
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
    this.#death.onWriting()
    this.#death.passStep()
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
}
