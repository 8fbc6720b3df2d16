import { type CoreView, viewOf } from '../paxos/invariants.js'
import type { Message } from '../paxos/messages.js'
import type { Node, NodeSettings } from '../paxos/node.js'
import type { CoreOptions } from '../paxos/options.js'
import type { Halt, LogRequest, Ready } from '../paxos/outbox.js'
import type { NodeId } from '../paxos/types.js'
import type { MemoryStorage } from '../storage/memory-storage.js'
import { type Application, INITIAL_COMMANDS } from './application.js'
import type { Checker } from './checkers.js'
import type { DiskSettings, SimulatedDisk } from './disk.js'
import type { FaultTotals } from './faults.js'
import type { Query } from './operations.js'
import type { Random } from './random.js'
import type { Scheduler } from './scheduler.js'
import { type Checkpoint, type Settle, SimulatedApplier } from './simulated-applier.js'

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

/** The machine that a process runs on. */
export interface Machine {
  readonly disk: SimulatedDisk
  readonly wallMs: () => number
  /** The process has reached the step at which it was to be killed. */
  readonly onDeath: () => void
  readonly onHalt: (halt: Halt) => void
}

const TICK_MS = 10
const JOIN_INTERVAL_MS = 50
const LOG_READ_MS = 0.3
/** The watermark of an idle node goes to disk by itself after this long: the log serves peers only up to there. */
const WATERMARK_DELAY_MS = 1_000

/**
 * One incarnation of a node, from a start to a crash: the simulated runtime. It carries out the core's Ready as the head of
 * paxos/node.ts says, and may be killed between any two steps of that.
 */
export class SimulatedProcess {
  readonly core: Node
  readonly applier: SimulatedApplier
  readonly #settings: SimulatedNodeSettings
  readonly #machine: Machine
  readonly #storage: MemoryStorage
  /** What arrived during a pause. */
  readonly #inbox: (() => void)[] = []
  #view: CoreView
  #isOver = false
  #isPaused = false
  /** By so much the monotonic clock is behind the world's. */
  #clockLagMs = 0
  #clockStoppedAtMs: number | undefined
  #isDrainDue = false
  #checkpoint: Checkpoint | undefined
  #nextWatermarkMs = 0
  #stepsToLive = Number.POSITIVE_INFINITY
  #diesInWrite = false

