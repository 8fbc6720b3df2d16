import type { Acceptor } from './acceptor.js'
import { Commanders } from './leader/commanders.js'
import { HandOver } from './leader/hand-over.js'
import { Heartbeats } from './leader/heartbeats.js'
import { Listeners } from './leader/listeners.js'
import { Pipeline } from './leader/pipeline.js'
import { Progress } from './leader/progress.js'
import { ProposalQueue } from './leader/proposal-queue.js'
import { ReadIndexRounds } from './leader/read-index-rounds.js'
import { Settlement } from './leader/settlement.js'
import type { LogClock } from './log-clock.js'
import { MembershipChanges, type MembershipRefusal } from './membership-changes.js'
import type { Memberships } from './memberships.js'
import type { Accepted, HeartbeatAck, Promised } from './messages.js'
import type { CoreOptions } from './options.js'
import type { Outbox } from './outbox.js'
import type { Replica } from './replica.js'
import type { Scout } from './scout.js'
import type { SettledEpoch } from './settled-epoch.js'
import type { Silences } from './silence.js'
import type { Ballot, MembershipChange, NodeId, Slot } from './types.js'
import type { WaitingRead } from './waiting-reads.js'
import type { Watermark } from './watermark.js'

interface Settings {
  readonly self: NodeId
  /** Has the promises of a majority, in its ballot. */
  readonly scout: Scout
  readonly memberships: Memberships
  readonly acceptor: Acceptor
  readonly replica: Replica
  readonly clock: LogClock
  readonly out: Outbox
  readonly options: CoreOptions
  readonly nowMs: number
  readonly settled: SettledEpoch
  readonly watermark: Pick<Watermark, 'durableUpTo'>
  readonly silences: Silences
}

/**
 * Owns a ballot that a majority has promised: gives commands slots, runs a commander for each, tells everybody what is decided, and
 * confirms that it still leads ("Paxos Made Moderately Complex", section 2.3, with the commanders' state of section 4.1 collocated).
 */
export class Leader {
  readonly ballot: Ballot
  readonly #memberships: Memberships
  readonly #replica: Replica
  readonly #progress: Progress
  readonly #changes: MembershipChanges
  readonly #pipeline: Pipeline
  readonly #queue: ProposalQueue
  readonly #settlement: Settlement
  readonly #handOver: HandOver
  readonly #listeners: Listeners
  readonly #readIndexRounds: ReadIndexRounds
  readonly #heartbeats: Heartbeats

  constructor(settings: Settings) {
    const { memberships, replica } = settings
    const s = { ...settings, ballot: settings.scout.ballot }
    this.ballot = s.ballot
    this.#memberships = memberships
    this.#replica = replica
    const progress = new Progress(s)
    const changes = new MembershipChanges(memberships, (nodeId) => progress.recentOf(nodeId))
    const pipeline = new Pipeline({ ...s, changes, commanders: new Commanders(s) })
    const listeners = new Listeners(s)
    const readIndexRounds = new ReadIndexRounds(memberships, s.self, s.out)
    this.#progress = progress
    this.#changes = changes
    this.#pipeline = pipeline
    this.#queue = new ProposalQueue({ ...s, pipeline })
    this.#settlement = new Settlement({ ...s, progress })
    this.#handOver = new HandOver({ ...s, progress })
    this.#listeners = listeners
    this.#readIndexRounds = readIndexRounds
    this.#heartbeats = new Heartbeats({ ...s, pipeline, progress, listeners, readIndexRounds })
  }

  get nextSlot(): Slot {
    return this.#pipeline.nextSlot
  }

  get inFlightCount(): number {
    return this.#pipeline.inFlightCount
  }

  /** How far each other member is, as it said last. */
  get progress(): ReadonlyMap<NodeId, Slot> {
    return this.#progress.decidedSlots
  }

  /**
   * A change has taken its vote away: somebody who votes should lead, once that is settled and everybody can know, or if it takes too long
   * to be.
   */
  get shouldResign(): boolean {
    return this.#handOver.isDue
  }

  /** Whether it has just asked another to lead. */
  get isHandingOver(): boolean {
    return this.#handOver.isUnderWay
  }

  /** Whether it has ever asked another to lead. */
  get hasHandedOver(): boolean {
    return this.#handOver.wasTried
  }

