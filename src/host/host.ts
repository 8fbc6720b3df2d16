import type { Message } from '../paxos/messages.js'
import type { NodeId } from '../paxos/types.js'
import { NO_REMEDIES } from '../remedy.js'
import type { CheckpointEnd, CheckpointHeader, IncomingCheckpoint } from '../storage/storage.js'
import { StorageError } from '../storage/storage-error.js'
import { CheckpointInstall } from './checkpoint/checkpoint-install.js'
import { Checkpointer } from './checkpoint/checkpointer.js'
import { CoreChanges } from './core-changes.js'
import { CoreReport } from './core-report.js'
import { DiskWriter } from './disk-writer.js'
import { DrainSchedule } from './drain-schedule.js'
import { ApplyFailedError, HaltError, UnsupportedLevelError } from './halt-error.js'
import { type HostListener, type HostSettings, NO_LISTENER } from './host-settings.js'
import { LogServer } from './log-server.js'
import { isHostMessage } from './peers/peer-talk.js'
import { ReportingOutlet } from './reporting-outlet.js'
import { StallClock } from './watches/stall-clock.js'
import { writeFailure } from './write-failure.js'

export const DEFAULT_TICK_INTERVAL_MS = 10
/** Applying gives way to the network after this long: what has been applied is answered while the next slots are applied. */
const APPLY_BUDGET_MS = 1
/** The watermark of an idle node goes to disk by itself after this long. */
const WATERMARK_DELAY_MS = 1_000

/**
 * Carries out what the core wants done, in the real world (the duties are listed at the head of paxos/node.ts). Inputs only mark that
 * there is something to do; a drain at the end of the event loop's turn takes them all. One write is in flight at a time, and what
 * arrives meanwhile forms the next: group commit.
 */
export class Host {
  readonly #s: HostSettings
  readonly #clock: StallClock
  readonly #drains: DrainSchedule
  readonly #checkpointer: Checkpointer
  readonly #disk: DiskWriter
  readonly #install: CheckpointInstall
  readonly #logServer: LogServer
  readonly #changes: CoreChanges
  #listener: HostListener = NO_LISTENER
  /** stopping: no more writes are begun. */
  #phase: 'running' | 'stopping' | 'stopped' = 'running'
  #nextWatermarkMs = 0

