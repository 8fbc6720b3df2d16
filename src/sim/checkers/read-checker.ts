import { formatBallot, nodeOf } from '../../paxos/ballot.js'
import type { Ballot, NodeId, Slot } from '../../paxos/types.js'
import { check } from './violation.js'
import type { Directory, VoteBook } from './vote-book.js'

/** A heartbeat round of a leader, by when it began and who has acknowledged it. */
interface Round {
  readonly round: number
  readonly beganAt: number
  readonly ackers: Set<Directory>
}

interface Question {
  readonly askedAt: number
  /** What had been applied anywhere by then. */
  readonly appliedUpTo: Slot
}

/**
 * Reads off the log, as their messages show them: an answer is never below what had been applied anywhere when the question was asked
 * (some client may have been told of it), and a leader gives it only when a majority of those who vote
 * above the slot of the answer has acknowledged a round of heartbeats that began after the question.
 */
export class ReadChecker {
  readonly #book: VoteBook
  readonly #questions = new Map<number, Question>()
  /** Of each ballot, the newest round first. */
  readonly #rounds = new Map<Ballot, Round[]>()
  /** Counts questions and rounds in the order in which they began. */
  #clock = 0

  constructor(book: VoteBook) {
    this.#book = book
  }

  onQuestion(from: NodeId, readId: number, appliedUpTo: Slot): void {
    check(!this.#questions.has(readId), () => `node ${from} used read id ${readId} twice`)
    this.#questions.set(readId, { askedAt: ++this.#clock, appliedUpTo })
  }

  onHeartbeat(ballot: Ballot, round: number): void {
    const rounds = this.#rounds.get(ballot) ?? []
    this.#rounds.set(ballot, rounds)
    if (rounds[0]?.round !== round) rounds.unshift({ round, beganAt: ++this.#clock, ackers: new Set() })
  }

  /** Round 0: from one that does not vote. */
  onHeartbeatAck(from: NodeId, ballot: Ballot, round: number): void {
    if (round === 0) return
    const known = this.#rounds.get(ballot)?.find((r) => r.round === round)
    check(
      known !== undefined,
      () => `node ${from} acknowledged a heartbeat of ballot ${formatBallot(ballot)} that was never sent`,
    )
    known.ackers.add(this.#book.directoryOf(from))
  }

  /** `leadingBallot`: that of the answerer; 0 if it does not lead, but hands on what a leader has answered. */
  onAnswer(from: NodeId, { readId, slot, leadingBallot }: { readId: number; slot: Slot; leadingBallot: Ballot }): void {
    const question = this.#questions.get(readId)
    check(question !== undefined, () => `node ${from} answered a read that nobody asked for`)
    const { appliedUpTo, askedAt } = question
    check(
      slot >= appliedUpTo,
      () =>
        `node ${from} answered a read with slot ${slot}, but slot ${appliedUpTo} had been applied before the read was asked for`,
    )
    check(
      // Who leads by now may hand on what another leader has answered before.
      leadingBallot === 0 ||
        this.#isAlone(leadingBallot, slot) ||
        [...this.#rounds.keys()].some((ballot) => this.#isConfirmed(ballot, askedAt, slot)),
      () => `node ${from} answered a read before a majority had acknowledged a heartbeat that was sent after the question`,
    )
  }

  /** Who alone votes above the answer asks nobody. */
  #isAlone(ballot: Ballot, slot: Slot): boolean {
    return this.#book.isQuorum(new Set([this.#book.directoryOf(nodeOf(ballot))]), slot + 1)
  }

  /**
   * An acknowledgement stands for every earlier round, too. The leader itself is one of the majority, if it votes. Of the slots above the
   * answer's any will do: the leader may have gone on while it waited.
   */
  #isConfirmed(ballot: Ballot, askedAt: number, slot: Slot): boolean {
    const ackers = new Set([this.#book.directoryOf(nodeOf(ballot))])
    const votedIn = [slot + 1, this.#book.chosenUpTo + 1]
    for (const round of this.#rounds.get(ballot) ?? []) {
      if (round.beganAt < askedAt) return false
      for (const acker of round.ackers) ackers.add(acker)
      if (votedIn.some((next) => this.#book.isQuorum(ackers, next))) return true
    }
    return false
  }
}
