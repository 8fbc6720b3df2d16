import { formatBallot, NO_BALLOT } from '../../paxos/ballot.js'
import type { Promised } from '../../paxos/messages.js'
import type { Ballot, Genesis, LogEntry, NodeId, Slot, Value } from '../../paxos/types.js'
import { sameValue } from '../../paxos/value.js'
import { type BookedMembership, MembershipBook } from './membership-book.js'
import { check } from './violation.js'

/** What one ballot has done to a slot. */
interface Round {
  readonly ballot: Ballot
  readonly value: Value
  /** The directories that the vote is in. */
  readonly voters: Set<Directory>
}

interface SlotRounds {
  readonly rounds: Round[]
  /** The round of the lowest ballot that a majority has voted in: its value is chosen, whether anybody knows it or not. */
  chosen: Round | undefined
}

/** A node's data directory: one life of a voter. */
export interface Directory {
  readonly nodeId: NodeId
  readonly dataDirId: string
  promised: Ballot
  hasGenesis: boolean
  /** No vote is in a slot above this one. */
  votedUpTo: Slot
  /** Its own watermark. */
  decidedUpTo: Slot
  /** It has been put back to what it was once, and lacks what it promised and accepted since: nothing may be heard from it. */
  isOlderCopy: boolean
}

/**
 * All that was ever proposed, or is on a disk: the global invariants of the protocol are about this, whatever the nodes believe. A vote
 * counts in a slot if the membership that governs it says that the node votes, and from that very directory. The book never forgets: of
 * a directory that is lost nobody may vote again.
 */
export class VoteBook {
  readonly memberships = new MembershipBook()
  readonly #slots: (SlotRounds | undefined)[] = []
  /** From which each node votes now. */
  readonly #directories = new Map<NodeId, Directory>()
  /** All there ever were. */
  readonly #everyDirectory: Directory[] = []
  /** How far each ballot's proposals have been compared with what its leader calls decided. */
  readonly #comparedUpTo = new Map<Ballot, Slot>()
  #chosenUpTo: Slot = 0
  #settledEpoch = 1

  /** From now on the node's disk has this directory: a new one, in which nothing is yet. */
  onDirectory(nodeId: NodeId, dataDirId: string): void {
    const directory = {
      nodeId,
      dataDirId,
      promised: NO_BALLOT,
      hasGenesis: false,
      votedUpTo: 0,
      decidedUpTo: 0,
      isOlderCopy: false,
    }
    this.#directories.set(nodeId, directory)
    this.#everyDirectory.push(directory)
  }

  /** What the node's directory holds from now on is what it held at some time before. */
  onOlderCopy(nodeId: NodeId): void {
    this.directoryOf(nodeId).isOlderCopy = true
  }

  /** In every slot up to here a value is chosen. */
  get chosenUpTo(): Slot {
    return this.#chosenUpTo
  }

  chosenAt(slot: Slot): Value | undefined {
    return this.#slots[slot]?.chosen?.value
  }

  /** A node's disk says that the slots up to there are decided. */
  onWatermarkWritten(nodeId: NodeId, decidedUpTo: Slot): void {
    this.directoryOf(nodeId).decidedUpTo = decidedUpTo
    this.#settle()
  }