  constructor(settings: HostSettings) {
    const { node, storage, runtime, applier, tickIntervalMs } = settings
    const onFailed = (error: Error): void => this.fail(error)
    const schedule = (): void => this.schedule()
    const report = settings.observer && new CoreReport(node, settings.observer)
    this.#s = report ? { ...settings, outlet: new ReportingOutlet(settings.outlet, report) } : settings
    node.compactedUpTo = storage.compactedUpTo
    this.#clock = new StallClock(runtime.nowMs())
    this.#drains = new DrainSchedule({ runtime, tickIntervalMs, drain: () => this.#drain() })
    this.#checkpointer = new Checkpointer({ storage, applier, onPrepared: schedule, onFailed })
    const checkpointer = this.#checkpointer
    this.#disk = new DiskWriter({
      ...this.#s,
      checkpointer,
      isStopped: () => this.#isStopped,
      guarded: (work) => this.#guarded(work),
      schedule,
      onWritten: () => this.#drain(),
      onFailed,
    })
    this.#install = new CheckpointInstall({
      ...settings,
      checkpointer,
      disk: this.#disk,
      phase: () => this.#phase,
      writeOut: () => this.#writeOut(),
      finishSlot: () => this.#finishSlot(),
      schedule,
    })
    this.#logServer = new LogServer({ ...this.#s, isStopped: () => this.#isStopped, onFailed })
    this.#changes = new CoreChanges(node, report)
  }

  /** Goes to work. */
  start(listener: HostListener): void {
    this.#listener = listener
    this.#changes.report()
    this.#drains.start()
  }

  /** `dataDirId`: what the sender said of itself. */
  receive(from: NodeId, messages: readonly Message[], dataDirId: string): void {
    if (this.#phase === 'stopped') return
    this.#guarded(() => {
      const { node, talk, applier, majorityWatch, runtime } = this.#s
      const takesInput = talk.isOpen && !this.#install.isQuiet
      const nowMs = runtime.nowMs()
      node.isFull = applier.isFull
      if (takesInput) node.advance(this.#clock.look(nowMs), nowMs)
      for (const message of messages) {
        if (message.kind === 'join') majorityWatch.onJoin(from, message, runtime.nowMs())
        if (isHostMessage(message)) talk.onMessage(from, message, dataDirId)
        else if (takesInput) node.receive(from, message)
      }
      this.#changes.report()
    })
    this.schedule()
  }

  /** There is something to do: once more this turn's inputs are in. */
  schedule(): void {
    this.#drains.request()
  }

  /** A checkpoint is made soon, if anything was applied since the last one. */
  askForCheckpoint(): void {
    this.#checkpointer.ask()
    this.schedule()
  }

  /**
   * Puts a peer's checkpoint in the place of this node's state. Whoever waits goes on waiting.
   *
   * @throws RecordError when it is not whole, TransferError when it is of no use any more; the state is as before then
   */
  install(incoming: IncomingCheckpoint, header: CheckpointHeader, end: CheckpointEnd): Promise<void> {
    return this.#install.run(incoming, header, end)
  }

  /** Writes what is to be kept, the state of the machine included, and does nothing more. */
  async stop(): Promise<void> {
    if (this.#phase === 'running') this.#phase = 'stopping'
    while (this.#isBusy && !this.#isStopped) await this.#disk.untilFree()
    this.#finishSlot()
    if (this.#isStopped) return
    this.#halt()
    try {
      await this.#writeRest()
      await this.#checkpointer.finish()
    } catch (error) {
      this.#listener.onFailed(writeFailure(error))
    }
  }

  /** Stops at once, as at a failed write. */
  fail(error: Error): void {
    if (this.#isStopped) return
    if (error instanceof UnsupportedLevelError) return void this.#failToApply(error)
    this.#halt()
    this.#disk.wake()
    this.#listener.onFailed(error)
  }

  /** Writes the remaining records of a node that does nothing more. Messages that depend on them are not sent. */
  async #writeRest(): Promise<void> {
    const { node, storage, runtime } = this.#s
    node.persistDecidedUpTo()
    const { records } = node.ready({ diskIdle: true, wallMs: runtime.wallMs() })
    if (records.length > 0) await storage.append(records)
  }

  /**
   * Stops at once; the disk knows the slot to be decided before anybody hears of it. So the next start does not go beyond it: it says again
   * what failed, or, where it is this disk that has lost what the slot needs, meets the damage while it can still do something about it.
   */
  async #failToApply(error: ApplyFailedError | UnsupportedLevelError | StorageError): Promise<void> {
    this.#halt()
    try {
      // After whatever is being written.
      await this.#writeRest()
      if (error instanceof ApplyFailedError) await this.#s.storage.noteApplyFailure(error.failure)
      if (error instanceof UnsupportedLevelError) await this.#s.storage.noteUnsupportedLevel(error.raised)
    } catch (cause) {
      // The next start finds it out anew.
      this.#s.logger.error({ err: cause }, 'the reason of the stop could not be written to disk')
    }
    this.#disk.wake()
    this.#listener.onFailed(error)
  }

  get #isStopped(): boolean {
    return this.#phase === 'stopped'
  }

  get #isBusy(): boolean {
    return this.#disk.isWriting || this.#checkpointer.isBusy || this.#install.isBusy
  }

  #halt(): void {
    this.#phase = 'stopped'
    this.#drains.stop()
  }

  /** A broken invariant, or a bug, stops the node: it must not go on with a state that nobody foresaw. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      const isOfSlot = error instanceof ApplyFailedError || (error instanceof StorageError && error.code === 'DAMAGED')
      if (isOfSlot && !this.#isStopped) void this.#failToApply(error)
      else this.fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #finishSlot(): void {
    const { applier } = this.#s
    if (applier.isMidSlot) this.#guarded(() => applier.run(() => !applier.isMidSlot))
  }

  #drain(): void {
    if (this.#isStopped) return
    const { observer, runtime } = this.#s
    const beganMs = observer === undefined ? 0 : runtime.nowMs()
    this.#guarded(() => this.#step())
    observer?.duration('drain', runtime.nowMs() - beganMs)
  }

  #step(): void {
    const { node, outlet, talk, applier, requester, desk, readIndexWaiters, membershipCalls, watches, runtime } = this.#s
    const nowMs = runtime.nowMs()
    requester.tick(nowMs)
    desk.tick(nowMs)
    readIndexWaiters.tick(nowMs)
    const takesInput = talk.isOpen && !this.#install.isQuiet
    membershipCalls.tick(nowMs, takesInput)
    talk.tick(nowMs)
    watches.tick(nowMs)
    if (!takesInput) return outlet.flush()
    node.isFull = applier.isFull
    node.tick(this.#clock.look(nowMs), nowMs)
    if (this.#changes.noteLeader(this.#listener)) requester.onLeaderChanged()
    if (node.canPropose) requester.flush((commands, options) => node.propose(commands, options), nowMs)
    readIndexWaiters.flush((token) => node.readIndex(token))

    const diskIdle = !this.#disk.isWriting && this.#phase === 'running'
    const checkpointDue = diskIdle && this.#checkpointer.isDue
    if (diskIdle && (checkpointDue || this.#isWatermarkDue(nowMs))) node.persistDecidedUpTo()
    // Now: the decided slots that it reflects are in this step's write or an earlier one.
    if (checkpointDue) this.#checkpointer.begin()
    this.#carryOut(diskIdle)
    if (this.#isStopped) return
    // What is not saved is in memory: it must not grow faster than checkpoints are made.
    const isTimeUp = (): boolean => applier.isFarAhead || runtime.nowMs() - nowMs >= APPLY_BUDGET_MS
    if (applier.isMidSlot || !applier.isFarAhead) this.#apply(isTimeUp)
    if (applier.isReadable) readIndexWaiters.onApplied(applier.appliedUpTo)
    const hasNew = requester.hasNew && node.canPropose
    if ((applier.hasQueued && !applier.isFarAhead) || hasNew || readIndexWaiters.hasGathered) this.schedule()
  }

  #apply(isTimeUp: () => boolean): void {
    const { applier, observer, runtime } = this.#s
    const beganMs = observer === undefined || !applier.hasQueued ? Number.NaN : runtime.nowMs()
    applier.run(isTimeUp)
    if (beganMs >= 0) observer?.duration('apply', runtime.nowMs() - beganMs)
  }

  /** Takes from the core what it wants done, and does it. True when there was something for the disk, or for afterwards. */
  #carryOut(diskIdle: boolean): boolean {
    const { node, outlet, applier, readIndexWaiters, membershipCalls, requester, runtime } = this.#s
    const prepared = this.#disk.isWriting ? undefined : this.#checkpointer.take()
    const ready = node.ready({ diskIdle, wallMs: runtime.wallMs(), nextDeadlineMs: applier.nextDeadlineMs })
    if (ready.halt !== undefined) {
      const { code, message, remedy } = ready.halt
      this.fail(new HaltError(code, message, { remedies: remedy === undefined ? NO_REMEDIES : [remedy] }))
      return false
    }
    for (const { to, message } of ready.messages) outlet.send(to, message)
    // Before the write is begun, which takes a while: the others' disks are slower to answer than this one's.
    outlet.flush()
    for (const request of ready.logRequests) void this.#logServer.serve(request)
    const isForDisk = ready.records.length > 0 || prepared !== undefined
    if (isForDisk) this.#disk.start(ready, prepared)
    else if (ready.onceDurable.length > 0) {
      this.#disk.onDurable(ready)
      this.schedule()
    }

    this.#changes.noteMemberships(this.#listener)
    applier.enqueue(ready.decided)
    readIndexWaiters.onGranted(ready.readIndexes)
    for (const pageId of ready.refusedPages) requester.onRefused(pageId, runtime.nowMs())
    if (ready.refusals.length > 0) membershipCalls.onRefusals(ready.refusals, runtime.nowMs())
    if (ready.checkpointWanted !== undefined && this.#phase === 'running') {
      this.#listener.onCheckpointWanted(ready.checkpointWanted)
    }
    return isForDisk || ready.onceDurable.length > 0
  }

  #isWatermarkDue(nowMs: number): boolean {
    if (nowMs < this.#nextWatermarkMs) return false
    this.#nextWatermarkMs = nowMs + WATERMARK_DELAY_MS
    return true
  }

  /** Nothing new comes in: writes all that the core still has to write. */
  async #writeOut(): Promise<void> {
    for (;;) {
      while (this.#disk.isWriting && !this.#isStopped) await this.#disk.untilFree()
      if (this.#phase !== 'running' || !this.#carryOut(true)) return
    }
  }
}
