import type { CoreView } from '../paxos/invariants.js'
import { viewOf } from '../paxos/invariants.js'
import type { Message } from '../paxos/messages.js'
import { Node, type NodeSettings } from '../paxos/node.js'
import type { CoreOptions } from '../paxos/options.js'
import type { LogRequest, Ready } from '../paxos/outbox.js'
import type { NodeId, Slot } from '../paxos/types.js'
import type { MemoryStorage } from '../storage/memory-storage.js'
import type { Application } from './application.js'
import { INITIAL_COMMANDS } from './application.js'
import { Applier, type Checkpoint, type Settle } from './applier.js'
import type { Checker } from './checkers.js'
import { type DiskSettings, SimulatedDisk } from './disk.js'
import type { FaultTotals } from './faults.js'
import type { Query } from './operations.js'
import type { Random } from './random.js'
import type { Scheduler } from './scheduler.js'

export interface SimulatedNodeSettings {
  readonly id: NodeId
  readonly members: NodeSettings['members']
  readonly options: CoreOptions
  readonly checkpointEverySlots: number
  /** The host's turn: what comes within it shares a drain. */
  readonly turnMsMax: number
  readonly disk: DiskSettings
  readonly random: Random
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
  readonly checker: Checker
  readonly send: (from: NodeId, to: NodeId, message: Message) => void
  readonly note: (text: string) => void
  /** How the parts are made; tests put defective ones in their place. */
  readonly parts: NodeParts
}

export interface NodeParts {
  readonly makeNode: (settings: NodeSettings) => Node
  readonly makeDisk: (dataDirId: string, settings: DiskSettings) => SimulatedDisk
  readonly makeApplication: () => Application
}

const TICK_MS = 10
const JOIN_INTERVAL_MS = 50
const LOG_READ_MS = 0.3
/** The simulated day on which every run begins. */
const EPOCH_MS = 1_700_000_000_000

/** What a crash takes with it. */
interface Incarnation {
  readonly core: Node
  readonly storage: MemoryStorage
  readonly applier: Applier
  /** What arrived during a pause. */
  readonly inbox: (() => void)[]
  view: CoreView
  isPaused: boolean
  isDrainDue: boolean
  checkpoint: Checkpoint | undefined
}

/**
 * The simulated runtime of one node: carries out its core's Ready as the head of paxos/node.ts says, over a simulated disk and
 * network, with a crash possible between any two steps.
 */
export class SimulatedNode {
  readonly id: NodeId
  readonly #settings: SimulatedNodeSettings
  #disk: SimulatedDisk
  #life: Incarnation | undefined
  #directoryCount = 0
  /** The wall clock is off by so much. */
  wallOffsetMs = 0
  /** The core halted with this code: the node does not start again. */
  haltCode: string | undefined
  /** When to crash: after so many further steps. */
  #stepsToLive = Number.POSITIVE_INFINITY
  #diesInWrite = false

  constructor(settings: SimulatedNodeSettings) {
    this.id = settings.id
    this.#settings = settings
    this.#disk = this.#newDisk()
  }

  get isUp(): boolean {
    return this.#life !== undefined
  }

  get isPaused(): boolean {
    return this.#life?.isPaused === true
  }

  get isLeading(): boolean {
    return this.#life?.core.phase === 'leading'
  }

  /** Absent while the node is down. */
  get core(): Node | undefined {
    return this.#life?.core
  }

  get application(): Application | undefined {
    return this.#life?.applier.application
  }

  get appliedUpTo(): Slot {
    return this.#life?.applier.appliedUpTo ?? 0
  }

  get disk(): SimulatedDisk {
    return this.#disk
  }

  get hasLostDirectory(): boolean {
    return this.#directoryCount > 1
  }

  // --- what happens to it ---------------------------------------------------------------------------------------------------------

