import type { Acceptor } from './acceptor.js'
import type { CoreOptions } from './core-options.js'
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
  /** A scout with the promises of a majority: the leader takes its ballot. */
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
 * Owns a ballot that a majority has promised: assigns commands to slots, runs a commander for each slot, announces decisions, and
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

  /** The decided slots of each other member, as it has reported last. */
  get progress(): ReadonlyMap<NodeId, Slot> {
    return this.#progress.decidedSlots
  }

  /**
   * True when a change has taken the leader's vote away and a voter should lead: once the change is settled, or if that takes too long.
   */
  get shouldResign(): boolean {
    return this.#handOver.isDue
  }

  /** True while the node that was asked to lead has time to do so: no commands are taken. */
  get isHandingOver(): boolean {
    return this.#handOver.isUnderWay
  }

  /** True when another node was ever asked to lead. */
  get hasHandedOver(): boolean {
    return this.#handOver.wasTried
  }

  /**
   * Proposes the open slots again, with the value of the highest ballot that the scout has found, or a no-op in a gap; then a no-op of its
   * own. When that one is decided, every value that can have been acknowledged before is decided, too.
   */
  adopt(nowMs: number): void {
    this.#pipeline.proposeOpen(nowMs)
    // Commands wait for the clocks in the acknowledgements.
    this.#heartbeats.send(nowMs)
  }

  /** Queues commands for the next slots: all, or none (false) when the queue is full or another node was asked to lead. */
  enqueue(commands: readonly Uint8Array[]): boolean {
    return !this.isHandingOver && this.#queue.add(commands)
  }

  /**
   * Assigns queued commands to slots, as far as the window is open. Called when the disk is idle: commands that came during the last
   * write are one batch. `wallMs`: this node's wall clock. `nextDeadlineMs`: the log time of the state machine's next deadline; when it has come,
   * a slot without commands is proposed, if no other slot is.
   */
  proposeQueued(wallMs: number, nowMs: number, nextDeadlineMs?: number): void {
    this.#queue.propose(wallMs, nowMs, nextDeadlineMs)
  }

  /**
   * Proposes a change of the membership, unless another one is not in force yet or it is refused for another reason, which is returned.
   * Returns undefined also for a change that is already proposed or made.
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

  /** Takes a read that has just arrived, from this node or from a follower. */
  readIndex(from: NodeId, id: number): void {
    this.#readIndexRounds.add(from, id)
  }

  /** Removes and returns the unanswered reads: this node leads no more, and the next leader must answer them. */
  takeReads(): readonly WaitingRead[] {
    return this.#readIndexRounds.takeAll()
  }

  /**
   * Asks a recently heard follower to lead, the given one or (0) the most advanced, and takes no commands for an election timeout. If this
   * node still leads after that, the message or the follower was lost. False when there is no follower to ask.
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

  /** The replica has learned slots from a peer: commanders for these are not needed any more. */
  onLearned(): void {
    this.#pipeline.onLearned()
  }

  /** A membership change was decided, or has come into force. */
  onMembershipChanged(): void {
    this.#listeners.onMembershipChanged()
    this.#progress.onMembershipChanged()
    this.#pipeline.onMembershipChanged()
    this.#readIndexRounds.onMembershipChanged()
  }

  /** Sends heartbeats and retries. False when no majority has been heard for too long: the leader must step down. */
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

  /** Called last before a Ready is taken. */
  flush(nowMs: number): void {
    this.#pipeline.fillUpToChange(nowMs)
    this.#heartbeats.flush(nowMs)
  }

  #noteSettled(): void {
    // Nodes that wait for it are told at once.
    if (this.#settlement.update()) this.#heartbeats.hurry(this.#progress.tickedMs)
  }
}
