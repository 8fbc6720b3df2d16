import { formatBallot, NO_BALLOT } from '../../paxos/ballot.js'
import type { Ballot, Genesis, LogEntry, NodeId, Slot, Value } from '../../paxos/types.js'
import { sameValue } from '../../paxos/value.js'
import { type BookedMembership, MembershipBook } from './membership-book.js'
import { check } from './violation.js'

/** The value and the votes of one ballot in a slot. */
interface BallotRound {
  readonly ballot: Ballot
  readonly value: Value
  /** Directories that hold the vote. */
  readonly voters: Set<Directory>
}

interface SlotRounds {
  readonly rounds: BallotRound[]
  /** The round of the lowest ballot that a majority has voted in. Its value is chosen, even if no node knows it yet. */
  chosen: BallotRound | undefined
}

/** A data directory of a node: one life of a voter. */
export interface Directory {
  readonly nodeId: NodeId
  readonly dataDirId: string
  promised: Ballot
  hasGenesis: boolean
  /** No vote is in a slot above this one. */
  votedUpTo: Slot
  /** The directory's own watermark. */
  decidedUpTo: Slot
  /**
   * True if the directory was put back to an earlier state, and lacks what it promised and accepted since: its node must stay
   * silent.
   */
  isOlderCopy: boolean
}

/**
 * Every proposal, and every record that reached a disk. The global invariants of the protocol are stated on these, not on what
 * nodes believe. A vote counts in a slot if the membership that governs it says that the node votes, from that very directory.
 * The book never forgets: a lost directory's votes can never be replaced.
 */
export class VoteBook {
  readonly memberships = new MembershipBook()
  readonly #slots: (SlotRounds | undefined)[] = []
  /** The directory from which each node votes now. */
  readonly #directories = new Map<NodeId, Directory>()
  /** All directories so far. */
  readonly #everyDirectory: Directory[] = []
  /** The slot up to which each ballot's proposals were compared with the decisions that its leader announced. */
  readonly #comparedUpTo = new Map<Ballot, Slot>()
  #chosenUpTo: Slot = 0
  #settledEpoch = 1

  /** Records that the node's disk has a new, empty directory from now on. */
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

  /** Records that the node's directory is put back to an earlier state. */
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

  /** Records that a node's disk has this watermark of decided slots. */
  onWatermarkWritten(nodeId: NodeId, decidedUpTo: Slot): void {
    this.directoryOf(nodeId).decidedUpTo = decidedUpTo
    this.#settle()
  }

  /**
   * The newest membership that is known to be in force on the disks of a majority of its voters, now or earlier. Any majority of
   * its voters has one node among them that still knows, whichever minority was lost since: they need no other node.
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

  /** Returns true if the genesis is on the node's disk. */
  isMember(nodeId: NodeId): boolean {
    return this.directoryOf(nodeId).hasGenesis
  }

  onGenesis(nodeId: NodeId, genesis: Genesis): void {
    this.memberships.onGenesis(nodeId, genesis)
    this.directoryOf(nodeId).hasGenesis = true
  }

  /** Up to this slot the voters are known. */
  get governedUpTo(): Slot {
    return this.memberships.isFormed ? this.#chosenUpTo + this.memberships.windowSlots : 0
  }

  /** Returns true if the node's vote counts in the slot. */
  isVoter(nodeId: NodeId, slot: Slot): boolean {
    return slot <= this.governedUpTo && this.isVoterOf(nodeId, this.memberships.at(slot))
  }

  isVoterOf(nodeId: NodeId, membership: BookedMembership): boolean {
    return isVoterOf(membership, this.directoryOf(nodeId))
  }

  /** Returns true if these are a majority of the voters of the slot. */
  isQuorum(directories: ReadonlySet<Directory>, slot: Slot): boolean {
    return isQuorumOf(this.memberships.at(slot), directories)
  }

  /** Returns the directory from which the node votes now. */
  directoryOf(nodeId: NodeId): Directory {
    const directory = this.#directories.get(nodeId)
    check(directory !== undefined, () => `node ${nodeId}, which is no member, took part`)
    return directory
  }

  /** Returns the promise on the node's disk. */
  promisedBy(nodeId: NodeId): Ballot {
    return this.directoryOf(nodeId).promised
  }

