import { type Membership, Tally } from './membership.js'
import type { Slot, Value } from './types.js'
import { sizeOf } from './value.js'

const RETRY_DOUBLINGS_MAX = 3

/** Runs phase 2 for one slot of the leader's ballot ("Paxos Made Moderately Complex", section 2.2). */
export class Commander {
  readonly slot: Slot
  readonly value: Value
  /** About as large as the value. */
  readonly bytes: number
  readonly accepted: Tally
  /** When to ask those again who have not answered. */
  #retryAtMs: number
  #retryCount = 0

  constructor(settings: { slot: Slot; value: Value; membership: Membership; retryAtMs: number }) {
    this.slot = settings.slot
    this.value = settings.value
    this.bytes = sizeOf(settings.value)
    this.accepted = new Tally(settings.membership)
    this.#retryAtMs = settings.retryAtMs
  }

  get retryAtMs(): number {
    return this.#retryAtMs
  }

  /** They are asked again now. Where disks or links are slow, the same value must not be sent time and again: each wait is twice as long. */
  onRetry(nowMs: number, delayMs: number): void {
    this.#retryAtMs = nowMs + delayMs * 2 ** this.#retryCount
    this.#retryCount = Math.min(this.#retryCount + 1, RETRY_DOUBLINGS_MAX)
  }

  get isDecided(): boolean {
    return this.accepted.hasQuorum
  }
}
