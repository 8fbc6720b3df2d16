import type { Movement } from './bank/movement.js'
import type { Outcome } from './operations.js'
import { Refusal } from './refusal.js'

/**
 * Where what a command of this slot came to took effect: in this slot, or where the movement did that the command repeats. A batch
 * took effect where the last of its transfers did.
 */
export function effectSlot(outcome: Outcome, slot: number): number {
  if (outcome instanceof Refusal) return slotOf(outcome, slot)
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- nothing else is known by an id
  switch (outcome.$case) {
    case 'deposit':
    case 'withdraw':
    case 'transfer':
      return outcome.value.movement.slot
    case 'postTransfer':
    case 'voidTransfer':
      return outcome.value.movement.endSlot
    case 'transferBatch':
      return Math.max(...outcome.value.results.map((result) => slotOf(result, slot)))
    default:
      return slot
  }
}

function slotOf(result: Movement | Refusal, slot: number): number {
  if (!(result instanceof Refusal)) return result.slot
  return result.movement?.slot ?? slot
}