  /**
   * Proposes again what the scout found open, the highest ballot's value in each slot and a no-op in each gap, then a no-op of its own:
   * once that is decided, so is everything that anybody can have acknowledged before.
   */
  adopt(nowMs: number): void {
    this.#pipeline.proposeOpen(nowMs)
    // Commands wait for the clocks that come back with it.
    this.#heartbeats.send(nowMs)
  }

  /** Queues commands for the next slots. False when the queue is full, or another node was asked to lead: nothing was taken. */
  enqueue(commands: readonly Uint8Array[]): boolean {
    return !this.isHandingOver && this.#queue.add(commands)
  }

  /**
   * Gives slots to what is queued, as far as the window is open. Called when the disk is idle: what came meanwhile is one batch.
   * `wallMs`: this node's wall clock. `dueMs`: from this log time on something is due by itself, and a slot without commands will do.
   */
  proposeQueued(wallMs: number, nowMs: number, dueMs?: number): void {
    this.#queue.propose(wallMs, nowMs, dueMs)
  }

  /**
   * Proposes a change of the membership, if it may be one: at most one is not in force. Gives the reason if not; undefined also for a
   * change that is proposed already, or that has been made.
   */
  changeMembership(change: MembershipChange, nowMs: number): MembershipRefusal | undefined {
    const { decidedUpTo } = this.#replica
    const refusal = this.#changes.refusalOf(change, { decidedUpTo, nextSlot: this.#pipeline.nextSlot })
    if (refusal !== undefined || this.#changes.isUnderWay(change) || this.#changes.isMade(change)) return refusal
    if (!this.#pipeline.mayProposeOwn()) {
      return { reason: 'CHANGE_IN_PROGRESS', message: 'the leader is still taking over; try again' }
    }
    this.#pipeline.propose(Object.freeze({ kind: 'membership', epoch: this.#memberships.latest.epoch + 1, change }), nowMs)
    return undefined
  }

  /** A read that has just arrived, of this node's or of a follower's. */
  readIndex(from: NodeId, id: number): void {
    this.#readIndexRounds.add(from, id)
  }

  /** It leads no more: the reads that it has not answered are for the next leader. */
  takeReads(): readonly WaitingRead[] {
    return this.#readIndexRounds.takeAll()
  }

  /**
   * Asks a follower heard of late to lead, that one or (0) the most advanced, and takes no commands for an election timeout: if it leads
   * on by then, the message or the follower was lost. False when there is nobody to ask.
   */
  handOver(to: NodeId = 0): boolean {
    return this.#handOver.start(to)
  }

  onPromise(from: NodeId, m: Promised, nowMs: number): void {
    this.#pipeline.onPromise(from, m, nowMs)
  }

  onAccepted(from: NodeId, m: Accepted): void {
    this.#pipeline.onAccepted(from, m)
  }

  onHeartbeatAck(from: NodeId, m: HeartbeatAck, nowMs: number): void {
    if (m.ballot !== this.ballot) return
    this.#progress.onAck(from, m, nowMs)
    this.#noteSettled()
    this.#readIndexRounds.onAck(from, m.round)
  }

  /** The replica learned slots from a peer: proposed again here, but decided long ago. */
  onLearned(): void {
    this.#pipeline.onLearned()
  }

  /** A change was decided, or has come into force. */
  onMembershipChanged(): void {
    this.#listeners.onMembershipChanged()
    this.#progress.onMembershipChanged()
    this.#pipeline.onMembershipChanged()
    this.#readIndexRounds.onMembershipChanged()
  }

  /** Heartbeats, retries. False when no majority has been heard for too long: the leader must step down. */
  tick(nowMs: number): boolean {
    this.#progress.tick(nowMs)
    if (!this.#progress.hearsMajority()) {
      this.#progress.noteSilences()
      return false
    }
    this.#noteSettled()
    this.#handOver.tick(nowMs)
    this.#heartbeats.tick(nowMs)
    this.#pipeline.tick(nowMs)
    const returning = this.#changes.nextReturning(this.#replica.decidedUpTo)
    if (returning !== undefined) this.changeMembership({ kind: 'promote', nodeId: returning }, nowMs)
    return true
  }

  /** Last of all before a Ready is taken. */
  flush(nowMs: number): void {
    this.#pipeline.fillUpToChange(nowMs)
    this.#heartbeats.flush(nowMs)
  }

  #noteSettled(): void {
    // Whoever waits for it hears so at once.
    if (this.#settlement.update()) this.#heartbeats.hurry(this.#progress.tickedMs)
  }
}
