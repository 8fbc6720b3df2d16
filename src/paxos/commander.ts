import { type Membership, Tally } from './membership.js'
import type { Slot, Value } from './types.js'

/** Runs phase 2 for one slot of the leader's ballot ("Paxos Made Moderately Complex", section 2.2). */
export class Commander {
  readonly slot: Slot
  readonly value: Value
  readonly accepted: Tally
  /** When to ask those again who have not answered. */
  retryAtMs: number

  constructor(settings: { slot: Slot; value: Value; membership: Membership; retryAtMs: number }) {
    this.slot = settings.slot
    this.value = settings.value
    this.accepted = new Tally(settings.membership)
    this.retryAtMs = settings.retryAtMs
  }

  get isDecided(): boolean {
    return this.accepted.hasQuorum
  }
}
