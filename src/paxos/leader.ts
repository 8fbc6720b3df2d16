import type { Acceptor } from './acceptor.js'
import { assert } from './assert.js'
import { Commander } from './commander.js'
import { LogClock } from './log-clock.js'
import type { Membership } from './membership.js'
import type { Accept, Accepted, HeartbeatAck } from './messages.js'
import type { CoreOptions } from './options.js'
import type { Outbox } from './outbox.js'
import { ReadRounds } from './read-rounds.js'
import type { WaitingRead } from './reads.js'
import type { Replica } from './replica.js'
import { type Ballot, type LogEntry, NOOP, type NodeId, type Slot, type Value } from './types.js'

interface Settings {
  readonly self: NodeId
  readonly ballot: Ballot
  readonly membership: Membership
  readonly acceptor: Acceptor
  readonly replica: Replica
  readonly out: Outbox
  readonly options: CoreOptions
  readonly nowMs: number
}

/**
 * Owns a ballot that a majority has promised: gives commands slots, runs a commander for each, tells everybody what is decided, and
 * confirms that it still leads ("Paxos Made Moderately Complex", section 2.3, with the commanders' state of section 4.1 collocated).
 */
export class Leader {
  readonly ballot: Ballot
  readonly #self: NodeId
  readonly #membership: Membership
  readonly #acceptor: Acceptor
  readonly #replica: Replica
  readonly #out: Outbox
  readonly #options: CoreOptions
  readonly #reads: ReadRounds
  /** One for each slot above decidedUpTo that has been proposed. */
  readonly #commanders = new Map<Slot, Commander>()
  #nextSlot: Slot
  /** No read is answered before this slot, the first that is wholly this ballot's own, is decided. */
  #readFloor: Slot = 0
  #queue: Uint8Array[] = []
  #queueBytes = 0
  readonly #clock: LogClock
  #lastTimeMs: number
  #nextHeartbeatMs: number
  #tickedMs: number
  #announcedUpTo: Slot = 0
  readonly #lastAckMs = new Map<NodeId, number>()
  readonly #decidedUpToOf = new Map<NodeId, Slot>()
  /** Takes no commands until then: somebody else was asked to lead. */
  #handOverEndsMs = Number.NEGATIVE_INFINITY

