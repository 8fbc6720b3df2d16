import { formatBallot, NO_BALLOT } from '../paxos/ballot.js'
import type { Promised } from '../paxos/messages.js'
import type { Ballot, LogEntry, NodeId, Slot, Value } from '../paxos/types.js'
import { sameValue } from '../paxos/value.js'
import { promise } from './broken-promise.js'

/** What one ballot has done to a slot. */
interface Round {
  readonly ballot: Ballot
  readonly value: Value
  /** The nodes on whose disks the vote is, a bit each. */
  voters: number
}

interface SlotRounds {
  readonly rounds: Round[]
  /** The round of the lowest ballot that a majority has voted in: its value is chosen, whether anybody knows it or not. */
  chosen: Round | undefined
}

interface Disk {
  promised: Ballot
  hasGenesis: boolean
  /** No vote is in a slot above this one. */
  votedUpTo: Slot
}

/**
 * All that was ever proposed, or is on a disk: the global invariants of the protocol are about this, whatever the nodes believe. It
 * never forgets: of a directory that is lost nobody may vote again.
 */
export class VoteBook {
  readonly #slots: (SlotRounds | undefined)[] = []
  readonly #disks: Disk[]
  /** So many members are a majority. */
  readonly quorum: number
  /** How far each ballot's proposals have been compared with what its leader calls decided. */
  readonly #comparedUpTo = new Map<Ballot, Slot>()
  #chosenUpTo: Slot = 0

  constructor(nodeCount: number) {
    this.quorum = Math.floor(nodeCount / 2) + 1
    this.#disks = Array.from({ length: nodeCount + 1 }, () => ({ promised: NO_BALLOT, hasGenesis: false, votedUpTo: 0 }))
  }

  /** In every slot up to here a value is chosen. */
  get chosenUpTo(): Slot {
    return this.#chosenUpTo
  }

  chosenAt(slot: Slot): Value | undefined {
    return this.#slots[slot]?.chosen?.value
  }

  /** Whether the genesis is on the node's disk. */
  isMember(nodeId: NodeId): boolean {
    return this.#disk(nodeId).hasGenesis
  }

  onGenesis(nodeId: NodeId): void {
    this.#disk(nodeId).hasGenesis = true
  }

  /** On the node's disk. */
  promisedBy(nodeId: NodeId): Ballot {
    return this.#disk(nodeId).promised
  }

  /** On the node's disk. */
  hasVoted(nodeId: NodeId, slot: Slot, ballot: Ballot): boolean {
    const round = this.#slots[slot]?.rounds.find((r) => r.ballot === ballot)
    return round !== undefined && (round.voters & bitOf(nodeId)) !== 0
  }

  /** A1: a disk's promise only rises. */
  onPromised(nodeId: NodeId, ballot: Ballot): void {
    const disk = this.#disk(nodeId)
    promise(ballot >= disk.promised, () => `node ${nodeId} lowered the promise on its disk to ballot ${formatBallot(ballot)}`)
    disk.promised = ballot
  }

  /** A vote has reached a disk. */
  onVote(nodeId: NodeId, { slot, ballot, value }: LogEntry): void {
    const disk = this.#disk(nodeId)
    // A2. Records are in order: the promise comes first.
    promise(
      ballot === disk.promised,
      () => `node ${nodeId} accepted slot ${slot} in a ballot that it has not promised, or no more`,
    )
    disk.votedUpTo = Math.max(disk.votedUpTo, slot)
    const rounds = this.#rounds(slot)
    // A4
    const round = this.#round(rounds, { slot, ballot, value }, () => `node ${nodeId} accepted`)
    // A5
    const { chosen } = rounds
    promise(
      chosen === undefined || ballot < chosen.ballot || sameValue(chosen.value, value),
      () => `node ${nodeId} accepted another value for slot ${slot} than a majority had accepted in a lower ballot`,
    )
    round.voters |= bitOf(nodeId)
    if (this.#isMajority(round.voters) && (chosen === undefined || ballot < chosen.ballot)) this.#onChosen(slot, rounds, round)
  }

  /**
   * C1 and C2: a ballot has one value for a slot, and it is one that the disks of some majority allow. Those have promised the ballot,
   * so that they vote in no lower one any more; and of what they have voted for below it, the highest ballot's value is this one.
   */
  onProposed(nodeId: NodeId, { slot, ballot, value }: LogEntry): { readonly isNewToSlot: boolean } {
    const rounds = this.#rounds(slot)
    const isNewToSlot = !rounds.rounds.some((r) => r.value === value || (r.ballot !== ballot && sameValue(r.value, value)))
    const isKnown = rounds.rounds.some((r) => r.ballot === ballot)
    this.#round(rounds, { slot, ballot, value }, () => `node ${nodeId} proposed`)
    if (isKnown) return { isNewToSlot: false }
    promise(
      this.#isAllowed(rounds, ballot, value),
      () => `node ${nodeId} proposed in slot ${slot} and ballot ${formatBallot(ballot)} what no majority of promises allows`,
    )
    return { isNewToSlot }
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
      promise(
        chosen !== undefined && chosen.ballot <= ballot,
        () => `node ${nodeId} called slot ${slot} decided in ballot ${formatBallot(ballot)}, but it was chosen in a higher one`,
      )
    }
  }

