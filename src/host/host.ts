import type { Logger } from 'pino'
import { NO_BALLOT } from '../paxos/ballot.js'
import type { Message } from '../paxos/messages.js'
import type { Node } from '../paxos/node.js'
import type { LogRequest, Outgoing, Ready } from '../paxos/outbox.js'
import { CATCH_UP_PAGES } from '../paxos/replica.js'
import type { Ballot, MembershipRecord, NodeId } from '../paxos/types.js'
import { TransferError } from '../protocol/checkpoint-transfer.js'
import type { CheckpointEnd, CheckpointHeader, IncomingCheckpoint, PreparedCheckpoint, Storage } from '../storage/storage.js'
import { StorageError } from '../storage/storage-error.js'
import type { Applier } from './applier.js'
import type { CheckpointWanted } from './checkpoint-receiver.js'
import { Checkpointer } from './checkpointer.js'
import { ApplyFailedError, HaltError } from './halt-error.js'
import type { LaggardHolds } from './laggard-holds.js'
import type { MajorityWatch } from './majority-watch.js'
import type { MembershipCalls } from './membership-calls.js'
import { isHostMessage, type PeerTalk } from './peer-talk.js'
import type { ReadIndexWaiters } from './read-index-waiters.js'
import type { Requester } from './requester.js'
import type { CallOff, Runtime } from './runtime.js'
import type { SessionDesk } from './session-desk.js'
import { StallClock } from './stall-clock.js'
import { TurnGauge } from './turn-gauge.js'

export { HaltError } from './halt-error.js'

/** The part of the transport that the host needs. */
interface Outlet {
  send(to: NodeId, message: Message): void
  flush(): void
}

