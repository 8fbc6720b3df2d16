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
 * The leader's side of linearizable reads off the log (read index; Ongaro's dissertation, section 6.4): a read is answered with the
 * watermark once a majority has acknowledged a heartbeat round that *started after the read arrived*. One round serves all that wait.
 * No clock is trusted: a leader that was paused learns from the acknowledgements that it leads no more.
 */
export class ReadIndexRounds {
  readonly #memberships: Memberships
  readonly #self: NodeId
  readonly #out: Outbox
  #waiting: WaitingRead[] = []
  /** Rounds that carry reads and are not confirmed yet, oldest first. */
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

  /** While one round is on its way, the reads that arrive gather for the next; one that seems lost is not waited for. */
  shouldStartRound(nowMs: number, lostAfterMs: number): boolean {
    const last = this.#rounds.at(-1)
    return this.#waiting.length > 0 && (last === undefined || nowMs - last.startedMs >= lostAfterMs)
  }

  /** Gives the new round its number. With a slot, the reads that wait travel with it. */
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

  /** An acknowledgement of a round stands for every earlier one, too: the member had promised nobody else even later. */
  onAck(from: NodeId, round: number): void {
    for (const r of this.#rounds) if (r.round <= round) r.acks.add(from)
    while (this.#rounds[0]?.acks.hasQuorum === true) this.#answer(this.#rounds.shift() as Round)
  }

  /**
   * Others vote from now on: who would have to confirm a round that is on its way may be gone. Its reads wait for the next one, whose
   * slot is at least that from which on the new membership governs.
   */
  onMembershipChanged(): void {
    this.#waiting = boundWaiting([...this.takeAll()])
  }

  /** Every read that has not been answered. */
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
