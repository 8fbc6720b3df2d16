import { formatBallot, nodeOf } from '../../paxos/ballot.js'
import type { Accept, Message } from '../../paxos/messages.js'
import type { Ballot, LogEntry, MembershipRecord, NodeId, Slot } from '../../paxos/types.js'
import { sameValue } from '../../paxos/value.js'
import { sameMembership } from './membership-book.js'
import { ReadChecker } from './read-checker.js'
import { checkReported } from './told-votes.js'
import { check } from './violation.js'
import type { VoteBook } from './vote-book.js'

/** A message, with the state of its sender at that moment. */
export interface SentMessage {
  readonly from: NodeId
  /** Number of the sender's start. */
  readonly incarnation: number
  readonly message: Message
  readonly decidedUpTo: Slot
  /** 0: the sender does not lead. */
  readonly leadingBallot: Ballot
}

/** Messages that only a participant in the protocol may send. */
const PARTS: ReadonlySet<Message['kind']> = new Set([
  'prepare',
  'promise',
  'accept',
  'accepted',
  'heartbeat',
  'heartbeatAck',
  'decided',
  'pollReply',
])

/**
 * Checks that what a node says is true, of its own disk (docs/protocol.md, rules 1 and 2) and of all disks. A message is checked
 * when it leaves, even if it never arrives.
 */
export class MessageChecker {
  readonly #book: VoteBook
  /** The start of its owner in which a ballot was used first. */
  readonly #incarnationOf = new Map<Ballot, number>()
  readonly #reads: ReadChecker
  /** The last message: a broadcast is sent to one node after the other, and need not be checked again. */
  #last: Message | undefined

  constructor(book: VoteBook) {
    this.#book = book
    this.#reads = new ReadChecker(book)
  }

  /** `appliedUpTo`: the highest slot that any node has applied so far. */
  onSent(sent: SentMessage, appliedUpTo: Slot): void {
    const { from, message } = sent
    if (message === this.#last) return
    this.#last = message
    check(
      !PARTS.has(message.kind) || !this.#book.directoryOf(from).isOlderCopy,
      () => `node ${from} sent a ${message.kind} though its data directory is an older copy of itself`,
    )
    if ('decidedUpTo' in message) this.#checkDecided(from, message.decidedUpTo)
    switch (message.kind) {
      case 'roster':
        return this.#checkTold(from, message.memberships)
      case 'prepare':
        this.#checkOwner(from, message)
        this.#checkPromised(from, message)
        return this.#checkNotReused(sent, message.ballot)
      case 'promise':
        this.#checkPromised(from, message)
        return checkReported(this.#book, from, message)
      case 'accept':
        this.#checkOwner(from, message)
        this.#book.onWatermark(from, message.ballot, message.decidedUpTo)
        return this.#checkProposed(from, message)
      case 'accepted':
        this.#checkPromised(from, message)
        return this.#checkAccepted(sent, message)
      case 'heartbeat':
        this.#reads.onHeartbeat(message.ballot, message.round)
        this.#checkOwner(from, message)
        return this.#book.onWatermark(from, message.ballot, message.decidedUpTo)
      case 'heartbeatAck':
        this.#checkFollows(from, message.ballot)
        return this.#reads.onHeartbeatAck(from, message.ballot, message.round)
      case 'decided':
        this.#checkOwner(from, message)
        return this.#book.onWatermark(from, message.ballot, message.decidedUpTo)
      case 'takeOver':
        return this.#checkOwner(from, message)
      case 'catchUpReply':
        return this.#checkEntries(from, message.entries)
      case 'readIndex':
        return this.#reads.onQuestion(from, message.readId, appliedUpTo)
      case 'readIndexReply':
        return this.#reads.onAnswer(from, { ...message, leadingBallot: sent.leadingBallot })
      case 'welcome':
        return check(this.#book.isMember(from), () => `node ${from} welcomed another before its genesis was on its disk`)
      case 'nack':
      case 'propose':
      case 'proposeRefused':
      case 'catchUp':
      case 'poll':
      case 'pollReply':
      case 'join':
      case 'changeMembership':
      case 'changeMembershipRefused':
      case 'handOver':
      case 'recall':
      case 'recalled':
      case 'mark':
      case 'digest':
      case 'skippedSlots':
        return
    }
  }

  /** Checks that a node uses only its own ballots. */
  #checkOwner(from: NodeId, { kind, ballot }: { readonly kind: string; readonly ballot: Ballot }): void {
    check(nodeOf(ballot) === from, () => `node ${from} sent a ${kind} in ballot ${formatBallot(ballot)}, which is not its own`)
  }

  #checkPromised(from: NodeId, { kind, ballot }: { readonly kind: string; readonly ballot: Ballot }): void {
    check(
      this.#book.promisedBy(from) >= ballot,
      () =>
        `node ${from} sent ${kind === 'accepted' ? 'an' : 'a'} ${kind} for ballot ${formatBallot(ballot)} before that was on its disk`,
    )
  }

  /**
   * Checks that a node that acknowledges a heartbeat has promised no higher ballot. What is on its disk was promised before the
   * current turn.
   */
  #checkFollows(from: NodeId, ballot: Ballot): void {
    check(
      this.#book.promisedBy(from) <= ballot,
      () => `node ${from} acknowledged a heartbeat of ballot ${formatBallot(ballot)} though it had promised a higher one`,
    )
  }

