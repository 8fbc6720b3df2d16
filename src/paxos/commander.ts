import { type Membership, Tally } from './membership.js'
import type { Slot, Value } from './types.js'
import { sizeOf } from './value.js'

const RETRY_DOUBLINGS_MAX = 3

/** Runs phase 2 for one slot of the leader's ballot ("Paxos Made Moderately Complex", section 2.2). */
export class Commander {
  readonly slot: Slot
  readonly value: Value
  /** The approximate size of the value. */
  readonly bytes: number
  readonly accepted: Tally
  /** The time to send the Accept again to the voters that have not answered. */
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

  /** Notes that the Accept is sent again. Each wait is twice as long: on slow disks or links repeated values would only add load. */
  onRetry(nowMs: number, delayMs: number): void {
    this.#retryAtMs = nowMs + delayMs * 2 ** this.#retryCount
    this.#retryCount = Math.min(this.#retryCount + 1, RETRY_DOUBLINGS_MAX)
  }

  get isDecided(): boolean {
    return this.accepted.hasQuorum
  }
}