  /** A3: a promise reports every vote below its ballot that is on the node's disk, and nothing else but what is chosen. */
  checkReported(nodeId: NodeId, { ballot, fromSlot, accepted, decidedUpTo, nextSlot }: Promised): void {
    const reported = new Map(accepted.map((entry) => [entry.slot, entry]))
    const lastSlot = nextSlot === 0 ? Number.POSITIVE_INFINITY : nextSlot - 1
    this.#checkVotes(
      nodeId,
      { fromSlot: Math.max(fromSlot, decidedUpTo + 1), lastSlot, below: ballot },
      reported,
      'promised without its',
    )
    for (const entry of accepted) {
      promise(
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
    const last = Math.min(lastSlot, this.#disk(nodeId).votedUpTo)
    for (let slot = fromSlot; slot <= last; slot++) {
      const vote = this.#slots[slot]?.rounds.findLast((r) => r.ballot < below && (r.voters & bitOf(nodeId)) !== 0)
      if (vote === undefined) continue
      const entry = told.get(slot)
      promise(
        entry !== undefined && (entry.ballot >= vote.ballot || this.#isChosen(entry)),
        () => `node ${nodeId} ${how} vote for slot ${slot} in ballot ${formatBallot(vote.ballot)}`,
      )
    }
  }

  #isAllowed({ rounds }: SlotRounds, ballot: Ballot, value: Value): boolean {
    let promised = 0
    this.#disks.forEach((disk, nodeId) => {
      if (disk.promised >= ballot) promised |= bitOf(nodeId)
    })
    // From the highest ballot downwards: those who voted in a higher one are of no help to a lower one's value.
    for (const round of rounds.toReversed()) {
      if (round.ballot >= ballot) continue
      if (!this.#isMajority(promised)) return false
      if ((round.voters & promised) !== 0 && sameValue(round.value, value)) return true
      promised &= ~round.voters
    }
    return this.#isMajority(promised)
  }

  #onChosen(slot: Slot, rounds: SlotRounds, round: Round): void {
    for (const higher of rounds.rounds) {
      promise(
        higher.ballot <= round.ballot || sameValue(higher.value, round.value),
        () =>
          `slot ${slot} has a chosen value in ballot ${formatBallot(round.ballot)}, and another one was proposed in a higher ballot`,
      )
    }
    rounds.chosen = round
    while (this.#slots[this.#chosenUpTo + 1]?.chosen !== undefined) this.#chosenUpTo++
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
      promise(
        sameValue(known.value, value),
        () => `${who()} another value for slot ${slot} in ballot ${formatBallot(ballot)} than stood in that ballot before`,
      )
      return known
    }
    const made: Round = { ballot, value, voters: 0 }
    rounds.splice(at, 0, made)
    return made
  }

  #disk(nodeId: NodeId): Disk {
    const disk = this.#disks[nodeId]
    promise(disk !== undefined, () => `node ${nodeId}, which is no member, took part`)
    return disk
  }

  #isMajority(voters: number): boolean {
    let count = 0
    for (let left = voters; left !== 0; left &= left - 1) count++
    return count >= this.quorum
  }
}

function bitOf(nodeId: NodeId): number {
  return 1 << nodeId
}