  /**
   * The newest membership of which a majority of its voters ever had it on disk that it is in force. Any majority of its voters has one
   * among them that still knows, whatever minority was lost since: they need nobody else.
   */
  get settled(): BookedMembership {
    this.#settle()
    return this.memberships.all.findLast(({ epoch }) => epoch === this.#settledEpoch) ?? this.memberships.latest
  }

  #settle(): void {
    if (!this.memberships.isFormed || this.memberships.latest.epoch === this.#settledEpoch) return
    for (const membership of this.memberships.all) {
      if (membership.epoch <= this.#settledEpoch) continue
      const knowing = [...this.#directories.values()].filter((d) => d.decidedUpTo >= membership.fromSlot - 1)
      if (isQuorumOf(membership, knowing)) this.#settledEpoch = membership.epoch
    }
  }

  /** Whether the genesis is on the node's disk. */
  isMember(nodeId: NodeId): boolean {
    return this.directoryOf(nodeId).hasGenesis
  }

  onGenesis(nodeId: NodeId, genesis: Genesis): void {
    this.memberships.onGenesis(nodeId, genesis)
    this.directoryOf(nodeId).hasGenesis = true
  }

  /** Up to here it is known who votes. */
  get governedUpTo(): Slot {
    return this.memberships.isFormed ? this.#chosenUpTo + this.memberships.windowSlots : 0
  }

  /** Whether the node's vote counts in the slot. */
  isVoter(nodeId: NodeId, slot: Slot): boolean {
    return slot <= this.governedUpTo && this.isVoterOf(nodeId, this.memberships.at(slot))
  }

  isVoterOf(nodeId: NodeId, membership: BookedMembership): boolean {
    return isVoterOf(membership, this.directoryOf(nodeId))
  }

  /** Whether these are a majority of those who vote in the slot. */
  isQuorum(directories: ReadonlySet<Directory>, slot: Slot): boolean {
    return isQuorumOf(this.memberships.at(slot), directories)
  }

  /** From which the node votes now. */
  directoryOf(nodeId: NodeId): Directory {
    const directory = this.#directories.get(nodeId)
    check(directory !== undefined, () => `node ${nodeId}, which is no member, took part`)
    return directory
  }

  /** On the node's disk. */
  promisedBy(nodeId: NodeId): Ballot {
    return this.directoryOf(nodeId).promised
  }

  /** On the node's disk. */
  hasVoted(nodeId: NodeId, slot: Slot, ballot: Ballot): boolean {
    const round = this.#slots[slot]?.rounds.find((r) => r.ballot === ballot)
    return round?.voters.has(this.directoryOf(nodeId)) === true
  }

  /** A1: a disk's promise only rises. */
  onPromised(nodeId: NodeId, ballot: Ballot): void {
    const directory = this.directoryOf(nodeId)
    check(ballot >= directory.promised, () => `node ${nodeId} lowered the promise on its disk to ballot ${formatBallot(ballot)}`)
    directory.promised = ballot
  }

  /** A vote has reached a disk. */
  onVote(nodeId: NodeId, { slot, ballot, value }: LogEntry): void {
    const directory = this.directoryOf(nodeId)
    // A2. Records are in order: the promise comes first.
    check(
      ballot === directory.promised,
      () => `node ${nodeId} accepted slot ${slot} in a ballot that it has not promised, or no more`,
    )
    directory.votedUpTo = Math.max(directory.votedUpTo, slot)
    const rounds = this.#rounds(slot)
    // A4
    const round = this.#round(rounds, { slot, ballot, value }, () => `node ${nodeId} accepted`)
    // A5
    const { chosen } = rounds
    check(
      chosen === undefined || ballot < chosen.ballot || sameValue(chosen.value, value),
      () => `node ${nodeId} accepted another value for slot ${slot} than a majority had accepted in a lower ballot`,
    )
    round.voters.add(directory)
    this.#count(slot, rounds, round)
    this.#advance()
  }

  /**
   * C1 and C2: a ballot has one value for a slot, and it is one that the disks of some majority of the slot's voters allow. Those have
   * promised the ballot, so that they vote in no lower one any more; and of what they have voted for below it, the highest ballot's
   * value is this one. Who votes in the slot must be known; the node need not be one of them any more.
   */
  onProposed(nodeId: NodeId, { slot, ballot, value }: LogEntry): void {
    check(slot <= this.governedUpTo, () => `node ${nodeId} proposed in slot ${slot}, though nobody can know yet who votes there`)
    check(
      this.memberships.all.some((membership) => this.isVoterOf(nodeId, membership)),
      () => `node ${nodeId} proposed in slot ${slot}, but it never had a vote`,
    )
    const rounds = this.#rounds(slot)
    const isKnown = rounds.rounds.some((r) => r.ballot === ballot)
    this.#round(rounds, { slot, ballot, value }, () => `node ${nodeId} proposed`)
    if (isKnown) return
    check(
      this.#isAllowed(slot, ballot, value),
      () => `node ${nodeId} proposed in slot ${slot} and ballot ${formatBallot(ballot)} what no majority of promises allows`,
    )
  }

  /**
   * The leader of `ballot` calls slots decided: whoever accepted one of them in that ballot takes what it accepted for the decision. So
   * once it leads it calls decided only what was chosen in its own ballot or below: above that, another value may have been.
   */
  onWatermark(nodeId: NodeId, ballot: Ballot, upTo: Slot): void {
    const comparedUpTo = this.#comparedUpTo.get(ballot)
    this.#comparedUpTo.set(ballot, Math.max(upTo, comparedUpTo ?? 0))
    // Its first watermark is what it had learned before it led: there it proposes nothing.
    if (comparedUpTo === undefined) return
    for (let slot = comparedUpTo + 1; slot <= upTo; slot++) {
      const chosen = this.#slots[slot]?.chosen
      check(
        chosen !== undefined && chosen.ballot <= ballot,
        () => `node ${nodeId} called slot ${slot} decided in ballot ${formatBallot(ballot)}, but it was chosen in a higher one`,
      )
    }
  }

  /** A3: a promise reports every vote below its ballot that is on the node's disk, and nothing else but what is chosen. */
  checkReported(nodeId: NodeId, { ballot, fromSlot, accepted, decidedUpTo, nextSlot, votesFrom }: Promised): void {
    check(
      votesFrom === 0 || this.#hasLife(nodeId, votesFrom),
      () => `node ${nodeId} promised as one that votes from slot ${votesFrom} on, which its directory was never said to do`,
    )
    const reported = new Map(accepted.map((entry) => [entry.slot, entry]))
    const lastSlot = nextSlot === 0 ? Number.POSITIVE_INFINITY : nextSlot - 1
    this.#checkVotes(
      nodeId,
      { fromSlot: Math.max(fromSlot, decidedUpTo + 1), lastSlot, below: ballot },
      reported,
      'promised without its',
    )
    for (const entry of accepted) {
      check(
        this.hasVoted(nodeId, entry.slot, entry.ballot) || this.#isChosen(entry),
        () => `node ${nodeId} reported a vote for slot ${entry.slot} that is not on its disk`,
      )
    }
  }

  /** A3: what a node starts with are its votes for slots that it does not know to be decided. */
  checkRecovered(nodeId: NodeId, votes: readonly LogEntry[], decidedUpTo: Slot): void {
    const recovered = new Map(votes.map((entry) => [entry.slot, entry]))
    const range = { fromSlot: decidedUpTo + 1, lastSlot: Number.POSITIVE_INFINITY, below: Number.POSITIVE_INFINITY }
    this.#checkVotes(nodeId, range, recovered, 'forgot in a restart its')
  }

  /** Whether the value is the chosen one of its slot. */
  #isChosen({ slot, value }: LogEntry): boolean {
    const chosen = this.chosenAt(slot)
    return chosen !== undefined && sameValue(chosen, value)
  }

  /** Each of the node's votes in the range stands in `told`, unless that says what is chosen anyway. */
  #checkVotes(
    nodeId: NodeId,
    { fromSlot, lastSlot, below }: { fromSlot: Slot; lastSlot: Slot; below: Ballot },
    told: ReadonlyMap<Slot, LogEntry>,
    how: string,
  ): void {
    const directory = this.directoryOf(nodeId)
    const last = Math.min(lastSlot, directory.votedUpTo)
    for (let slot = fromSlot; slot <= last; slot++) {
      const vote = this.#slots[slot]?.rounds.findLast((r) => r.ballot < below && r.voters.has(directory))
      if (vote === undefined) continue
      const entry = told.get(slot)
      check(
        entry !== undefined && (entry.ballot >= vote.ballot || this.#isChosen(entry)),
        () => `node ${nodeId} ${how} vote for slot ${slot} in ballot ${formatBallot(vote.ballot)}`,
      )
    }
  }

  #isAllowed(slot: Slot, ballot: Ballot, value: Value): boolean {
    const membership = this.memberships.at(slot)
    let promised = this.#everyDirectory.filter((d) => d.promised >= ballot && isVoterOf(membership, d))
    // From the highest ballot downwards: those who voted in a higher one are of no help to a lower one's value.
    for (const round of this.#rounds(slot).rounds.toReversed()) {
      if (round.ballot >= ballot) continue
      if (!isQuorumOf(membership, promised)) return false
      const others = promised.filter((directory) => !round.voters.has(directory))
      if (others.length < promised.length && sameValue(round.value, value)) return true
      promised = others
    }
    return isQuorumOf(membership, promised)
  }