  /** Checks that a ballot is not used again after a restart: the leader could propose another value in it. */
  #checkNotReused({ from, incarnation }: SentMessage, ballot: Ballot): void {
    const first = this.#incarnationOf.get(ballot) ?? incarnation
    this.#incarnationOf.set(ballot, first)
    check(first === incarnation, () => `node ${from} used ballot ${formatBallot(ballot)} again after a restart`)
  }

  /** Checks rule R5 of the paper: a leader proposes only within the window. Above it, it does not know who votes. */
  #checkProposed(from: NodeId, { slot, ballot, value, decidedUpTo }: Accept): void {
    this.#book.onProposed(from, { slot, ballot, value })
    check(
      slot <= decidedUpTo + this.#book.memberships.windowSlots,
      () => `node ${from} proposed in slot ${slot}, beyond its window above slot ${decidedUpTo}`,
    )
  }

  #checkAccepted({ from, decidedUpTo }: SentMessage, { slot, ballot }: { readonly slot: Slot; readonly ballot: Ballot }): void {
    // The vote for a slot known to be decided need not be on disk: see Acceptor.onAccept.
    check(
      slot <= decidedUpTo || this.#book.hasVoted(from, slot, ballot),
      () => `node ${from} said that it accepted slot ${slot} before that was on its disk`,
    )
  }

  /** Checks that a slot called decided is on the disks of a majority, in one ballot (docs/protocol.md, rule 3). */
  #checkDecided(from: NodeId, upTo: Slot): void {
    const { chosenUpTo } = this.#book
    check(
      upTo <= chosenUpTo,
      () => `node ${from} called slot ${chosenUpTo + 1} decided before its value was on the disks of a majority`,
    )
  }

  /**
   * Checks the memberships that a node tells. A node that was away relies on them: by the log these are the members, and no slot
   * below is open.
   */
  #checkTold(from: NodeId, memberships: readonly MembershipRecord[]): void {
    const { chosenUpTo, memberships: book } = this.#book
    const [first] = memberships
    if (first === undefined) return
    check(
      first.fromSlot <= chosenUpTo + 1 && memberships.every((told) => book.all.some((one) => sameMembership(one, told))),
      () => `node ${from} told of memberships that are not in force, or not those of the log`,
    )
  }

  #checkEntries(from: NodeId, entries: readonly LogEntry[]): void {
    for (const { slot, value } of entries) {
      const chosen = this.#book.chosenAt(slot)
      check(
        chosen !== undefined && sameValue(chosen, value),
        () => `node ${from} handed on another value for slot ${slot} than was chosen`,
      )
    }
  }
}
