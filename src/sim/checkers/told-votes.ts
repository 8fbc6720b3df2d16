import { formatBallot } from '../../paxos/ballot.js'
import type { Promised } from '../../paxos/messages.js'
import type { Ballot, LogEntry, NodeId, Slot } from '../../paxos/types.js'
import { sameValue } from '../../paxos/value.js'
import { check } from './violation.js'
import type { VoteBook } from './vote-book.js'

/** Checks A3: a promise reports every vote below its ballot that is on the node's disk, and otherwise only what is chosen. */
export function checkReported(
  book: VoteBook,
  nodeId: NodeId,
  { ballot, fromSlot, accepted, decidedUpTo, nextSlot, votesFrom }: Promised,
): void {
  check(
    votesFrom === 0 || hasLife(book, nodeId, votesFrom),
    () => `node ${nodeId} promised as one that votes from slot ${votesFrom} on, which its directory was never said to do`,
  )
  const reported = new Map(accepted.map((entry) => [entry.slot, entry]))
  const lastSlot = nextSlot === 0 ? Number.POSITIVE_INFINITY : nextSlot - 1
  checkVotes(
    book,
    nodeId,
    { fromSlot: Math.max(fromSlot, decidedUpTo + 1), lastSlot, below: ballot },
    reported,
    'promised without its',
  )
  for (const entry of accepted) {
    check(
      book.hasVoted(nodeId, entry.slot, entry.ballot) || isChosen(book, entry),
      () => `node ${nodeId} reported a vote for slot ${entry.slot} that is not on its disk`,
    )
  }
}

/** Checks A3 at a start: a node recovers its votes for all slots that it does not know to be decided. */
export function checkRecovered(book: VoteBook, nodeId: NodeId, votes: readonly LogEntry[], decidedUpTo: Slot): void {
  const recovered = new Map(votes.map((entry) => [entry.slot, entry]))
  const range = { fromSlot: decidedUpTo + 1, lastSlot: Number.POSITIVE_INFINITY, below: Number.POSITIVE_INFINITY }
  checkVotes(book, nodeId, range, recovered, 'forgot in a restart its')
}

/** Returns true if the value is the chosen one of its slot. */
function isChosen(book: VoteBook, { slot, value }: LogEntry): boolean {
  const chosen = book.chosenAt(slot)
  return chosen !== undefined && sameValue(chosen, value)
}

/** Checks that each of the node's votes in the range is in `told`, unless a chosen value is there. */
function checkVotes(
  book: VoteBook,
  nodeId: NodeId,
  { fromSlot, lastSlot, below }: { fromSlot: Slot; lastSlot: Slot; below: Ballot },
  told: ReadonlyMap<Slot, LogEntry>,
  how: string,
): void {
  const last = Math.min(lastSlot, book.directoryOf(nodeId).votedUpTo)
  for (let slot = fromSlot; slot <= last; slot++) {
    const voted = book.lastVoteOf(nodeId, slot, below)
    if (voted === undefined) continue
    const entry = told.get(slot)
    check(
      entry !== undefined && (entry.ballot >= voted || isChosen(book, entry)),
      () => `node ${nodeId} ${how} vote for slot ${slot} in ballot ${formatBallot(voted)}`,
    )
  }
}

/** Returns true if some membership says that the node votes from that slot on, from this directory. */
function hasLife(book: VoteBook, nodeId: NodeId, votesFrom: Slot): boolean {
  const { dataDirId } = book.directoryOf(nodeId)
  return book.memberships.all.some((membership) => {
    const member = membership.member(nodeId)
    return member?.dataDirId === dataDirId && member.votesFrom === votesFrom
  })
}
