import { formatBallot, NO_BALLOT } from './ballot.js'
import type { Node } from './node.js'
import type { Ballot, Slot, Value } from './types.js'
import { sameValue } from './value.js'

/** What of a node's core the invariants look at. */
export interface CoreView {
  readonly promised: Ballot
  readonly decidedUpTo: Slot
  readonly leadingBallot: Ballot
  readonly votes: ReadonlyMap<Slot, { readonly ballot: Ballot; readonly value: Value }>
}

export function viewOf(node: Node): CoreView {
  return {
    promised: node.promised,
    decidedUpTo: node.decidedUpTo,
    leadingBallot: node.leadingBallot,
    votes: new Map(node.openVotes.map((entry) => [entry.slot, entry])),
  }
}

/** What must hold of a node at any time ("basic" invariants). One plain sentence for each that does not. */
export function brokenInvariants(now: CoreView): string[] {
  const broken: string[] = []
  if (now.leadingBallot !== NO_BALLOT && now.leadingBallot !== now.promised) {
    broken.push(`leads in ballot ${formatBallot(now.leadingBallot)} but has promised ${formatBallot(now.promised)}`)
  }
  for (const [slot, vote] of now.votes) {
    if (vote.ballot > now.promised) broken.push(`voted in slot ${slot} above its promise`)
    if (slot <= now.decidedUpTo) broken.push(`keeps an open vote for slot ${slot}, which is decided`)
  }
  return broken
}

/** What must hold between two looks at one node that did not restart in between ("delta" invariants, A1-A3 and R1 of the paper). */
export function brokenTransitions(before: CoreView, now: CoreView): string[] {
  const broken: string[] = []
  if (now.promised < before.promised) broken.push('its promise was lowered')
  if (now.decidedUpTo < before.decidedUpTo) broken.push('its watermark went back')
  for (const [slot, vote] of before.votes) {
    if (slot <= now.decidedUpTo) continue
    const later = now.votes.get(slot)
    if (later === undefined) broken.push(`forgot its vote for slot ${slot}`)
    else if (later.ballot < vote.ballot) broken.push(`went back to a lower ballot in slot ${slot}`)
    else if (later.ballot === vote.ballot && !sameValue(later.value, vote.value)) broken.push(`changed its vote in slot ${slot}`)
  }
  return broken
}
