/**
 * The invariants of "Paxos Made Moderately Complex" (van Renesse and Altinbuken, 2015), and where each is checked after every step of
 * every simulated node. "Basic" ones look at one state of one node, "delta" ones at two states of it (both below, after LogCabin),
 * "global" ones at all disks and messages (sim/checkers/vote-book.ts, sim/checkers/message-checker.ts) or at all replicas (sim/checkers/checker.ts).
 *
 * | paper | statement                                                   | here                                                          |
 * | ----- | ----------------------------------------------------------- | ------------------------------------------------------------- |
 * | A1    | an acceptor adopts only rising ballots                      | delta `brokenTransitions`; on disk `VoteBook.onPromised`      |
 * | A2    | it accepts only in the ballot that it has adopted           | basic `brokenInvariants`; on disk `VoteBook.onVote`           |
 * | A3    | it never forgets what it accepted                           | delta `brokenTransitions`, for slots not known to be decided; |
 * |       |                                                             | in a promise and after a restart `VoteBook.checkReported`     |
 * | A4    | in one ballot a slot is accepted with one value             | global `VoteBook`: each vote and each proposal                |
 * | A5    | once a majority accepted a value, no other one is accepted  | global `VoteBook.onVote`                                      |
 * |       | in a higher ballot                                          |                                                               |
 * | C1    | one commander, one value for a (ballot, slot)               | global `VoteBook.onProposed`                                  |
 * | C2    | a commander's value is the one that a majority accepted in  | global `VoteBook.onProposed`, in the stronger form that makes |
 * |       | a lower ballot                                              | it true: what the promises of some majority allow             |
 * | R1    | no two replicas decide a slot differently                   | global `Checker.onApplied`                                    |
 * | R2    | every slot below the watermark has a decision               | global `Checker.onApplied`: without a gap                     |
 * | R3    | the state is that of the decisions in order                 | global: digests of results and checkpoints; the model         |
 * | R4    | a replica's watermark never goes back                       | delta `brokenTransitions`; in a restart `Checker.onStarted`   |
 * | R5    | a slot is proposed only within WINDOW of the decided ones   | global `MessageChecker`: of values that are new to the slot   |
 *
 * Beyond the paper: a message about durable state leaves only after the write (docs/protocol.md, rules 1 and 2); a ballot belongs to one life
 * of its node; a leader announces as decided only what its followers may take from its ballot; a read is confirmed by a round that began
 * after the read arrived.
 */
import { formatBallot, NO_BALLOT } from './ballot.js'
import type { Node } from './node.js'
import type { Ballot, LogEntry, Slot } from './types.js'
import { sameValue } from './value.js'

/** The part of a node's state that the invariants check. */
export interface CoreView {
  readonly promised: Ballot
  readonly decidedUpTo: Slot
  /** 0: the node does not lead. */
  readonly leadingBallot: Ballot
  /** The votes for slots not known to be decided, ascending. The array is never changed: a view keeps the votes as they were. */
  readonly votes: readonly LogEntry[]
}

export function viewOf(node: Node): CoreView {
  return {
    promised: node.promised,
    decidedUpTo: node.decidedUpTo,
    leadingBallot: node.leadingBallot,
    votes: node.openVotes,
  }
}

/** Checks what must hold at any time ("basic"). Returns one plain sentence for each broken invariant. */
export function brokenInvariants(now: CoreView): string[] {
  const broken: string[] = []
  if (now.leadingBallot !== NO_BALLOT && now.leadingBallot !== now.promised) {
    broken.push(`leads in ballot ${formatBallot(now.leadingBallot)} but has promised ${formatBallot(now.promised)}`)
  }
  for (const { slot, ballot } of now.votes) {
    if (ballot > now.promised) broken.push(`voted in slot ${slot} above its promise`)
    if (slot <= now.decidedUpTo) broken.push(`keeps an open vote for slot ${slot}, which is decided`)
  }
  return broken
}

/** Checks what must hold between two views of one node, without a restart between them ("delta"). */
export function brokenTransitions(before: CoreView, now: CoreView): string[] {
  const broken: string[] = []
  if (now.promised < before.promised) broken.push('its promise was lowered')
  if (now.decidedUpTo < before.decidedUpTo) broken.push('its watermark went back')
  if (now.leadingBallot !== NO_BALLOT && now.leadingBallot < before.leadingBallot) broken.push('it leads in a lower ballot')
  return before.votes === now.votes ? broken : [...broken, ...brokenVotes(before, now)]
}

/** Compares the votes of two views in one pass: both lists are ascending. */
function brokenVotes(before: CoreView, now: CoreView): string[] {
  const broken: string[] = []
  let at = 0
  for (const vote of before.votes) {
    const { slot } = vote
    if (slot <= now.decidedUpTo) continue
    while ((now.votes[at]?.slot ?? slot) < slot) at++
    const later = now.votes[at]
    if (later === vote) continue
    if (later?.slot !== slot) broken.push(`forgot its vote for slot ${slot}`)
    else if (later.ballot < vote.ballot) broken.push(`went back to a lower ballot in slot ${slot}`)
    else if (later.ballot === vote.ballot && !sameValue(later.value, vote.value)) broken.push(`changed its vote in slot ${slot}`)
  }
  return broken
}
