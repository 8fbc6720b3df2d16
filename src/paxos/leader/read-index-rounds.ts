import { JointTally } from '../membership.js'
import type { Memberships } from '../memberships.js'
import type { Outbox } from '../outbox.js'
import type { NodeId, Slot } from '../types.js'
import { answerRead, boundWaiting, type WaitingRead } from '../waiting-reads.js'

interface Round {
  readonly round: number
  /** The leader's watermark when the round began. */
  readonly slot: Slot
  readonly reads: readonly WaitingRead[]
  readonly acks: JointTally
  readonly startedMs: number
}

/**
 * The leader's side of linearizable reads (read index; Ongaro's dissertation, section 6.4). The read index is the watermark at the start
 * of a heartbeat round that *started after the read arrived*; it is given once a majority has acknowledged the round. One round serves
 * all reads that wait. No clock is trusted: a leader that was replaced during a pause gets no majority any more.
 */
export class ReadIndexRounds {
  readonly #memberships: Memberships
  readonly #self: NodeId
  readonly #out: Outbox
  #waiting: WaitingRead[] = []
  /** Rounds with reads that are not confirmed yet, oldest first. */
  #rounds: Round[] = []
  #lastRound = 0

  constructor(memberships: Memberships, self: NodeId, out: Outbox) {
    this.#memberships = memberships
    this.#self = self
    this.#out = out
  }

  add(from: NodeId, id: number): void {
    this.#waiting.push({ from, id })
    this.#waiting = boundWaiting(this.#waiting)
  }

  /** True when reads wait and no round is in flight, or the last one seems lost. New reads gather for the next round. */
  shouldStartRound(nowMs: number, lostAfterMs: number): boolean {
    const last = this.#rounds.at(-1)
    return this.#waiting.length > 0 && (last === undefined || nowMs - last.startedMs >= lostAfterMs)
  }

  /** Starts a round and returns its number. With a slot, the reads that wait belong to it. */
  startRound(slot: Slot | undefined, nowMs: number): number {
    const round = ++this.#lastRound
    if (slot !== undefined && this.#waiting.length > 0) {
      this.#rounds.push({
        round,
        slot,
        reads: this.#waiting,
        acks: new JointTally(this.#memberships.governing),
        startedMs: nowMs,
      })
      this.#waiting = []
      this.onAck(this.#self, round)
    }
    return round
  }

  /** Takes an acknowledgement, which counts for every earlier round, too: the member followed this leader even later. */
  onAck(from: NodeId, round: number): void {
    for (const r of this.#rounds) if (r.round <= round) r.acks.add(from)
    while (this.#rounds[0]?.acks.hasQuorum === true) this.#answer(this.#rounds.shift() as Round)
  }

  /**
   * The voters have changed: voters that must confirm a round in flight may be gone. Its reads wait for the next round, which the new
   * membership confirms.
   */
  onMembershipChanged(): void {
    this.#waiting = boundWaiting([...this.takeAll()])
  }

  /** Removes and returns every read that has not been answered. */
  takeAll(): readonly WaitingRead[] {
    const reads = [...this.#rounds.flatMap((round) => round.reads), ...this.#waiting]
    this.#rounds = []
    this.#waiting = []
    return reads
  }

  #answer(round: Round): void {
    for (const read of round.reads) answerRead(this.#out, this.#self, read, round.slot)
  }
}