  /** Starts on what the disk holds. */
  constructor(settings: SimulatedNodeSettings, machine: Machine) {
    const { id, members, options, random, scheduler, parts, checker } = settings
    this.#settings = settings
    this.#machine = machine
    this.#storage = machine.disk.open()
    this.applier = new SimulatedApplier({ nodeId: id, application: parts.makeApplication(), checker, storage: this.#storage })
    this.core = parts.makeNode({
      self: id,
      dataDirId: this.#storage.dataDirId,
      members,
      newClusterId: `cluster-of-${id}`,
      initialCommands: INITIAL_COMMANDS,
      joinIntervalMs: JOIN_INTERVAL_MS,
      recovered: this.#storage.recovered,
      options,
      random: () => random.next(),
      nowMs: scheduler.nowMs,
    })
    this.#view = viewOf(this.core)
    checker.onStarted(id, this.core, machine.disk.contents)
    this.#tickAgain()
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  get #nowMs(): number {
    return this.#settings.scheduler.nowMs - this.#clockLagMs
  }

  /** Nothing of it happens any more. */
  kill(): void {
    this.#isOver = true
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

  /** `clockStops`: the whole machine stands still, as a suspended virtual one does, and its monotonic clock with it. */
  pause({ clockStops }: { clockStops: boolean }): void {
    this.#isPaused = true
    this.#clockStoppedAtMs = clockStops ? this.#nowMs : undefined
  }

  /** Wakes up and finds everything that arrived meanwhile. */
  wake(): void {
    this.#isPaused = false
    if (this.#clockStoppedAtMs !== undefined) this.#clockLagMs += this.#nowMs - this.#clockStoppedAtMs
    this.#clockStoppedAtMs = undefined
    for (const run of this.#inbox.splice(0)) this.#whenAwake(run)
  }

  // --- inputs ---------------------------------------------------------------------------------------------------------------------

  receive(from: NodeId, message: Message): void {
    this.#input(() => this.core.receive(from, message))
  }

  /** A client's command. `refuse` is called if it certainly was not proposed. */
  submit(name: string, command: Uint8Array, settle: Settle, refuse: () => void): void {
    this.#input(() => {
      if (this.core.propose([command]) === 'sent') this.applier.await(name, settle)
      else refuse()
    })
  }

  read(query: Query, settle: Settle): void {
    this.#input(() => this.core.read(this.applier.awaitRead(query, settle)))
  }

  handOver(): void {
    this.#input(() => this.core.handOver())
  }

  #input(run: () => void): void {
    this.#whenAwake(() => {
      this.core.tick(this.#nowMs)
      run()
      this.#afterStep()
    })
  }

  #whenAwake(run: () => void): void {
    if (this.#isOver) return
    if (this.#isPaused) this.#inbox.push(run)
    else run()
  }

  #tickAgain(): void {
    this.#settings.scheduler.after(TICK_MS, () => {
      if (this.#isOver) return
      if (!this.#isPaused) this.#input(() => undefined)
      this.#tickAgain()
    })
  }

  /** Checks the step, and sees to it that the core is drained within the turn. */
  #afterStep(): void {
    const now = viewOf(this.core)
    this.#settings.checker.onStep(this.#settings.id, this.#view, now)
    this.#view = now
    if (this.#isDrainDue) return
    this.#isDrainDue = true
    const { scheduler, random, turnMsMax } = this.#settings
    scheduler.after(random.next() * turnMsMax, () =>
      this.#whenAwake(() => {
        this.#isDrainDue = false
        this.#drain()
      }),
    )
  }

  // --- the host's duties ----------------------------------------------------------------------------------------------------------

  #drain(): void {
    const { core, applier } = this
    const { id, checkpointEverySlots, send } = this.#settings
    const diskIdle = !this.#machine.disk.isWriting
    const isCheckpointDue = diskIdle && applier.unsavedCount >= checkpointEverySlots
    if (isCheckpointDue || (diskIdle && this.#isWatermarkDue())) core.persistDecidedUpTo()
    const ready = core.ready({ diskIdle, wallMs: this.#machine.wallMs() })

    for (const { to, message } of ready.messages) send(id, to, message)
    if (this.#diesHere()) return
    if (diskIdle) this.#write(ready)
    if (this.#diesHere()) return
    if (core.genesis !== undefined) applier.seed(core.genesis)
    for (const entry of ready.decided) {
      applier.apply(entry)
      if (this.#diesHere()) return
    }
    applier.grant(ready.reads)
    // At this very moment the state is that of the watermark on its way to the disk.
    if (isCheckpointDue && this.#checkpoint === undefined) this.#checkpoint = applier.takeCheckpoint()
    for (const request of ready.logRequests) this.#answerFromLog(request)
    if (ready.halt !== undefined) this.#machine.onHalt(ready.halt)
  }

  #isWatermarkDue(): boolean {
    const { nowMs } = this.#settings.scheduler
    if (nowMs < this.#nextWatermarkMs) return false
    this.#nextWatermarkMs = nowMs + WATERMARK_DELAY_MS
    return true
  }

  #write(ready: Ready): void {
    const { disk } = this.#machine
    if (ready.records.length > 0) {
      disk.append(ready.records, () => this.#whenAwake(() => this.#onSynced(ready)))
      if (this.#diesInWrite) this.#dieWhileWriting()
    } else if (ready.onceDurable.length > 0) {
      // Everything persisted before is on disk already.
      this.#onSynced(ready)
    } else if (this.#checkpoint !== undefined) {
      const { info, changes } = this.#checkpoint
      this.#checkpoint = undefined
      disk.saveCheckpoint(info, changes, () => this.#whenAwake(() => this.#afterStep()))
    }
  }

  #onSynced(ready: Ready): void {
    if (this.#diesHere()) return
    const { id, send } = this.#settings
    for (const { to, message } of ready.onceDurable) if (to !== id) send(id, to, message)
    if (this.#diesHere()) return
    this.core.tick(this.#nowMs)
    this.core.onDurable(ready)
    this.#afterStep()
  }

  #answerFromLog({ to, fromSlot, toSlot }: LogRequest): void {
    const { id, options, scheduler, send } = this.#settings
    scheduler.after(LOG_READ_MS, () =>
      this.#whenAwake(() => {
        const entries = this.#storage.readLogNow(fromSlot, toSlot, options.pageBytesMax)
        send(id, to, { kind: 'catchUpReply', entries, decidedUpTo: this.core.decidedUpTo })
      }),
    )
  }

  /** True when it is dead. Between any two steps it may be killed. */
  #diesHere(): boolean {
    if (!this.#isOver && --this.#stepsToLive <= 0) {
      this.#settings.totals.count('crashMidStep')
      this.#machine.onDeath()
    }
    return this.#isOver
  }

  /** What was said too early has time to travel. */
  #dieWhileWriting(): void {
    const { scheduler, random, disk, totals } = this.#settings
    scheduler.after(random.next() * disk.syncMsMean, () => {
      if (this.#isOver || !this.#diesInWrite || !this.#machine.disk.isWriting) return
      totals.count('crashInWrite')
      this.#machine.onDeath()
    })
  }
}