  /** Whether some membership says that the node votes from that slot on, and from this directory. */
  #hasLife(nodeId: NodeId, votesFrom: Slot): boolean {
    const { dataDirId } = this.directoryOf(nodeId)
    return this.memberships.all.some((membership) => {
      const member = membership.member(nodeId)
      return member?.dataDirId === dataDirId && member.votesFrom === votesFrom
    })
  }

  /** Whether this round, if it is the lowest such, has chosen its value by now. */
  #count(slot: Slot, rounds: SlotRounds, round: Round): void {
    if (slot > this.governedUpTo || (rounds.chosen !== undefined && round.ballot >= rounds.chosen.ballot)) return
    if (!isQuorumOf(this.memberships.at(slot), round.voters)) return
    for (const higher of rounds.rounds) {
      check(
        higher.ballot <= round.ballot || sameValue(higher.value, round.value),
        () =>
          `slot ${slot} has a chosen value in ballot ${formatBallot(round.ballot)}, and another one was proposed in a higher ballot`,
      )
    }
    rounds.chosen = round
  }

  /** Each slot more in which a value is chosen says who votes in one slot more. */
  #advance(): void {
    for (;;) {
      const slot = this.#chosenUpTo + 1
      const value = this.chosenAt(slot)
      if (value === undefined) return
      this.#chosenUpTo = slot
      if (value.kind === 'membership') this.memberships.onChosen(slot, value)
      const governed = this.governedUpTo
      const rounds = this.#slots[governed]
      for (const round of rounds?.rounds ?? []) this.#count(governed, rounds as SlotRounds, round)
    }
  }

  #rounds(slot: Slot): SlotRounds {
    const known = this.#slots[slot]
    if (known !== undefined) return known
    const made: SlotRounds = { rounds: [], chosen: undefined }
    this.#slots[slot] = made
    return made
  }

  /** Rounds stand in the order of their ballots. */
  #round({ rounds }: SlotRounds, { slot, ballot, value }: LogEntry, who: () => string): Round {
    let at = rounds.length
    while (at > 0 && (rounds[at - 1] as Round).ballot >= ballot) at--
    const known = rounds[at]
    if (known?.ballot === ballot) {
      check(
        sameValue(known.value, value),
        () => `${who()} another value for slot ${slot} in ballot ${formatBallot(ballot)} than stood in that ballot before`,
      )
      return known
    }
    const made: Round = { ballot, value, voters: new Set() }
    rounds.splice(at, 0, made)
    return made
  }
}

function isVoterOf(membership: BookedMembership, { nodeId, dataDirId }: Directory): boolean {
  const member = membership.member(nodeId)
  return member !== undefined && member.votesFrom > 0 && member.dataDirId === dataDirId
}

function isQuorumOf(membership: BookedMembership, directories: Iterable<Directory>): boolean {
  let count = 0
  for (const directory of directories) if (isVoterOf(membership, directory)) count++
  return membership.isMajority(count)
}
