import { formatBallot, nodeOf } from '../../paxos/ballot.js'
import type { Accept, Message } from '../../paxos/messages.js'
import type { Ballot, LogEntry, MembershipRecord, NodeId, Slot } from '../../paxos/types.js'
import { sameValue } from '../../paxos/value.js'
import { sameMembership } from './membership-book.js'
import { ReadChecker } from './read-checker.js'
import { check } from './violation.js'
import type { VoteBook } from './vote-book.js'

/** A message with what its sender knows at that moment. */
export interface Sent {
  readonly from: NodeId
  /** Counts the starts of the sender. */
  readonly incarnation: number
  readonly message: Message
  readonly decidedUpTo: Slot
  /** 0: it does not lead. */
  readonly leadingBallot: Ballot
}

/** Whoever says one of these takes part in the protocol. */
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
 * What a node says must be so, of its own disk (docs/protocol.md, rules 1 and 2) and of everybody's. Judged when the message leaves, whether
 * it arrives or not.
 */
export class MessageChecker {
  readonly #book: VoteBook
  /** Which start of its owner a ballot belongs to. */
  readonly #incarnationOf = new Map<Ballot, number>()
  readonly #reads: ReadChecker
  /** The same message goes to one node after the other. */
  #last: Message | undefined

  constructor(book: VoteBook) {
    this.#book = book
    this.#reads = new ReadChecker(book)
  }

  /** `appliedUpTo`: what anybody has applied so far. */
  onSent(sent: Sent, appliedUpTo: Slot): void {
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
        return this.#book.checkReported(from, message)
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

  /** Nobody speaks in another node's ballot. */
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

  /** What is promised on disk was promised before the last turn: in this one the node follows nobody else. */
  #checkFollows(from: NodeId, ballot: Ballot): void {
    check(
      this.#book.promisedBy(from) <= ballot,
      () => `node ${from} acknowledged a heartbeat of ballot ${formatBallot(ballot)} though it had promised a higher one`,
    )
  }

  /** With a second life in one ballot a leader could propose another value in it. */
  #checkNotReused({ from, incarnation }: Sent, ballot: Ballot): void {
    const first = this.#incarnationOf.get(ballot) ?? incarnation
    this.#incarnationOf.set(ballot, first)
    check(first === incarnation, () => `node ${from} used ballot ${formatBallot(ballot)} again after a restart`)
  }

  /** R5 of the paper: a leader proposes only in the window. Above it, it does not know who votes. */
  #checkProposed(from: NodeId, { slot, ballot, value, decidedUpTo }: Accept): void {
    this.#book.onProposed(from, { slot, ballot, value })
    check(
      slot <= decidedUpTo + this.#book.memberships.windowSlots,
      () => `node ${from} proposed in slot ${slot}, beyond its window above slot ${decidedUpTo}`,
    )
  }

  #checkAccepted({ from, decidedUpTo }: Sent, { slot, ballot }: { readonly slot: Slot; readonly ballot: Ballot }): void {
    // Of a slot known to be decided no vote need be on record: see Acceptor.onAccept.
    check(
      slot <= decidedUpTo || this.#book.hasVoted(from, slot, ballot),
      () => `node ${from} said that it accepted slot ${slot} before that was on its disk`,
    )
  }

  /** "Decided" means: on the disks of a majority, in one ballot (docs/protocol.md, rule 3). */
  #checkDecided(from: NodeId, upTo: Slot): void {
    const { chosenUpTo } = this.#book
    check(
      upTo <= chosenUpTo,
      () => `node ${from} called slot ${chosenUpTo + 1} decided before its value was on the disks of a majority`,
    )
  }

  /** Whoever was away relies on it: by the log these are the members, and nothing is open below. */
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
