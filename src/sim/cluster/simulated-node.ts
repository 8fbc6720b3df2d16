import type { PeerRefusal } from '../../host/admission.js'
import type { HostedMember } from '../../host/hosted-member.js'
import type { MemberAddresses } from '../../paxos/membership-changes.js'
import type { Node } from '../../paxos/node.js'
import type { NodeId, Slot } from '../../paxos/types.js'
import { CallableNode } from './callable-node.js'
import { InstalledSoftware } from './installed-software.js'
import type { SentPacket } from './network.js'
import type { SimulatedApplication } from './simulated-application.js'
import type { DirectoryCopy, SimulatedDisk } from './simulated-disk.js'
import type { SimulatedNodeSettings } from './simulated-node-settings.js'
import { SimulatedProcess } from './simulated-process.js'
import { stopCodeOf } from './stop-code.js'

/** The simulated day on which every run begins. */
export const EPOCH_MS = 1_700_000_000_000
/** Factor of the turns of a slow node, and their minimum duration. */
const SLOW_FACTOR = 20
const SLOW_TURN_MS = 20

/** A simulated machine: a disk and a wall clock and, most of the time, a process that runs on it. */
export class SimulatedNode extends CallableNode {
  readonly id: NodeId
  readonly #settings: SimulatedNodeSettings
  #disk: SimulatedDisk
  #process: SimulatedProcess | undefined
  #directoryCount = 0
  #wallOffsetMs = 0
  #mostAheadMs = 0
  /** True if everything on this node takes long. */
  isSlow = false
  readonly software = new InstalledSoftware()
  #isCommissioned: boolean
  #moveCount = 0
  /** The members' addresses, as they were written down when this machine was first started, or moved. */
  #members: readonly MemberAddresses[] | undefined
  #haltCode: string | undefined
  #isSwitchedOff = false
  #isStopping = false
  #lastMarks: ReadonlyMap<string, number> = new Map()
  /** True if the node starts again as soon as it has stopped. */
  #startsAgain = false

  constructor(settings: SimulatedNodeSettings) {
    super()
    this.id = settings.id
    this.#settings = settings
    this.#isCommissioned = !settings.isSpare
    this.#disk = this.#newDisk()
  }

  /** The offset of the wall clock, in ms. */
  get wallOffsetMs(): number {
    return this.#wallOffsetMs
  }

  set wallOffsetMs(offsetMs: number) {
    this.#wallOffsetMs = offsetMs
    this.#mostAheadMs = Math.max(this.#mostAheadMs, offsetMs)
  }

  /** The largest offset that the wall clock has ever had, in ms. */
  get mostAheadMs(): number {
    return this.#mostAheadMs
  }