  constructor(settings: Settings) {
    this.#self = settings.self
    this.ballot = settings.ballot
    this.#membership = settings.membership
    this.#acceptor = settings.acceptor
    this.#replica = settings.replica
    this.#out = settings.out
    this.#options = settings.options
    this.#reads = new ReadRounds(settings.membership, settings.self, settings.out)
    this.#nextSlot = settings.replica.decidedUpTo + 1
    this.#clock = new LogClock(settings.membership)
    this.#lastTimeMs = settings.replica.lastTimeMs
    this.#nextHeartbeatMs = settings.nowMs
    this.#tickedMs = settings.nowMs
    for (const nodeId of settings.membership.nodeIds) this.#lastAckMs.set(nodeId, settings.nowMs)
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
  adopt(open: ReadonlyMap<Slot, LogEntry>, nowMs: number): void {
    const lastOpen = Math.max(this.#replica.decidedUpTo, ...open.keys())
    while (this.#nextSlot <= lastOpen) this.#propose(open.get(this.#nextSlot)?.value ?? NOOP, nowMs)
    this.#readFloor = this.#nextSlot
    this.#propose(NOOP, nowMs)
    // Commands wait for the clocks that come back with it.
    this.#heartbeat(nowMs)
  }

  /** Queues commands for the next slots. False when the queue is full: nothing was taken. */
  enqueue(commands: readonly Uint8Array[]): boolean {
    if (this.#tickedMs < this.#handOverEndsMs) return false
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
   * `wallMs`: this node's wall clock.
   */
  proposeQueued(wallMs: number, nowMs: number): void {
    this.#clock.onHeard(this.#self, wallMs, nowMs)
    if (!this.#clock.isSet) return
    while (this.#queue.length > 0 && this.#commanders.size < this.#options.windowSlots) {
      this.#lastTimeMs = Math.max(this.#lastTimeMs, this.#replica.lastTimeMs, this.#clock.timeMs(nowMs))
      this.#propose(Object.freeze({ kind: 'batch', timeMs: this.#lastTimeMs, commands: this.#nextBatch() }), nowMs)
    }
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
    for (const slot of this.#commanders.keys()) if (slot <= this.#replica.decidedUpTo) this.#commanders.delete(slot)
    this.#nextSlot = Math.max(this.#nextSlot, this.#replica.decidedUpTo + 1)
    this.#decideInOrder()
  }

  onHeartbeatAck(from: NodeId, m: HeartbeatAck, nowMs: number): void {
    if (m.ballot !== this.ballot) return
    this.#lastAckMs.set(from, nowMs)
    this.#clock.onHeard(from, m.wallMs, nowMs)
    this.#decidedUpToOf.set(from, m.decidedUpTo)
    this.#reads.onAck(from, m.round)
  }

  /** A read that has just arrived, of this node's or of a follower's. */
  read(from: NodeId, id: number): void {
    this.#reads.add(from, id)
  }

  /** It leads no more: the reads that it has not answered are for the next leader. */
  abandonReads(): readonly WaitingRead[] {
    return this.#reads.takeAll()
  }

  /** Heartbeats, retries. False when no majority has been heard for too long: the leader must step down. */
  tick(nowMs: number): boolean {
    this.#tickedMs = nowMs
    if (!this.#hearsMajority(nowMs)) return false
    if (nowMs >= this.#nextHeartbeatMs) this.#heartbeat(nowMs)
    for (const commander of this.#commanders.values()) {
      if (commander.isDecided || nowMs < commander.retryAtMs) continue
      commander.retryAtMs = nowMs + this.#options.retryDelayMs
      this.#sendAccept(commander, (nodeId) => !commander.accepted.has(nodeId))
    }
    return true
  }

  /** Last of all before a Ready is taken: one heartbeat round for all reads that wait, one message for all that was decided. */
  flush(nowMs: number): void {
    if (this.#replica.decidedUpTo >= this.#readFloor && this.#reads.shouldStartRound(nowMs, this.#options.heartbeatIntervalMs)) {
      this.#heartbeat(nowMs)
    }
    if (this.#replica.decidedUpTo <= this.#announcedUpTo) return
    this.#announcedUpTo = this.#replica.decidedUpTo
    this.#broadcast({ kind: 'decided', ballot: this.ballot, decidedUpTo: this.#announcedUpTo })
  }

  /**
   * Asks the most advanced follower heard of late to lead, and takes no commands for an election timeout: if it leads on by then, the
   * message or the follower was lost. False when there is nobody to ask.
   */
  handOver(): boolean {
    let best: NodeId | undefined
    for (const nodeId of this.#membership.nodeIds) {
      if (nodeId === this.#self || !this.#isHeard(nodeId, this.#options.electionTimeoutMsMin)) continue
      if (best === undefined || this.#rank(nodeId) > this.#rank(best)) best = nodeId
    }
    if (best === undefined) return false
    this.#handOverEndsMs = this.#tickedMs + this.#options.electionTimeoutMsMax
    this.#out.send(best, { kind: 'takeOver', ballot: this.ballot })
    return true
  }

  /** Whether an acknowledgement has come within the last `withinMs` before the last tick. */
  #isHeard(nodeId: NodeId, withinMs: number): boolean {
    return this.#decidedUpToOf.has(nodeId) && this.#tickedMs - (this.#lastAckMs.get(nodeId) ?? 0) <= withinMs
  }

  #rank(nodeId: NodeId): number {
    return this.#decidedUpToOf.get(nodeId) ?? 0
  }

  #nextBatch(): readonly Uint8Array[] {
    let bytes = 0
    let count = 0
    while (count < this.#queue.length && count < this.#options.batchCommandsMax) {
      bytes += (this.#queue[count] as Uint8Array).length
      if (count > 0 && bytes > this.#options.batchBytesMax) break
      count++
    }
    const batch = this.#queue.slice(0, count)
    this.#queue = this.#queue.slice(count)
    for (const command of batch) this.#queueBytes -= command.length
    return batch
  }

  #propose(value: Value, nowMs: number): void {
    assert(!this.#commanders.has(this.#nextSlot), 'a leader proposes one value for a slot')
    if (value.kind === 'batch') this.#lastTimeMs = Math.max(this.#lastTimeMs, value.timeMs)
    const commander = new Commander({
      slot: this.#nextSlot,
      value,
      membership: this.#membership,
      retryAtMs: nowMs + this.#options.retryDelayMs,
    })
    this.#commanders.set(this.#nextSlot, commander)
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
    for (const to of this.#membership.nodeIds) if (to !== this.#self && isMeant(to)) this.#out.send(to, accept)
    return accept
  }

  #decideInOrder(): void {
    for (;;) {
      const slot = this.#replica.decidedUpTo + 1
      const commander = this.#commanders.get(slot)
      if (commander === undefined || !commander.isDecided) return
      this.#commanders.delete(slot)
      this.#replica.decide({ slot, ballot: this.ballot, value: commander.value })
    }
  }

  #heartbeat(nowMs: number): void {
    this.#nextHeartbeatMs = nowMs + this.#options.heartbeatIntervalMs
    this.#announcedUpTo = this.#replica.decidedUpTo
    const canRead = this.#replica.decidedUpTo >= this.#readFloor
    const round = this.#reads.startRound(canRead ? this.#replica.decidedUpTo : undefined, nowMs)
    this.#broadcast({ kind: 'heartbeat', ballot: this.ballot, round, decidedUpTo: this.#replica.decidedUpTo })
  }

  #broadcast(message: Parameters<Outbox['send']>[1]): void {
    for (const to of this.#membership.nodeIds) if (to !== this.#self) this.#out.send(to, message)
  }

  #hearsMajority(nowMs: number): boolean {
    let heard = 0
    for (const [nodeId, ackMs] of this.#lastAckMs) {
      if (nodeId === this.#self || nowMs - ackMs <= this.#options.electionTimeoutMsMax) heard++
    }
    return heard >= this.#membership.quorum
  }
}