  /** Returns true if the vote is on the node's disk. */
  hasVoted(nodeId: NodeId, slot: Slot, ballot: Ballot): boolean {
    const round = this.#slots[slot]?.rounds.find((r) => r.ballot === ballot)
    return round?.voters.has(this.directoryOf(nodeId)) === true
  }

  /** Checks A1: the promise on a disk never decreases. */
  onPromised(nodeId: NodeId, ballot: Ballot): void {
    const directory = this.directoryOf(nodeId)
    check(ballot >= directory.promised, () => `node ${nodeId} lowered the promise on its disk to ballot ${formatBallot(ballot)}`)
    directory.promised = ballot
  }

  /** Records a vote that has reached a disk. */
  onVote(nodeId: NodeId, { slot, ballot, value }: LogEntry): void {
    const directory = this.directoryOf(nodeId)
    // A2. Records are in order: the promise comes before the vote.
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
   * Checks C1 and C2: a ballot has one value for a slot, and some majority of the slot's voters allows it. Each of these has
   * promised the ballot, so that it votes in no lower one any more; and of their votes below it, the one of the highest ballot
   * has this value. The voters of the slot must be known; the proposer need not be one of them any more.
   */
  onProposed(nodeId: NodeId, { slot, ballot, value }: LogEntry): void {
    check(
      slot <= this.governedUpTo,
      () => `node ${nodeId} proposed in slot ${slot}, though the voters of that slot are not known yet`,
    )
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
   * Checks the slots that the leader of `ballot` calls decided. A node that accepted one of them in that ballot takes what it
   * accepted for the decision. So a leader may call decided only what was chosen in its own ballot or a lower one: in a higher
   * ballot, another value may have been chosen.
   */
  onWatermark(nodeId: NodeId, ballot: Ballot, upTo: Slot): void {
    const comparedUpTo = this.#comparedUpTo.get(ballot)
    this.#comparedUpTo.set(ballot, Math.max(upTo, comparedUpTo ?? 0))
    // The first watermark is what the node learned before it led: it proposes nothing there.
    if (comparedUpTo === undefined) return
    for (let slot = comparedUpTo + 1; slot <= upTo; slot++) {
      const chosen = this.#slots[slot]?.chosen
      check(
        chosen !== undefined && chosen.ballot <= ballot,
        () => `node ${nodeId} called slot ${slot} decided in ballot ${formatBallot(ballot)}, but it was chosen in a higher one`,
      )
    }
  }

  /** Returns the highest ballot below `below` in which the node has voted in the slot, from its current directory. */
  lastVoteOf(nodeId: NodeId, slot: Slot, below: Ballot): Ballot | undefined {
    const directory = this.directoryOf(nodeId)
    return this.#slots[slot]?.rounds.findLast((r) => r.ballot < below && r.voters.has(directory))?.ballot
  }

  #isAllowed(slot: Slot, ballot: Ballot, value: Value): boolean {
    const membership = this.memberships.at(slot)
    let promised = this.#everyDirectory.filter((d) => d.promised >= ballot && isVoterOf(membership, d))
    // From the highest ballot downwards: a node that voted in a higher ballot does not support a lower ballot's value.
    for (const round of this.#rounds(slot).rounds.toReversed()) {
      if (round.ballot >= ballot) continue
      if (!isQuorumOf(membership, promised)) return false
      const others = promised.filter((directory) => !round.voters.has(directory))
      if (others.length < promised.length && sameValue(round.value, value)) return true
      promised = others
    }
    return isQuorumOf(membership, promised)
  }

  /** Records that this round has chosen its value, if a majority voted in it and no lower round has done so. */
  #count(slot: Slot, rounds: SlotRounds, round: BallotRound): void {
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

  /** Extends the range of slots with a chosen value: each one makes the voters of one more slot known. */
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

  /** Returns the round of a ballot. Rounds are in the order of their ballots. */
  #round({ rounds }: SlotRounds, { slot, ballot, value }: LogEntry, who: () => string): BallotRound {
    let at = rounds.length
    while (at > 0 && (rounds[at - 1] as BallotRound).ballot >= ballot) at--
    const known = rounds[at]
    if (known?.ballot === ballot) {
      check(
        sameValue(known.value, value),
        () => `${who()} another value for slot ${slot} in ballot ${formatBallot(ballot)} than stood in that ballot before`,
      )
      return known
    }
    const made: BallotRound = { ballot, value, voters: new Set() }
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