  /** The node's current addresses. */
  get addresses(): MemberAddresses {
    const host = `node${this.id}${this.#moveCount === 0 ? '' : `-${this.#moveCount}`}`
    return { nodeId: this.id, peerAddress: `${host}:7200`, clientAddress: `${host}:7100` }
  }

  /** True if the node is no initial member. */
  get isSpare(): boolean {
    return this.#settings.isSpare
  }

  /** True if the node is a member, or is to be one. */
  get isCommissioned(): boolean {
    return this.#isCommissioned
  }

  get isUp(): boolean {
    return this.#process !== undefined
  }

  get isPaused(): boolean {
    return this.#process?.runtime.isPaused === true
  }

  /** True if the node believes that it leads. */
  get isLeading(): boolean {
    return this.core?.phase === 'leading'
  }

  /** Absent while the node is down, or reads its disk. */
  get core(): Node | undefined {
    return this.#process?.core
  }

  /** Absent while the node is down, or reads its disk. */
  get member(): HostedMember | undefined {
    return this.#process?.member
  }

  /** Absent while the node is down. */
  get application(): SimulatedApplication | undefined {
    return this.#process?.application
  }

  /** The process, if it runs and has read its disk: peers fetch checkpoints from it. */
  get checkpointSource(): SimulatedProcess | undefined {
    return this.member === undefined ? undefined : this.#process
  }

  /** Returns the progress of a directory, as this node knows it now, or will at its next start. */
  markOf(dataDirId: string): number {
    return this.core === undefined ? (this.#lastMarks.get(dataDirId) ?? 0) : (this.#process?.markOf(dataDirId) ?? 0)
  }

  get hasMoved(): boolean {
    return this.#moveCount > 0
  }

  onRelinked(peer: NodeId): void {
    this.#process?.onRelinked(peer)
  }

  /** Tells this node that a peer refuses it. */
  onRefused(by: NodeId, refusal: PeerRefusal): void {
    this.#process?.onRefused(by, refusal)
  }

  get appliedUpTo(): Slot {
    return this.#process?.appliedUpTo ?? 0
  }

  get disk(): SimulatedDisk {
    return this.#disk
  }

  /** The reason for which the node stopped for good: it does not start again. */
  get haltCode(): string | undefined {
    return this.#haltCode
  }

  /** True if the machine is never started again. */
  get isSwitchedOff(): boolean {
    return this.#isSwitchedOff
  }

  get hasLostDirectory(): boolean {
    return this.#directoryCount > 1
  }

  // --- starts, stops and faults ---------------------------------------------------------------------------------------------------------

  /** Puts a spare machine into use. */
  commission(): void {
    if (this.#isCommissioned) return
    this.#isCommissioned = true
    this.start()
  }

  /** Starts the process from the contents of the disk. No effect while it runs or has halted. */
  start(): void {
    if (!this.#isCommissioned || this.#isSwitchedOff) return
    // A node whose write has failed stops as soon as the failure is reported; if it is paused, when it wakes.
    if (this.#isStopping || (this.#process !== undefined && this.#disk.hasFailed)) this.#startsAgain = true
    if (this.#process !== undefined || this.#haltCode !== undefined) return
    const { trace } = this.#settings
    trace.tell({ kind: 'started', node: this.id })
    if (this.software.start()) trace.tell({ kind: 'note', text: `n${this.id} now runs the ${this.software.running} version` })
    this.#process = this.#newProcess()
    void this.#process.boot()
  }

  /** Allows the node to start again in spite of its halt. */
  forgetHalt(): void {
    this.#haltCode = undefined
  }

  /** Resolves, as an operator does, the failure at which the node has stopped. Must be awaited before the node starts. */
  async resolveApplyFailure(how: 'skip' | 'retry'): Promise<void> {
    if (this.#process !== undefined || this.#haltCode !== 'APPLY_FAILED')
      throw new Error(`node ${this.id} has not failed to apply`)
    await this.#newProcess().resolveApplyFailure(how)
    this.#haltCode = undefined
  }

  crash(): void {
    if (this.#process === undefined) return
    this.#settings.totals.count('crash')
    this.#settings.trace.tell({ kind: 'crashed', node: this.id })
    this.#end()
  }

  /** Switches the machine off for good. */
  switchOff(): void {
    this.#isSwitchedOff = true
    this.crash()
  }

  /** Stops the process as on request: it hands over, writes a last checkpoint, and is down. */
  stop(): void {
    const process = this.#process
    if (process === undefined || this.#isStopping) return
    this.#settings.trace.tell({ kind: 'stopAsked', node: this.id })
    this.#isStopping = true
    process.input((member) => void this.#stop(process, member))
  }

  /** Crashes between two steps, after this number of steps. */
  crashAfterSteps(steps: number): void {
    this.#process?.death.afterSteps(steps)
  }

  /** Crashes in the middle of the next write. */
  crashInWrite(): void {
    this.#process?.death.inWrite()
  }

  /** Cancels a planned crash. */
  spare(): void {
    this.#process?.death.cancel()
  }

  /** Pauses the process; arriving messages wait. See SimulatedRuntime.pause. */
  pause({ clockStops = false } = {}): void {
    if (this.#process === undefined || this.isPaused) return
    this.#process.runtime.pause({ clockStops })
    this.#settings.totals.count('pause')
    this.#settings.trace.tell({ kind: 'paused', node: this.id, clockStops })
  }

  wake(): void {
    if (!this.isPaused) return
    this.#settings.trace.tell({ kind: 'woke', node: this.id })
    this.#process?.runtime.wake()
  }

  /** Moves the node to other addresses. Its next start is given the current addresses of all members. */
  move(): void {
    // First of all: a node that was being stopped in order to restart starts as soon as it is down.
    this.#moveCount++
    this.#members = this.#settings.members()
    this.crash()
    this.#settings.totals.count('move')
    this.#settings.trace.tell({ kind: 'note', text: `n${this.id} is moved to ${this.addresses.peerAddress}` })
  }

  /** Replaces the machine's disk with an empty one. */
  loseDirectory(): void {
    this.crash()
    this.#disk = this.#newDisk()
    this.#lastMarks = new Map()
    this.#settings.totals.count('lostDirectory')
    this.#settings.trace.tell({ kind: 'directoryLost', node: this.id })
  }

  /** Puts the machine's disk back to an earlier copy. */
  putBack(copy: DirectoryCopy): void {
    this.crash()
    this.#disk.putBack(copy)
    if (!this.#disk.isOlderCopy) return
    this.#settings.checker.onOlderCopy(this.id)
    this.#settings.totals.count('olderCopy')
    this.#settings.trace.tell({ kind: 'note', text: `n${this.id} has an older copy of its data directory` })
  }

  /** Asks the leader to hand over. */
  handOver(): void {
    this.#settings.trace.tell({ kind: 'handOverAsked', node: this.id })
    this.#process?.input((member) => void member.handOver())
  }

  // --- inputs: lost on a node that is down ----------------------------------------------------------------------------------------

  receive(packet: SentPacket): void {
    if (this.#process !== undefined) return this.#process.receive(packet)
    const { sentStep, from, to, message } = packet
    this.#settings.trace.tell({ kind: 'ended', sentStep, from, to, message, fate: 'down' })
  }

  protected override get process(): SimulatedProcess | undefined {
    return this.#process
  }

  protected override onUnforeseen(error: unknown): void {
    // The error comes from a damaged record: the node stops with its next write.
    if (stopCodeOf(error) === 'DAMAGED' && this.#disk.wasCorrupted) return
    this.#settings.onBug(error instanceof Error ? error : new Error(String(error)))
  }

  #onSetAside(): void {
    this.#lastMarks = new Map()
    const { checker, totals, trace } = this.#settings
    totals.count('repairedDirectory')
    trace.tell({ kind: 'directorySetAside', node: this.id })
    checker.onDirectory(this.id, this.#disk.dataDirId)
  }

  #onStopped(error: Error): void {
    const { totals, trace, onBug } = this.#settings
    const code = stopCodeOf(error)
    if (this.#isForGood(code)) this.#haltCode = code
    // Found while it ran: at its next start it sets the directory aside.
    else if (code === 'DAMAGED' && this.#disk.wasCorrupted) totals.count('failedRead')
    else if (this.#disk.hasFailed) totals.count('failedWrite')
    // This version refuses what the next one has written or raised.
    else if (this.software.refuses(code)) {
      totals.count('refusedDowngrade')
      if (this.software.onRefused()) this.#startsAgain = true
    } else return onBug(error)
    trace.tell({ kind: 'halted', node: this.id, code, message: error.message })
    this.#end()
  }

  /** Returns true if the node stopped for a legitimate reason and must not start again before an operator acts. */
  #isForGood(code: string): boolean {
    const { checker } = this.#settings
    switch (code) {
      case 'DATA_DIR_MISMATCH':
        return this.hasLostDirectory
      case 'OLDER_COPY':
        return this.#disk.isOlderCopy
      case 'APPLY_FAILED':
        return this.#settings.mayFailToApply
      case 'NOT_A_MEMBER':
        return checker.isRemoved(this.id)
      case 'REMOVED':
        // The data on a disk that was never a member's is not needed.
        return this.#disk.contents.genesis === undefined ? checker.isRemoved(this.id) : checker.isDispensable(this.id)
      default:
        return false
    }
  }

  async #stop(process: SimulatedProcess, member: HostedMember): Promise<void> {
    process.finishStreams()
    await member.stop()
    if (this.#process !== process) return
    this.#settings.trace.tell({ kind: 'stopped', node: this.id })
    this.#end()
  }

  #end(): void {
    this.#lastMarks = new Map(this.#process?.marksOnDisk ?? this.#lastMarks)
    this.#process?.runtime.end()
    this.#process = undefined
    this.#disk.crash()
    this.#isStopping = false
    if (!this.#startsAgain) return
    this.#startsAgain = false
    this.start()
  }

  #newProcess(): SimulatedProcess {
    const { scheduler, turnMsMax } = this.#settings
    this.#members ??= this.#settings.members()
    return new SimulatedProcess(this.#settings, {
      members: this.#members,
      version: this.software.installed,
      disk: this.#disk,
      wallMs: () => Math.floor(EPOCH_MS + scheduler.nowMs + this.wallOffsetMs),
      turnMsMax: () => (this.isSlow ? Math.max(SLOW_TURN_MS, turnMsMax * SLOW_FACTOR) : turnMsMax),
      onDeath: () => this.crash(),
      onSetAside: () => this.#onSetAside(),
      onStopped: (error) => this.#onStopped(error),
    })
  }

  #newDisk(): SimulatedDisk {
    this.#directoryCount++
    const disk = this.#settings.parts.makeDisk({ ...this.#settings.disk, nodeId: this.id })
    this.#settings.checker.onDirectory(this.id, disk.dataDirId)
    return disk
  }
}
