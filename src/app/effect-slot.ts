import type { Outcome } from './operation.js'
import { OPERATIONS } from './operations/index.js'
import { Refusal } from './refusal.js'

/**
 * The slot in which a command of this slot took effect: this one, or the one of the movement that it repeats. A batch took effect where the
 * last of its transfers did.
 */
export function effectSlot(outcome: Outcome, slot: number): number {
  if (outcome instanceof Refusal) return outcome.movement?.slot ?? slot
  return OPERATIONS[outcome.$case].effectSlot?.(outcome.value as never, slot) ?? slot
}