  /** Starts the process on what the disk holds. Nothing, if it runs or has halted. */
  start(): void {
    if (this.#life !== undefined || this.haltCode !== undefined) return
    const { id, members, options, random, scheduler, parts, checker } = this.#settings
    const storage = this.#disk.open()
    const application = parts.makeApplication()
    const applier = new Applier({ nodeId: id, application, checker, storage })
    const core = parts.makeNode({
      self: id,
      dataDirId: storage.dataDirId,
      members,
      newClusterId: `cluster-of-${id}`,
      initialCommands: INITIAL_COMMANDS,
      joinIntervalMs: JOIN_INTERVAL_MS,
      recovered: storage.recovered,
      options,
      random: () => random.next(),
      nowMs: scheduler.nowMs,
    })
    const life: Incarnation = {
      core,
      storage,
      applier,
      inbox: [],
      view: viewOf(core),
      isPaused: false,
      isDrainDue: false,
      checkpoint: undefined,
    }
    this.#life = life
    this.spare()
    this.#settings.note(`n${id} starts: promised ${core.promised}, decided ${core.decidedUpTo}`)
    checker.onStarted(id, core, this.#disk.contents)
    this.#tickAgain(life)
  }

  crash(): void {
    if (this.#life === undefined) return
    this.#life = undefined
    this.#disk.crash()
    this.#settings.totals.count('crash')
    this.#settings.note(`n${this.id} crashes`)
  }

  /** Crashes between two steps, so many of them from now. */
  crashAfterSteps(steps: number): void {
    this.#stepsToLive = steps
  }

  /** Does not crash after all. */
  spare(): void {
    this.#stepsToLive = Number.POSITIVE_INFINITY
    this.#diesInWrite = false
  }

  /** Crashes in the middle of its next write. */
  crashInWrite(): void {
    this.#diesInWrite = true
  }

  /** The process stands still; what arrives waits. */
  pause(): void {
    if (this.#life === undefined || this.#life.isPaused) return
    this.#life.isPaused = true
    this.#settings.totals.count('pause')
    this.#settings.note(`n${this.id} is paused`)
  }

  /** Wakes up and finds everything that arrived meanwhile. */
  wake(): void {
    const life = this.#life
    if (life?.isPaused !== true) return
    life.isPaused = false
    this.#settings.note(`n${this.id} wakes up`)
    for (const run of life.inbox.splice(0)) if (this.#life === life) run()
  }

  /** The machine comes back with an empty disk. */
  loseDirectory(): void {
    this.crash()
    this.#disk = this.#newDisk()
    this.#settings.totals.count('lostDirectory')
    this.#settings.note(`n${this.id} has lost its data directory`)
  }

  // --- inputs ---------------------------------------------------------------------------------------------------------------------

  receive(from: NodeId, message: Message): void {
    this.#input((life) => life.core.receive(from, message))
  }

  /** A client's command. `refuse` is called if it certainly was not proposed. */
  submit(name: string, command: Uint8Array, settle: Settle, refuse: () => void): void {
    this.#input((life) => {
      if (life.core.propose([command]) === 'sent') life.applier.await(name, settle)
      else refuse()
    })
  }

  read(query: Query, settle: Settle): void {
    this.#input((life) => life.core.read(life.applier.awaitRead(query, settle)))
  }

  handOver(): boolean {
    let isHandingOver = false
    this.#input((life) => {
      isHandingOver = life.core.handOver()
    })
    return isHandingOver
  }

  #input(run: (life: Incarnation) => void): void {
    const life = this.#life
    if (life === undefined) return
    this.#whenAwake(life, () => {
      life.core.tick(this.#settings.scheduler.nowMs)
      run(life)
      this.#afterStep(life)
    })
  }

  #whenAwake(life: Incarnation, run: () => void): void {
    if (this.#life !== life) return
    if (life.isPaused) life.inbox.push(run)
    else run()
  }

  #tickAgain(life: Incarnation): void {
    this.#settings.scheduler.after(TICK_MS, () => {
      if (this.#life !== life) return
      if (!life.isPaused) {
        life.core.tick(this.#settings.scheduler.nowMs)
        this.#afterStep(life)
      }
      this.#tickAgain(life)
    })
  }

  /** Checks the step, and sees to it that the core is drained within the turn. */
  #afterStep(life: Incarnation): void {
    const now = viewOf(life.core)
    this.#settings.checker.onStep(this.id, life.view, now)
    life.view = now
    if (life.isDrainDue) return
    life.isDrainDue = true
    const { scheduler, random, turnMsMax } = this.#settings
    scheduler.after(random.next() * turnMsMax, () =>
      this.#whenAwake(life, () => {
        life.isDrainDue = false
        this.#drain(life)
      }),
    )
  }

  // --- the host's duties ----------------------------------------------------------------------------------------------------------

  #drain(life: Incarnation): void {
    const { scheduler, checkpointEverySlots, send } = this.#settings
    const diskIdle = !this.#disk.isWriting
    const isCheckpointDue = diskIdle && life.applier.unsavedCount >= checkpointEverySlots
    if (isCheckpointDue) life.core.persistDecidedUpTo()
    const ready = life.core.ready({ diskIdle, wallMs: Math.floor(EPOCH_MS + scheduler.nowMs + this.wallOffsetMs) })

    for (const { to, message } of ready.messages) send(this.id, to, message)
    if (this.#diesHere()) return
    if (diskIdle) this.#write(life, ready)
    if (this.#life !== life || this.#diesHere()) return
    if (life.core.genesis !== undefined) life.applier.seed(life.core.genesis)
    for (const entry of ready.decided) {
      life.applier.apply(entry)
      if (this.#diesHere()) return
    }
    life.applier.grant(ready.reads)
    // At this very moment the state is that of the watermark on its way to the disk.
    if (isCheckpointDue && life.checkpoint === undefined) life.checkpoint = life.applier.takeCheckpoint()
    for (const request of ready.logRequests) this.#answerFromLog(life, request)
    if (ready.halt !== undefined) this.#halt(ready.halt)
  }

  #write(life: Incarnation, ready: Ready): void {
    if (ready.records.length > 0) {
      this.#disk.append(ready.records, () => this.#whenAwake(life, () => this.#onSynced(life, ready)))
      if (this.#diesInWrite) this.#dieInWrite(life)
    } else if (ready.onceDurable.length > 0) {
      // Everything persisted before is on disk already.
      this.#onSynced(life, ready)
    } else if (life.checkpoint !== undefined) {
      const { info, changes } = life.checkpoint
      life.checkpoint = undefined
      this.#disk.saveCheckpoint(info, changes, () => this.#whenAwake(life, () => this.#afterStep(life)))
    }
  }

  #onSynced(life: Incarnation, ready: Ready): void {
    if (this.#diesHere()) return
    for (const { to, message } of ready.onceDurable) if (to !== this.id) this.#settings.send(this.id, to, message)
    if (this.#diesHere()) return
    life.core.tick(this.#settings.scheduler.nowMs)
    life.core.onDurable(ready)
    this.#afterStep(life)
  }

  #answerFromLog(life: Incarnation, { to, fromSlot, toSlot }: LogRequest): void {
    this.#settings.scheduler.after(LOG_READ_MS, () =>
      this.#whenAwake(life, () => {
        const entries = life.storage.readLogNow(fromSlot, toSlot, this.#settings.options.pageBytesMax)
        this.#settings.send(this.id, to, { kind: 'catchUpReply', entries, decidedUpTo: life.core.decidedUpTo })
      }),
    )
  }

  #halt({ code, message }: { code: string; message: string }): void {
    this.#life = undefined
    this.#disk.crash()
    this.haltCode = code
    this.#settings.note(`n${this.id} halts: ${message}`)
  }

  /** What was said too early has time to travel. */
  #dieInWrite(life: Incarnation): void {
    const { scheduler, random, disk } = this.#settings
    scheduler.after(random.next() * disk.syncMsMean, () => {
      if (this.#life !== life || !this.#disk.isWriting) return
      this.#settings.totals.count('crashInWrite')
      this.crash()
    })
  }

  /** Between any two steps the process may be killed. */
  #diesHere(): boolean {
    if (--this.#stepsToLive > 0) return false
    this.#settings.totals.count('crashMidStep')
    this.crash()
    return true
  }

  #newDisk(): SimulatedDisk {
    this.#directoryCount++
    return this.#settings.parts.makeDisk(`directory-${this.id}-${this.#directoryCount}`, this.#settings.disk)
  }
}