export interface HostSettings {
  readonly node: Node
  readonly storage: Storage
  readonly runtime: Runtime
  readonly outlet: Outlet
  readonly talk: PeerTalk
  readonly applier: Applier
  readonly requester: Requester
  readonly desk: SessionDesk
  readonly readIndexWaiters: ReadIndexWaiters
  readonly membershipCalls: MembershipCalls
  /** Looked at with every tick of a node that takes part. */
  readonly watches: readonly { tick(nowMs: number): void }[]
  readonly majorityWatch: MajorityWatch
  readonly laggardHolds: LaggardHolds
  /** The core looks at the clock at least so often, in ms. */
  readonly tickIntervalMs: number
  /** One page of the log is read for a peer at a time, of about so many bytes. */
  readonly pageBytesMax: number
  /** Fills the state machine, and the applier, anew with the checkpoint that the storage holds: see installState. @throws StorageError */
  readonly reload: () => Promise<void>
  /** This node needs a checkpoint of a peer; told again as long as it does. */
  readonly onCheckpointWanted: (wanted: CheckpointWanted) => void
  /** Called once, when the cluster is formed or has been joined. */
  readonly onFormed: () => void
  /** Who the members are has changed, or will soon; called at the start, too, if there is a cluster. */
  readonly onMembershipsChanged: () => void
  /** 0 when none is heard any more. */
  readonly onLeaderChanged: (leaderId: NodeId) => void
  readonly logger: Logger
  /** Called once: the node has stopped and must not be used. */
  readonly onFailed: (error: Error) => void
}

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
  readonly #checkpointer: Checkpointer
  readonly #clock: StallClock
  readonly #turns: TurnGauge
  readonly #stopTicking: CallOff
  #isScheduled = false
  #isWriting = false
  /** No more writes are begun. */
  #isStopping = false
  #isStopped = false
  #isFormed = false
  #leaderId: NodeId = 0
  /** Of the last leader that was heard. */
  #leaderBallot: Ballot = NO_BALLOT
  /** The memberships that were last told of: the one that governs the first open slot, and the newest. */
  #toldMemberships: readonly [MembershipRecord, MembershipRecord | undefined] | undefined
  #nextWatermarkMs = 0
  /** Somebody wants a newer checkpoint than there is. */
  #isCheckpointAsked = false
  /**
   * none: nothing is being installed. coming: no checkpoint of one's own is begun. quiet: nothing reaches the core, what it has to
   * write is written, and then the disk gets another state. loading: memory follows, and what is decided waits.
   */
  #installing: 'none' | 'coming' | 'quiet' | 'loading' = 'none'
  /** Peers for whom the log is being read. */
  readonly #reading = new Set<NodeId>()
  #onIdle: (() => void)[] = []

  constructor(settings: HostSettings) {
    this.#s = settings
    this.#checkpointer = new Checkpointer({
      storage: settings.storage,
      applier: settings.applier,
      onPrepared: () => this.schedule(),
      onFailed: (error) => this.fail(error),
    })
    settings.node.compactedUpTo = settings.storage.compactedUpTo
    this.#clock = new StallClock(settings.runtime.nowMs())
    this.#turns = new TurnGauge(settings.runtime.nowMs())
    // When this turn's inputs are in: what others have said must be heard before their silence is judged.
    this.#stopTicking = settings.runtime.every(settings.tickIntervalMs, () => this.schedule())
    this.schedule()
  }

  /** `dataDirId`: what the sender said of itself. */
  receive(from: NodeId, messages: readonly Message[], dataDirId: string): void {
    if (this.#isStopped) return
    this.#guarded(() => {
      const { node, talk, applier, majorityWatch, runtime } = this.#s
      const takesInput = talk.isOpen && this.#installing !== 'quiet'
      const nowMs = runtime.nowMs()
      node.isFull = applier.isFull
      if (takesInput) node.advance(this.#clock.look(nowMs), nowMs)
      for (const message of messages) {
        if (message.kind === 'join') majorityWatch.onJoin(from, message, runtime.nowMs())
        if (isHostMessage(message)) talk.onMessage(from, message, dataDirId)
        else if (takesInput) node.receive(from, message)
      }
    })
    this.schedule()
  }

  /** There is something to do: once more this turn's inputs are in. */
  schedule(): void {
    if (this.#isScheduled || this.#isStopped) return
    this.#isScheduled = true
    this.#s.runtime.defer(() => {
      this.#isScheduled = false
      this.#drain()
    })
  }

  /** A checkpoint is made soon, if anything was applied since the last one. */
  askForCheckpoint(): void {
    this.#isCheckpointAsked = true
    this.schedule()
  }

  /**
   * Puts a peer's checkpoint in the place of this node's state: on disk at once, then in memory, while the core goes on. Whoever waits
   * goes on waiting.
   *
   * @throws RecordError when it is not whole, TransferError when it is of no use any more; the state is as before then
   */
  async install(incoming: IncomingCheckpoint, header: CheckpointHeader, end: CheckpointEnd): Promise<void> {
    const { node, storage, applier, reload } = this.#s
    this.#installing = 'coming'
    this.#checkpointer.hold()
    try {
      while (this.#checkpointer.isBusy && !this.#isStopped) await this.#untilIdle()
      this.#installing = 'quiet'
      await this.#writeOut()
      // What is read until the new state is there is the whole of an old one.
      if (applier.isMidSlot && !this.#isStopped) this.#guarded(() => applier.run(() => !applier.isMidSlot))
      if (this.#isStopped || this.#isStopping) throw new TransferError('UNREACHABLE', 'this node is stopping')
      if (node.decidedUpTo >= header.slot) throw new TransferError('NOT_FOUND', 'the node has caught up meanwhile')
      this.#isWriting = true
      await incoming.install(end)
      if (this.#isStopped) return
      // Nothing may come between: the core must not go on from what the disk holds no more.
      node.onCheckpointInstalled({ slot: header.slot, timeMs: header.timeMs, memberships: header.memberships })
      node.compactedUpTo = storage.compactedUpTo
      this.#installing = 'loading'
      this.#isWriting = false
      this.schedule()
      await reload()
      this.#checkpointer.onInstalled()
    } finally {
      this.#checkpointer.release()
      this.#installing = 'none'
      this.#isWriting = false
      this.#becomeIdle()
      this.schedule()
    }
  }

  /** Writes what is to be kept, the state of the machine included, and does nothing more. */
  async stop(): Promise<void> {
    this.#isStopping = true
    while (this.#isBusy && !this.#isStopped) await this.#untilIdle()
    const { applier } = this.#s
    if (applier.isMidSlot) this.#guarded(() => applier.run(() => !applier.isMidSlot))
    if (this.#isStopped) return
    this.#halt()
    try {
      await this.#writeRest()
      await this.#checkpointer.finish()
    } catch (error) {
      this.#s.onFailed(writeFailed(error))
    }
  }

  /** Stops at once, as at a failed write. */
  fail(error: Error): void {
    if (this.#isStopped) return
    this.#halt()
    this.#becomeIdle()
    this.#s.onFailed(error)
  }

  /** The records that are still to be written, by a node that does nothing more. What waits for them is not said. */
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
  async #failToApply(error: ApplyFailedError | StorageError): Promise<void> {
    this.#halt()
    try {
      // After whatever is being written.
      await this.#writeRest()
      if (error instanceof ApplyFailedError) await this.#s.storage.noteApplyFailure(error.failure)
    } catch (cause) {
      // The next start finds it out anew.
      this.#s.logger.error({ err: cause }, 'that the slot failed could not be written down')
    }
    this.#becomeIdle()
    this.#s.onFailed(error)
  }

  get #isBusy(): boolean {
    return this.#isWriting || this.#checkpointer.isBusy || this.#installing !== 'none'
  }

  /** Resolves when a write ends, one that waits for a checkpoint's preparation included, or an installation. */
  #untilIdle(): Promise<void> {
    return new Promise((resolve) => this.#onIdle.push(resolve))
  }

  #becomeIdle(): void {
    for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  #halt(): void {
    this.#isStopped = true
    this.#stopTicking()
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

  #drain(): void {
    if (!this.#isStopped) this.#guarded(() => this.#step())
  }

  #step(): void {
    const { node, outlet, talk, applier, requester, desk, readIndexWaiters, membershipCalls, majorityWatch, runtime } = this.#s
    const nowMs = runtime.nowMs()
    this.#turns.look(nowMs)
    requester.share = this.#turns.share
    requester.tick(nowMs)
    desk.tick(nowMs)
    readIndexWaiters.tick(nowMs)
    const takesInput = talk.isOpen && this.#installing !== 'quiet'
    membershipCalls.tick(nowMs, takesInput)
    talk.tick(nowMs)
    majorityWatch.tick(nowMs)
    for (const watch of this.#s.watches) watch.tick(nowMs)
    this.#s.laggardHolds.tick(nowMs)
    if (!takesInput) return outlet.flush()
    node.isFull = applier.isFull
    node.tick(this.#clock.look(nowMs), nowMs)
    if (node.leaderId !== this.#leaderId) {
      this.#leaderId = node.leaderId
      this.#s.onLeaderChanged(this.#leaderId)
    }
    // One that was not heard for a while, and is again, has lost nothing.
    if (node.leaderBallot !== NO_BALLOT && node.leaderBallot !== this.#leaderBallot) {
      this.#leaderBallot = node.leaderBallot
      requester.onLeaderChanged()
    }
    if (node.canPropose) requester.flush((commands, options) => node.propose(commands, options), nowMs)
    readIndexWaiters.flush((token) => node.readIndex(token))

    const diskIdle = !this.#isWriting && !this.#isStopping
    const checkpointDue = diskIdle && this.#isCheckpointDue
    if (diskIdle && (checkpointDue || this.#isWatermarkDue(nowMs))) node.persistDecidedUpTo()
    // Now: the decided slots that it reflects are in this step's write or an earlier one.
    if (checkpointDue) {
      this.#isCheckpointAsked = false
      this.#checkpointer.begin()
    }
    this.#carryOut(diskIdle)
    if (this.#isStopped) return
    // What is not saved is in memory: it must not grow faster than checkpoints are made.
    const isTimeUp = (): boolean => applier.isFarAhead || runtime.nowMs() - nowMs >= APPLY_BUDGET_MS
    if (applier.isMidSlot || !applier.isFarAhead) applier.run(isTimeUp)
    if (applier.isReadable) readIndexWaiters.onApplied(applier.appliedUpTo)
    const hasNew = requester.hasNew && node.canPropose
    if ((applier.hasQueued && !applier.isFarAhead) || hasNew || readIndexWaiters.hasGathered) this.schedule()
  }

  get #isCheckpointDue(): boolean {
    const { applier, storage } = this.#s
    if (!this.#checkpointer.canBegin || applier.isMidSlot) return false
    return this.#checkpointer.isDue || (this.#isCheckpointAsked && applier.appliedUpTo > storage.checkpoint.appliedUpTo)
  }

  /** Takes from the core what it wants done, and does it. True when there was something for the disk, or for afterwards. */
  #carryOut(diskIdle: boolean): boolean {
    const { node, outlet, applier, readIndexWaiters, membershipCalls, requester, runtime } = this.#s
    const prepared = this.#isWriting ? undefined : this.#checkpointer.take()
    const ready = node.ready({ diskIdle, wallMs: runtime.wallMs(), dueMs: applier.nextDeadlineMs })
    if (ready.halt !== undefined) {
      this.fail(new HaltError(ready.halt.code, ready.halt.message))
      return false
    }
    this.#send(ready.messages)
    // Before the write is begun, which takes a while: the others' disks are slower to answer than this one's.
    outlet.flush()
    for (const request of ready.logRequests) void this.#serveFromLog(request)
    const isForDisk = ready.records.length > 0 || prepared !== undefined
    if (isForDisk) this.#startWrite(ready, prepared)
    else if (ready.onceDurable.length > 0) {
      this.#onDurable(ready)
      outlet.flush()
      this.schedule()
    }

    this.#noteMemberships()
    applier.enqueue(ready.decided)
    readIndexWaiters.onGranted(ready.readIndexes)
    for (const pageId of ready.refusedPages) requester.onRefused(pageId, runtime.nowMs())
    if (ready.refusals.length > 0) membershipCalls.onRefusals(ready.refusals, runtime.nowMs())
    if (ready.checkpointWanted !== undefined && !this.#isStopping) this.#s.onCheckpointWanted(ready.checkpointWanted)
    return isForDisk || ready.onceDurable.length > 0
  }

  #noteMemberships(): void {
    const { node } = this.#s
    if (node.genesis === undefined) return
    if (!this.#isFormed) {
      this.#isFormed = true
      this.#s.onFormed()
    }
    const { memberships, knownMembership } = node
    if (memberships === undefined) return
    const { current } = memberships
    if (this.#toldMemberships?.[0] === current && this.#toldMemberships[1] === knownMembership) return
    this.#toldMemberships = [current, knownMembership]
    this.#s.onMembershipsChanged()
  }

  #isWatermarkDue(nowMs: number): boolean {
    if (nowMs < this.#nextWatermarkMs) return false
    this.#nextWatermarkMs = nowMs + WATERMARK_DELAY_MS
    return true
  }

  #send(messages: readonly Outgoing[]): void {
    for (const { to, message } of messages) this.#s.outlet.send(to, message)
  }

  /** The records are on disk (or there were none): what was said of them may leave, and counts here. */
  #onDurable(ready: Ready): void {
    for (const { to, message } of ready.onceDurable) this.#s.outlet.send(to, message)
    this.#s.node.onDurable(ready)
  }

  /** Nothing new comes in: writes all that the core still has to write. */
  async #writeOut(): Promise<void> {
    for (;;) {
      while (this.#isWriting && !this.#isStopped) await this.#untilIdle()
      if (this.#isStopped || this.#isStopping || !this.#carryOut(true)) return
    }
  }

  #startWrite(ready: Ready, prepared: PreparedCheckpoint | undefined): void {
    this.#isWriting = true
    this.#write(ready, prepared).catch((error: unknown) => this.fail(writeFailed(error)))
  }

  async #write(ready: Ready, prepared: PreparedCheckpoint | undefined): Promise<void> {
    const { node, storage, outlet } = this.#s
    if (ready.records.length > 0) await storage.append(ready.records)
    if (this.#isStopped) return
    this.#guarded(() => {
      this.#onDurable(ready)
      outlet.flush()
    })
    if (this.#isStopped) return
    if (prepared !== undefined) {
      this.schedule()
      await prepared.commit()
      this.#checkpointer.onCommitted()
    }
    node.compactedUpTo = storage.compactedUpTo
    this.#isWriting = false
    this.#becomeIdle()
    this.#drain()
  }

  async #serveFromLog({ to, fromSlot, toSlot }: LogRequest): Promise<void> {
    if (this.#reading.has(to)) return
    this.#reading.add(to)
    const { node, storage, outlet, laggardHolds, runtime, pageBytesMax } = this.#s
    laggardHolds.onAsked(to, { upTo: fromSlot - 1, decidedUpTo: node.decidedUpTo }, runtime.nowMs())
    try {
      let nextSlot = fromSlot
      for (let pages = 1, hasMore = true; hasMore; pages++) {
        const entries = await storage.readLog(nextSlot, toSlot, pageBytesMax)
        if (this.#isStopped) return
        nextSlot += entries.length
        hasMore = entries.length > 0 && nextSlot <= toSlot && pages < CATCH_UP_PAGES
        const { decidedUpTo, compactedUpTo } = { decidedUpTo: node.decidedUpTo, compactedUpTo: storage.compactedUpTo }
        outlet.send(to, { kind: 'catchUpReply', entries, decidedUpTo, compactedUpTo, hasMore })
        outlet.flush()
      }
    } catch (error) {
      this.fail(new Error('the log of the data directory cannot be read', { cause: error }))
    } finally {
      this.#reading.delete(to)
    }
  }
}

/** Never tried again (DESIGN.md, rule 6): what is on disk now, nobody knows. */
function writeFailed(cause: unknown): Error {
  const isFull = codesOf(cause).includes('ENOSPC')
  const what = isFull
    ? 'the disk of the data directory is full; the node stops. Free some space and start it again: nothing else is needed'
    : 'a write to the data directory failed; the node stops'
  return new Error(what, { cause })
}

/** Of the error and of what caused it. LevelDB tells the system's code only in its message. */
function codesOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const code = 'code' in error ? String(error.code) : ''
  const own = /no space left/i.test(error.message) ? `${code} ENOSPC` : code
  return `${own} ${codesOf(error.cause)}`
}
