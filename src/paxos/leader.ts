import type { Acceptor } from './acceptor.js'
import { assert } from './assert.js'
import { Commander } from './commander.js'
import type { ClockReport, LogClock } from './log-clock.js'
import type { Membership } from './membership.js'
import { MembershipChanges } from './membership-changes.js'
import type { Memberships } from './memberships.js'
import type { Accept, Accepted, HeartbeatAck, Promised } from './messages.js'
import type { CoreOptions } from './options.js'
import type { Outbox } from './outbox.js'
import type { WaitingRead } from './read-index-requests.js'
import { ReadIndexRounds } from './read-index-rounds.js'
import type { Replica } from './replica.js'
import type { Scout } from './scout.js'
import type { Silence } from './silence.js'
import { type Ballot, type LogEntry, type MembershipChange, NOOP, type NodeId, type Slot, type Value } from './types.js'

/** A batch is not cut to fewer than so many: a slot has its price, too. */
const BATCH_COMMANDS_LEAST = 64
/** Slots without commands are at least so far apart: what is due may be much, and is done in parts. */
const PULSE_INTERVAL_MS = 5
const NO_COMMANDS: readonly Uint8Array[] = Object.freeze([])

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
  /** As in Node; of what was settled before. */
  readonly settledEpoch: number
  /** By this node's own disk. */
  readonly durableUpTo: () => Slot
  /** Of that other node: outlives a ballot. */
  readonly silenceOf: (nodeId: NodeId) => Silence
}

/**
 * Owns a ballot that a majority has promised: gives commands slots, runs a commander for each, tells everybody what is decided, and
 * confirms that it still leads ("Paxos Made Moderately Complex", section 2.3, with the commanders' state of section 4.1 collocated).
 */
export class Leader {
  readonly ballot: Ballot
  readonly #self: NodeId
  readonly #scout: Scout
  readonly #memberships: Memberships
  readonly #acceptor: Acceptor
  readonly #replica: Replica
  readonly #out: Outbox
  readonly #options: CoreOptions
  readonly #readIndexRounds: ReadIndexRounds
  /** One for each slot above decidedUpTo that has been proposed. */
  readonly #commanders = new Map<Slot, Commander>()
  /** Of the commanders' values. */
  #inFlightBytes = 0
  #nextSlot: Slot
  /** The first slot that is wholly this ballot's own; 0 before it is proposed. */
  #firstOwn: Slot = 0
  readonly #changes: MembershipChanges
  #queue: Uint8Array[] = []
  #queueBytes = 0
  readonly #clock: LogClock
  #nextHeartbeatMs: number
  #tickedMs: number
  #announcedUpTo: Slot = 0
  readonly #lastAckMs = new Map<NodeId, number>()
  readonly #silenceOf: (nodeId: NodeId) => Silence
  readonly #decidedUpToOf = new Map<NodeId, Slot>()
  readonly #ownDurableUpTo: () => Slot
  /** How far the disks of the others are, as they said last. */
  readonly #durableUpToOf = new Map<NodeId, Slot>()
  #settledEpoch: number
  /** Voters and learners. */
  #others: readonly NodeId[]
  /** Members no more, but not told yet that this is settled: they hear the leader on. */
  #leaving: readonly NodeId[] = []
  /** Since when it does not vote any more. */
  #votelessSinceMs: number | undefined
  #latest: Membership
  /** When to ask those again whose promise is needed for slots to come. */
  #promiseRetryMs = 0
  /** Takes no commands until then: somebody else was asked to lead. */
  #handOverEndsMs = Number.NEGATIVE_INFINITY
  #nextPulseMs = 0

