import { pino } from 'pino'
import type { CallerIdentity } from '../host/admission.js'
import { HostedMember, type PeerPort, type PeerPortHandlers } from '../host/hosted-member.js'
import type { StateMachine } from '../machine/state-machine.js'
import { type CoreView, viewOf } from '../paxos/invariants.js'
import type { Message } from '../paxos/messages.js'
import type { Node, NodeSettings } from '../paxos/node.js'
import type { CoreOptions } from '../paxos/options.js'
import type { NodeId, Slot } from '../paxos/types.js'
import { LevelStorage } from '../storage/level-storage.js'
import type { WriteSubject } from '../storage/linked-writer.js'
import type { Checker } from './checkers.js'
import type { DiskSettings, SimulatedDisk } from './disk.js'
import type { EventTrace } from './event-trace.js'
import type { FaultTotals } from './faults.js'
import type { Packet, SentPacket } from './network.js'
import { fromNextRecord, toNextRecord } from './next-version.js'
import type { Random } from './random.js'
import type { Scheduler } from './scheduler.js'
import type { RecordFormat } from './simulated-database.js'
import { SimulatedRuntime } from './simulated-runtime.js'
import type { Fate } from './trace-events.js'

export interface SimulatedNodeSettings {
  readonly id: NodeId
  readonly members: NodeSettings['members']
  readonly options: CoreOptions
  readonly initialCommands: readonly Uint8Array[]
  readonly checkpointEverySlots: number
  /** The host's turn: what comes within it shares a drain. */
  readonly turnMsMax: number
  readonly tickMs: number
  readonly disk: Omit<DiskSettings, 'nodeId'>
  readonly random: Random
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
  readonly checker: Checker
  readonly trace: EventTrace
  readonly send: (packet: Packet) => void
  /** Told of what only a bug can bring about. */
  readonly onBug: (error: Error) => void
  /** How the parts are made; tests put defective ones in their place. */
  readonly parts: NodeParts
}

export interface NodeParts {
  readonly makeNode: (settings: NodeSettings) => Node
  readonly makeDisk: (settings: DiskSettings) => SimulatedDisk
  readonly makeApplication: () => SimulatedApplication
}

/** What stands above the log. */
export interface SimulatedApplication {
  readonly machine: StateMachine
  /** What is wrong with the state right now, one sentence each. */
  brokenInvariants(): string[]
}

/** The machine that a process runs on. */
export interface Machine {
  readonly version: SoftwareVersion
  readonly disk: SimulatedDisk
  readonly wallMs: () => number
  readonly turnMsMax: () => number
  /** The process has reached the step at which it was to be killed. */
  readonly onDeath: () => void
  /** The process has stopped by itself. */
  readonly onStopped: (error: Error) => void
}

/** What a node runs: this Synod, or one that is a version newer. See next-version.ts. */
export type SoftwareVersion = 'current' | 'next'

const FORMATS: Readonly<Record<SoftwareVersion, RecordFormat>> = {
  current: { write: (_key, record) => record, read: (_key, record) => record },
  next: { write: toNextRecord, read: fromNextRecord },
}

const SILENT = pino({ enabled: false })

/**
 * One incarnation of a node, from a start to a crash: a real member on a simulated machine. It may be killed between any two of its
 * dealings with the world; what a dead process still does reaches nobody.
 */
export class SimulatedProcess {
  readonly runtime: SimulatedRuntime
  readonly application: SimulatedApplication
  readonly #settings: SimulatedNodeSettings
  readonly #machine: Machine
  #member: HostedMember | undefined
  #core: Node | undefined
  #view: CoreView | undefined
  #handlers: PeerPortHandlers | undefined
  /** What each peer was told of who this is when it was first sent to. */
  readonly #introducedAs = new Map<NodeId, CallerIdentity>()
  #appliedUpTo: Slot = 0
  #stepsToLive = Number.POSITIVE_INFINITY
  #diesInWrite = false

