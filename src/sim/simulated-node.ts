import type { Message } from '../paxos/messages.js'
import type { Node } from '../paxos/node.js'
import type { NodeId, Slot } from '../paxos/types.js'
import type { Application } from './application.js'
import type { SimulatedDisk } from './disk.js'
import type { Query } from './operations.js'
import type { Settle } from './simulated-applier.js'
import { type SimulatedNodeSettings, SimulatedProcess } from './simulated-process.js'

/** The simulated day on which every run begins. */
const EPOCH_MS = 1_700_000_000_000

/** A simulated machine: a disk and a wall clock, and most of the time a process that runs on it. */
export class SimulatedNode {
  readonly id: NodeId
  readonly #settings: SimulatedNodeSettings
  #disk: SimulatedDisk
  #process: SimulatedProcess | undefined
  #directoryCount = 0
  /** The wall clock is off by so much. */
  wallOffsetMs = 0
  #haltCode: string | undefined

  constructor(settings: SimulatedNodeSettings) {
    this.id = settings.id
    this.#settings = settings
    this.#disk = this.#newDisk()
  }

  get isUp(): boolean {
    return this.#process !== undefined
  }

  get isPaused(): boolean {
    return this.#process?.isPaused === true
  }

  /** Whether it believes so. */
  get isLeading(): boolean {
    return this.#process?.core.phase === 'leading'
  }

  /** Absent while the node is down. */
  get core(): Node | undefined {
    return this.#process?.core
  }

  /** Absent while the node is down. */
  get application(): Application | undefined {
    return this.#process?.applier.application
  }

  get appliedUpTo(): Slot {
    return this.#process?.applier.appliedUpTo ?? 0
  }

  get disk(): SimulatedDisk {
    return this.#disk
  }

  /** Why the core wanted to stop: then the node does not start again. */
  get haltCode(): string | undefined {
    return this.#haltCode
  }

  get hasLostDirectory(): boolean {
    return this.#directoryCount > 1
  }

  // --- what happens to it ---------------------------------------------------------------------------------------------------------

  /** Starts the process on what the disk holds. Nothing, if it runs or has halted. */
  start(): void {
    if (this.#process !== undefined || this.#haltCode !== undefined) return
    const { note, scheduler } = this.#settings
    const process = new SimulatedProcess(this.#settings, {
      disk: this.#disk,
      wallMs: () => Math.floor(EPOCH_MS + scheduler.nowMs + this.wallOffsetMs),
      onDeath: () => this.crash(),
      onHalt: ({ code, message }) => {
        this.#haltCode = code
        this.#end()
        note(`n${this.id} halts: ${message}`)
      },
    })
    this.#process = process
    note(`n${this.id} starts: promised ${process.core.promised}, decided ${process.core.decidedUpTo}`)
  }

  crash(): void {
    if (this.#process === undefined) return
    this.#end()
    this.#settings.totals.count('crash')
    this.#settings.note(`n${this.id} crashes`)
  }

  /** Crashes between two steps, so many of them from now. */
  crashAfterSteps(steps: number): void {
    this.#process?.dieAfterSteps(steps)
  }

  /** Crashes in the middle of its next write. */
  crashInWrite(): void {
    this.#process?.dieInWrite()
  }

  /** Does not crash after all. */
  spare(): void {
    this.#process?.spare()
  }

  /** The process stands still; what arrives waits. See SimulatedProcess.pause. */
  pause({ clockStops = false } = {}): void {
    if (this.#process === undefined || this.#process.isPaused) return
    this.#process.pause({ clockStops })
    this.#settings.totals.count('pause')
    this.#settings.note(`n${this.id} is paused`)
  }

  wake(): void {
    if (this.#process?.isPaused !== true) return
    this.#settings.note(`n${this.id} wakes up`)
    this.#process.wake()
  }

  /** The machine comes back with an empty disk. */
  loseDirectory(): void {
    this.crash()
    this.#disk = this.#newDisk()
    this.#settings.totals.count('lostDirectory')
    this.#settings.note(`n${this.id} has lost its data directory`)
  }

  // --- inputs: lost on a node that is down ----------------------------------------------------------------------------------------

  receive(from: NodeId, message: Message): void {
    this.#process?.receive(from, message)
  }

  /** A client's command. `refuse` is called if it certainly was not proposed. */
  submit(name: string, command: Uint8Array, settle: Settle, refuse: () => void): void {
    this.#process?.submit(name, command, settle, refuse)
  }

  read(query: Query, settle: Settle): void {
    this.#process?.read(query, settle)
  }

  /** Asked to stop, a leader hands over first. */
  handOver(): void {
    this.#settings.note(`n${this.id} is asked to hand over`)
    this.#process?.handOver()
  }

  #end(): void {
    this.#process?.kill()
    this.#process = undefined
    this.#disk.crash()
  }

  #newDisk(): SimulatedDisk {
    this.#directoryCount++
    return this.#settings.parts.makeDisk(`directory-${this.id}-${this.#directoryCount}`, this.#settings.disk)
  }
}