  constructor(settings: Settings) {
    this.#self = settings.self
    this.#scout = settings.scout
    this.ballot = settings.scout.ballot
    this.#memberships = settings.memberships
    this.#others = settings.memberships.othersThan(settings.self)
    this.#latest = settings.memberships.latest
    this.#settledEpoch = settings.settledEpoch
    this.#ownDurableUpTo = settings.durableUpTo
    this.#silenceOf = settings.silenceOf
    this.#acceptor = settings.acceptor
    this.#replica = settings.replica
    this.#out = settings.out
    this.#options = settings.options
    this.#readIndexRounds = new ReadIndexRounds(settings.memberships, settings.self, settings.out)
    this.#changes = new MembershipChanges(settings.memberships, (nodeId) => this.#progressOf(nodeId))
    this.#nextSlot = settings.replica.decidedUpTo + 1
    this.#clock = settings.clock
    this.#nextHeartbeatMs = settings.nowMs
    this.#tickedMs = settings.nowMs
    for (const nodeId of [settings.self, ...this.#others]) this.#lastAckMs.set(nodeId, settings.nowMs)
  }

  get nextSlot(): Slot {
    return this.#nextSlot
  }

  get inFlightCount(): number {
    return this.#commanders.size
  }

  /**
   * Proposes again what the scout found open, the highest ballot's value in each slot and a no-op in each gap, then a no-op of its own:
   * once that is decided, so is everything that anybody can have acknowledged before.
   */
  adopt(nowMs: number): void {
    this.#proposeOpen(nowMs)
    // Commands wait for the clocks that come back with it.
    this.#heartbeat(nowMs)
  }

  /** A promise that came after the majority's: it may be the one that is needed for slots which another membership governs. */
  onPromise(from: NodeId, m: Promised, nowMs: number): void {
    if (!this.#scout.onPromise(from, m)) return
    this.#replica.noteDecided(from, m.decidedUpTo, nowMs)
    this.#proposeOpen(nowMs)
  }

  /** A change was decided, or has come into force. */
  onMembershipChanged(): void {
    const others = this.#memberships.othersThan(this.#self)
    const gone = [...this.#leaving, ...this.#others].filter((nodeId) => !others.includes(nodeId))
    this.#leaving = gone
    this.#others = others
    // What a former life of a member has said of its progress says nothing of the one that learns now.
    const { latest } = this.#memberships
    for (const { nodeId, dataDirId } of latest.members) {
      if (this.#latest.member(nodeId)?.dataDirId === dataDirId) continue
      this.#decidedUpToOf.delete(nodeId)
      this.#durableUpToOf.delete(nodeId)
    }
    this.#latest = latest
    this.#promiseRetryMs = 0
    this.#readIndexRounds.onMembershipChanged()
  }

  /** Queues commands for the next slots. False when the queue is full: nothing was taken. */
  enqueue(commands: readonly Uint8Array[]): boolean {
    if (this.isHandingOver) return false
    if (this.#queue.length + commands.length > this.#options.queueCommandsMax) return false
    let bytes = 0
    for (const command of commands) bytes += command.length
    if (this.#queueBytes > 0 && this.#queueBytes + bytes > this.#options.queueBytesMax) return false
    for (const command of commands) this.#queue.push(command)
    this.#queueBytes += bytes
    return true
  }

  /**
   * Gives slots to what is queued, as far as the window is open. Called when the disk is idle: what came meanwhile is one batch.
   * `wallMs`: this node's wall clock. `dueMs`: from this log time on something is due by itself, and a slot without commands will do.
   */
  proposeQueued(wallMs: number, nowMs: number, dueMs?: number): void {
    this.#clock.onHeard(this.#self, wallMs)
    if (!this.#clock.isSet) return
    while (this.#queue.length > 0 && this.#mayProposeOwn()) {
      this.#propose(Object.freeze({ kind: 'batch', timeMs: this.#clock.take(), commands: this.#nextBatch() }), nowMs)
    }
    if (dueMs !== undefined) this.#maybePulse(dueMs, nowMs)
  }

  /** Not while anything is under way: that brings time, too. */
  #maybePulse(dueMs: number, nowMs: number): void {
    if (this.#commanders.size > 0 || nowMs < this.#nextPulseMs || this.#clock.timeMs < dueMs || !this.#mayProposeOwn()) return
    this.#nextPulseMs = nowMs + PULSE_INTERVAL_MS
    this.#propose(Object.freeze({ kind: 'batch', timeMs: this.#clock.take(), commands: NO_COMMANDS }), nowMs)
  }

  /**
   * Proposes a change of the membership, if it may be one: at most one is not in force. Gives the reason if not; undefined also for a
   * change that is proposed already, or that has been made.
   */
  changeMembership(change: MembershipChange, nowMs: number): ReturnType<MembershipChanges['refusalOf']> {
    const refusal = this.#changes.refusalOf(change, { decidedUpTo: this.#replica.decidedUpTo, nextSlot: this.#nextSlot })
    if (refusal !== undefined || this.#changes.isUnderWay(change) || this.#changes.isMade(change)) return refusal
    if (!this.#mayProposeOwn()) {
      return { reason: 'CHANGE_IN_PROGRESS', message: 'the leader is still taking over; try again' }
    }
    this.#propose(Object.freeze({ kind: 'membership', epoch: this.#memberships.latest.epoch + 1, change }), nowMs)
    return undefined
  }

  /** What a value that is proposed now would say; 0 while the clocks of a majority are not known. */
  get logTimeMs(): number {
    return this.#clock.isSet ? this.#clock.timeMs : 0
  }

  get clockReport(): ClockReport {
    return this.#clock.report
  }

  /** How far each other member is, as it said last. */
  get progress(): ReadonlyMap<NodeId, Slot> {
    return this.#decidedUpToOf
  }

  onAccepted(from: NodeId, m: Accepted): void {
    if (m.ballot !== this.ballot) return
    const commander = this.#commanders.get(m.slot)
    if (commander === undefined) return
    commander.accepted.add(from)
    this.#decideInOrder()
  }

  /** The replica learned slots from a peer: proposed again here, but decided long ago. */
  onLearned(): void {
    for (const commander of this.#commanders.values()) if (commander.slot <= this.#replica.decidedUpTo) this.#drop(commander)
    this.#nextSlot = Math.max(this.#nextSlot, this.#replica.decidedUpTo + 1)
    this.#decideInOrder()
  }

  onHeartbeatAck(from: NodeId, m: HeartbeatAck, nowMs: number): void {
    if (m.ballot !== this.ballot) return
    this.#noteSilence(from, nowMs)
    this.#lastAckMs.set(from, nowMs)
    this.#clock.onHeard(from, m.wallMs)
    this.#decidedUpToOf.set(from, m.decidedUpTo)
    this.#durableUpToOf.set(from, m.durableUpTo)
    this.#noteSettled()
    this.#readIndexRounds.onAck(from, m.round)
  }

  /** A read that has just arrived, of this node's or of a follower's. */
  readIndex(from: NodeId, id: number): void {
    this.#readIndexRounds.add(from, id)
  }

  /** It leads no more: the reads that it has not answered are for the next leader. */
  takeReads(): readonly WaitingRead[] {
    return this.#readIndexRounds.takeAll()
  }

  /** Heartbeats, retries. False when no majority has been heard for too long: the leader must step down. */
  tick(nowMs: number): boolean {
    this.#tickedMs = nowMs
    if (!this.#hearsMajority(nowMs)) {
      // Whoever leads next, if it is this node again, is more patient with those that may only be slow.
      for (const nodeId of this.#others) this.#noteSilence(nodeId, nowMs)
      return false
    }
    this.#noteSettled()
    if (!this.#isVoteless) this.#votelessSinceMs = undefined
    else this.#votelessSinceMs ??= nowMs
    if (nowMs >= this.#nextHeartbeatMs) this.#heartbeat(nowMs)
    for (const commander of this.#commanders.values()) {
      if (commander.isDecided || nowMs < commander.retryAtMs) continue
      commander.onRetry(nowMs, this.#options.retryDelayMs)
      this.#sendAccept(commander, (nodeId) => !commander.accepted.has(nodeId))
    }
    this.#proposeOpen(nowMs)
    const returning = this.#changes.nextReturning(this.#replica.decidedUpTo)
    if (returning !== undefined) this.changeMembership({ kind: 'promote', nodeId: returning }, nowMs)
    return true
  }

  /** Last of all before a Ready is taken: one heartbeat round for all reads that wait, one message for all that was decided. */
  flush(nowMs: number): void {
    this.#fillUpToChange(nowMs)
    if (this.#canRead() && this.#readIndexRounds.shouldStartRound(nowMs, this.#options.heartbeatIntervalMs)) {
      this.#heartbeat(nowMs)
    }
    if (this.#replica.decidedUpTo <= this.#announcedUpTo) return
    this.#announcedUpTo = this.#replica.decidedUpTo
    this.#broadcast({ kind: 'decided', ballot: this.ballot, decidedUpTo: this.#announcedUpTo })
  }

  /**
   * Asks a follower heard of late to lead, that one or the most advanced, and takes no commands for an election timeout: if it leads on
   * by then, the message or the follower was lost. False when there is nobody to ask.
   */
  handOver(to: NodeId = 0): boolean {
    let best: NodeId | undefined
    for (const nodeId of this.#memberships.latest.voterIds) {
      if (nodeId === this.#self || (to !== 0 && nodeId !== to) || !this.#isHeard(nodeId, this.#options.electionTimeoutMsMin))
        continue
      if (best === undefined || this.#rank(nodeId) > this.#rank(best)) best = nodeId
    }
    if (best === undefined) return false
    this.#handOverEndsMs = this.#tickedMs + this.#options.electionTimeoutMsMax
    this.#out.send(best, { kind: 'takeOver', ballot: this.ballot })
    return true
  }

  get settledEpoch(): number {
    return this.#settledEpoch
  }

  /**
   * A change has taken its vote away: somebody who votes should lead, once that is settled and everybody can know, or if it takes too long
   * to be.
   */
  get shouldResign(): boolean {
    if (this.#votelessSinceMs === undefined) return false
    const isSettled = this.#settledEpoch >= this.#memberships.current.epoch
    return isSettled || this.#tickedMs - this.#votelessSinceMs >= this.#options.electionTimeoutMsMax
  }

  /** A change has taken its vote away, and is in force. */
  get #isVoteless(): boolean {
    const { latest } = this.#memberships
    return !latest.isVoter(this.#self) && this.#replica.decidedUpTo >= latest.fromSlot - 1
  }

  /** See Node.settledEpoch. */
  #noteSettled(): void {
    const { epoch, fromSlot, voterIds, quorum } = this.#memberships.current
    if (this.#settledEpoch >= epoch) return
    const durableUpTo = (nodeId: NodeId): Slot =>
      nodeId === this.#self ? this.#ownDurableUpTo() : (this.#durableUpToOf.get(nodeId) ?? 0)
    const knowing = voterIds.filter((nodeId) => durableUpTo(nodeId) >= fromSlot - 1)
    if (knowing.length < quorum) return
    this.#settledEpoch = epoch
    // Whoever waits for it hears so now.
    this.#nextHeartbeatMs = this.#tickedMs
  }

  /** Whether it has just asked another to lead. */
  get isHandingOver(): boolean {
    return this.#tickedMs < this.#handOverEndsMs
  }

  /** Whether it has ever asked another to lead. */
  get hasHandedOver(): boolean {
    return this.#handOverEndsMs !== Number.NEGATIVE_INFINITY
  }

  /** Whether an acknowledgement has come within the last `withinMs` before the last tick. */
  #isHeard(nodeId: NodeId, withinMs: number): boolean {
    return this.#decidedUpToOf.has(nodeId) && this.#tickedMs - (this.#lastAckMs.get(nodeId) ?? 0) <= withinMs
  }

  /** How far that member is, if it has been heard of late. */
  #progressOf(nodeId: NodeId): Slot | undefined {
    if (nodeId === this.#self) return this.#replica.decidedUpTo
    return this.#isHeard(nodeId, this.#options.electionTimeoutMsMin) ? this.#rank(nodeId) : undefined
  }

  #rank(nodeId: NodeId): number {
    return this.#decidedUpToOf.get(nodeId) ?? 0
  }

  #nextBatch(): readonly Uint8Array[] {
    let bytes = 0
    let count = 0
    // Cut into some slots, so that the first is answered while the last is still being applied: a crowd that asks again when it is
    // answered would march in step otherwise, and all nodes wait for each other in turn.
    const countMax = Math.min(this.#options.batchCommandsMax, Math.max(BATCH_COMMANDS_LEAST, Math.ceil(this.#queue.length / 4)))
    while (count < this.#queue.length && count < countMax) {
      bytes += (this.#queue[count] as Uint8Array).length
      if (count > 0 && bytes > this.#options.batchBytesMax) break
      count++
    }
    const batch = this.#queue.slice(0, count)
    this.#queue = this.#queue.slice(count)
    for (const command of batch) this.#queueBytes -= command.length
    return batch
  }

  /** The window is open, and a majority of those who vote on the next slot has promised and told its votes there. */
  #mayPropose(): boolean {
    if (this.#acceptor.isFull || (this.#commanders.size > 0 && this.#inFlightBytes >= this.#options.windowBytesMax)) return false
    if (this.#nextSlot > this.#replica.decidedUpTo + this.#memberships.windowSlots) return false
    return this.#scout.covers(this.#memberships.at(this.#nextSlot), this.#nextSlot)
  }

  /** What was found open comes first. */
  #mayProposeOwn(): boolean {
    return this.#firstOwn !== 0 && this.#nextSlot > this.#scout.lastOpen && this.#mayPropose()
  }

  /** As far as it may; what is left over is proposed when slots have been decided, or promises have come. */
  #proposeOpen(nowMs: number): void {
    while (this.#nextSlot <= this.#scout.lastOpen && this.#mayPropose()) {
      this.#propose(this.#scout.highestAt(this.#nextSlot)?.value ?? NOOP, nowMs)
    }
    if (this.#firstOwn === 0 && this.#nextSlot > this.#scout.lastOpen && this.#mayPropose()) {
      this.#firstOwn = this.#nextSlot
      this.#propose(NOOP, nowMs)
    }
    if (!this.#scout.coversFrom(this.#nextSlot) && nowMs >= this.#promiseRetryMs) {
      this.#promiseRetryMs = nowMs + this.#options.retryDelayMs
      this.#scout.ask()
    }
  }

  /** A change that is decided comes into force when the slots before its first have been decided: nobody waits for commands. */
  #fillUpToChange(nowMs: number): void {
    const { fromSlot } = this.#memberships.latest
    while (this.#nextSlot < fromSlot && this.#mayProposeOwn()) this.#propose(NOOP, nowMs)
  }

  /**
   * Whatever anybody can have acknowledged before this leader is decided here: its first own slot is, and there is nothing open that it
   * has not seen.
   */
  #canRead(): boolean {
    const { decidedUpTo } = this.#replica
    if (this.#firstOwn === 0 || decidedUpTo < Math.max(this.#firstOwn, this.#scout.lastOpen)) return false
    return this.#scout.coversFrom(this.#nextSlot)
  }

  #propose(value: Value, nowMs: number): void {
    assert(!this.#commanders.has(this.#nextSlot), 'a leader proposes one value for a slot')
    if (value.kind === 'batch') this.#clock.onSeen(value.timeMs)
    if (value.kind === 'membership') this.#changes.onProposed(this.#nextSlot, value.change)
    this.#scout.forget(this.#nextSlot)
    const commander = new Commander({
      slot: this.#nextSlot,
      value,
      membership: this.#memberships.at(this.#nextSlot),
      retryAtMs: nowMs + this.#options.retryDelayMs,
    })
    this.#commanders.set(this.#nextSlot, commander)
    this.#inFlightBytes += commander.bytes
    this.#nextSlot++
    const accept = this.#sendAccept(commander, () => true)
    // The leader's own vote: it comes back through Node.onDurable, and counts only then.
    this.#acceptor.onAccept(this.#self, accept)
  }

  #sendAccept(commander: Commander, isMeant: (nodeId: NodeId) => boolean): Accept {
    const accept: Accept = {
      kind: 'accept',
      ballot: this.ballot,
      slot: commander.slot,
      value: commander.value,
      decidedUpTo: this.#replica.decidedUpTo,
    }
    const { voterIds } = this.#memberships.at(commander.slot)
    for (const to of voterIds) if (to !== this.#self && isMeant(to)) this.#out.send(to, accept)
    return accept
  }

  #drop(commander: Commander): void {
    this.#commanders.delete(commander.slot)
    this.#inFlightBytes -= commander.bytes
  }

  #decideInOrder(): void {
    for (;;) {
      const slot = this.#replica.decidedUpTo + 1
      const commander = this.#commanders.get(slot)
      if (commander === undefined || !commander.isDecided) return
      this.#drop(commander)
      const entry: LogEntry = { slot, ballot: this.ballot, value: commander.value }
      // Where it does not vote itself, before its first slot or when it is removed, it has no vote on record: the log must hold the slot.
      if (this.#acceptor.acceptedAt(slot)?.ballot !== this.ballot) this.#out.persist({ kind: 'learned', entry })
      this.#replica.decide(entry)
    }
  }

  #heartbeat(nowMs: number): void {
    this.#nextHeartbeatMs = nowMs + this.#options.heartbeatIntervalMs
    this.#announcedUpTo = this.#replica.decidedUpTo
    const round = this.#readIndexRounds.startRound(this.#canRead() ? this.#replica.decidedUpTo : undefined, nowMs)
    const { decidedUpTo } = this.#replica
    const heartbeat = {
      kind: 'heartbeat',
      ballot: this.ballot,
      round,
      decidedUpTo,
      heard: this.#others.filter((nodeId) => this.#isHeard(nodeId, this.#options.electionTimeoutMsMin)),
      settledEpoch: this.#settledEpoch,
    } as const
    this.#broadcast(heartbeat)
    for (const to of this.#leaving) this.#out.send(to, heartbeat)
    if (this.#settledEpoch >= this.#memberships.current.epoch) this.#leaving = []
  }

  #broadcast(message: Parameters<Outbox['send']>[1]): void {
    for (const to of this.#others) this.#out.send(to, message)
  }

  /** Of one that is gone no more is held against it than of the slowest that is borne. */
  #noteSilence(nodeId: NodeId, nowMs: number): void {
    const ackMs = this.#lastAckMs.get(nodeId)
    if (ackMs !== undefined) this.#silenceOf(nodeId).note(Math.min(nowMs - ackMs, 2 * this.#options.electionTimeoutMsMax))
  }

  #hearsMajority(nowMs: number): boolean {
    const { electionTimeoutMsMax } = this.#options
    const isBorne = (nodeId: NodeId): boolean => {
      const silenceMs = nowMs - (this.#lastAckMs.get(nodeId) ?? Number.NEGATIVE_INFINITY)
      return silenceMs <= electionTimeoutMsMax || silenceMs <= electionTimeoutMsMax + this.#silenceOf(nodeId).extraMs
    }
    return this.#memberships.governing.every(({ voterIds, quorum }) => {
      let heard = 0
      for (const nodeId of voterIds) if (nodeId === this.#self || isBorne(nodeId)) heard++
      return heard >= quorum
    })
  }
}