  constructor(settings: SimulatedNodeSettings, machine: Machine) {
    const { random, scheduler, parts } = settings
    this.#settings = settings
    this.#machine = machine
    this.application = parts.makeApplication()
    this.runtime = new SimulatedRuntime({ scheduler, random, wallMs: machine.wallMs, turnMsMax: machine.turnMsMax })
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

  /** Starts on what the disk holds. */
  async boot(): Promise<void> {
    const { id, members, options, checkpointEverySlots, tickMs, initialCommands } = this.#settings
    try {
      const directory = await this.#machine.disk.open(this.runtime, FORMATS[this.#machine.version])
      const storage = await LevelStorage.standOn(directory, {
        watcher: { onWriting: (subject) => this.#onWriting(subject), onWritten: () => this.#passStep() },
      })
      this.#appliedUpTo = storage.checkpoint.appliedUpTo
      this.#member = await HostedMember.restore(
        { nodeId: id, members, machine: this.application.machine, initialCommands, logger: SILENT, options },
        {
          storage,
          runtime: this.runtime,
          tickIntervalMs: tickMs,
          checkpoints: { slotsMax: checkpointEverySlots, commandsMax: Number.POSITIVE_INFINITY },
          makePeerPort: (handlers) => this.#makePeerPort(handlers),
          makeNode: (nodeSettings) => this.#makeNode(nodeSettings),
          onApplied: (entry, digest) => {
            if (this.runtime.isOver) return
            this.#appliedUpTo = entry.slot
            const { application } = this
            this.#settings.trace.tell({ kind: 'applied', node: id, slot: entry.slot, value: entry.value, digest })
            this.#check(() => this.#settings.checker.onApplied({ nodeId: id, entry, digest, application }))
            this.#passStep()
          },
          onFailed: (error) => this.#onFailed(error),
        },
      )
    } catch (error) {
      this.#onFailed(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Dies between two steps, so many of them from now. */
  dieAfterSteps(steps: number): void {
    this.#stepsToLive = steps
  }

  /** Dies in the middle of its next write. */
  dieInWrite(): void {
    this.#diesInWrite = true
  }

  /** Does not die after all. */
  spare(): void {
    this.#stepsToLive = Number.POSITIVE_INFINITY
    this.#diesInWrite = false
  }

  /** Something comes in from the world, when the process can take it. */
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
      if (admission !== undefined && (admission !== 'joinOnly' || message.kind !== 'join')) return tellFate('refused')
      tellFate('delivered')
      handlers.onMessages(from, [message])
      this.#afterStep()
    })
  }

  #makeNode(settings: NodeSettings): Node {
    const core = this.#settings.parts.makeNode(settings)
    this.#core = core
    this.#view = viewOf(core)
    this.#settings.trace.recovered(this.#settings.id, core, this.#appliedUpTo)
    this.#settings.trace.look(this.#settings.id, core)
    this.#check(() => this.#settings.checker.onStarted(this.#settings.id, core, this.#machine.disk.contents))
    return core
  }

  #makePeerPort(handlers: PeerPortHandlers): PeerPort {
    const { id, send } = this.#settings
    return {
      start: async () => {
        this.#handlers = handlers
      },
      send: (to: NodeId, message: Message) => {
        // What it says to itself, the core hears when its records are durable.
        if (this.runtime.isOver || to === id) return
        this.#check(() => send({ from: id, to, message, caller: this.#introductionTo(to, handlers) }))
        this.#passStep()
      },
      flush: () => this.#afterStep(),
      stop: async () => {
        this.#handlers = undefined
      },
    }
  }

  #introductionTo(to: NodeId, handlers: PeerPortHandlers): CallerIdentity {
    const known = this.#introducedAs.get(to)
    if (known !== undefined) return known
    const caller = { nodeId: this.#settings.id, ...handlers.identity() }
    this.#introducedAs.set(to, caller)
    return caller
  }

  #afterStep(): void {
    if (this.runtime.isOver || this.#core === undefined || this.#view === undefined) return
    const before = this.#view
    const now = viewOf(this.#core)
    this.#view = now
    this.#settings.trace.look(this.#settings.id, this.#core)
    this.#check(() => this.#settings.checker.onStep(this.#settings.id, before, now))
  }

  #onWriting(subject: WriteSubject): void {
    if (this.runtime.isOver) return
    const { checkpoint } = subject
    if (checkpoint !== undefined) this.#check(() => this.#settings.checker.onCheckpoint(this.#settings.id, checkpoint))
    this.#machine.disk.expect(subject)
    if (this.#diesInWrite) this.#dieWhileWriting()
    this.#passStep()
  }

  #onFailed(error: Error): void {
    if (!this.runtime.isOver) this.#machine.onStopped(error)
  }

  #check(check: () => void): void {
    try {
      check()
    } catch (error) {
      this.#settings.onBug(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Between any two steps it may be killed. */
  #passStep(): void {
    if (this.runtime.isOver || --this.#stepsToLive > 0) return
    this.#settings.totals.count('crashMidStep')
    this.#machine.onDeath()
  }

  /** What was said too early has time to travel. */
  #dieWhileWriting(): void {
    const { scheduler, random, disk, totals } = this.#settings
    scheduler.after(random.next() * disk.syncMsMean, () => {
      if (this.runtime.isOver || !this.#diesInWrite || !this.#machine.disk.isWriting) return
      totals.count('crashInWrite')
      this.#machine.onDeath()
    })
  }
}
