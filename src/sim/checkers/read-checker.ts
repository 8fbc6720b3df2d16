import { formatBallot, nodeOf } from '../../paxos/ballot.js'
import type { Ballot, NodeId, Slot } from '../../paxos/types.js'
import { check } from './violation.js'
import type { Directory, VoteBook } from './vote-book.js'

/** A leader's heartbeat round: when it began, and the nodes that have acknowledged it. */
interface HeartbeatRound {
  readonly round: number
  readonly beganAt: number
  readonly ackers: Set<Directory>
}

interface Question {
  readonly askedAt: number
  /** The highest slot that any node had applied when the question was asked. */
  readonly appliedUpTo: Slot
}

/**
 * Checks reads that do not go through the log, by their messages. An answer is never below what any node had applied when the
 * question was asked (a client may have been told of it). A leader answers only after a majority of the voters above the answer's
 * slot has acknowledged a heartbeat round that began after the question.
 */
export class ReadChecker {
  readonly #book: VoteBook
  readonly #questions = new Map<number, Question>()
  /** Heartbeat rounds by ballot, the newest first. */
  readonly #rounds = new Map<Ballot, HeartbeatRound[]>()
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

  /** Round 0: from a node that does not vote. */
  onHeartbeatAck(from: NodeId, ballot: Ballot, round: number): void {
    if (round === 0) return
    const known = this.#rounds.get(ballot)?.find((r) => r.round === round)
    check(
      known !== undefined,
      () => `node ${from} acknowledged a heartbeat of ballot ${formatBallot(ballot)} that was never sent`,
    )
    known.ackers.add(this.#book.directoryOf(from))
  }

  /** `leadingBallot`: the ballot in which the answering node leads; 0 if it passes on a leader's answer. */
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
      // A node that leads by now may pass on what another leader answered before.
      leadingBallot === 0 ||
        this.#isAlone(leadingBallot, slot) ||
        [...this.#rounds.keys()].some((ballot) => this.#isConfirmed(ballot, askedAt, slot)),
      () => `node ${from} answered a read before a majority had acknowledged a heartbeat that was sent after the question`,
    )
  }

  /** Returns true if the leader is the only voter above the slot: it need not ask anybody. */
  #isAlone(ballot: Ballot, slot: Slot): boolean {
    return this.#book.isQuorum(new Set([this.#book.directoryOf(nodeOf(ballot))]), slot + 1)
  }

  /**
   * Returns true if a majority has confirmed that the ballot leads. An acknowledgement confirms all earlier rounds, too. The
   * leader counts itself if it votes. Any slot above the answer's may be used: the leader may have decided more while it waited.
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
