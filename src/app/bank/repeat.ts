import { assert } from '../../tables/assert.js'
import { Refusal } from '../refusal.js'
import type { Movement, MovementDraft } from './movement.js'

/** Returns whether a movement that stands was asked for by the very same request. */
function hasSameContent(known: Movement, draft: MovementDraft): boolean {
  return (
    known.kind === draft.kind &&
    known.source === draft.source &&
    known.destination === draft.destination &&
    known.timeoutMs === draft.timeoutMs &&
    known.authorization === draft.authorization &&
    (draft.asset === '' || known.asset === draft.asset) &&
    (draft.isPending ? known.pendingAmount === draft.amount : known.pendingAmount === 0n && known.amount === draft.amount)
  )
}

/** Answers a request whose id is known: with the first result, or with ID_REUSED. */
export function repeat(known: Movement, draft: MovementDraft): Movement | Refusal {
  if (!hasSameContent(known, draft)) {
    return Refusal.of('ID_REUSED', { movement_id: draft.id, kind: known.kind })
  }
  return known.status === 'refused' ? refusalOf(known) : asMade(known)
}

/** A movement as it was made: a two-phase transfer has perhaps ended since. */
function asMade(movement: Movement): Movement {
  if (movement.pendingAmount === 0n || movement.status === 'pending') return movement
  return { ...movement, status: 'pending', amount: movement.pendingAmount, endSlot: 0, endStanding: undefined }
}

/** The refusal that a refused movement was, and stays, refused with. */
export function refusalOf(movement: Movement): Refusal {
  const { refusalReason: reason, refusedAccount, id, kind, amount } = movement
  assert(reason !== '', 'a refused movement has a reason')
  const about = { account_id: refusedAccount, movement_id: id, kind }
  return reason === 'INSUFFICIENT_FUNDS'
    ? Refusal.of(reason, { ...about, amount: String(amount) }, movement)
    : Refusal.of(reason, about, movement)
}
