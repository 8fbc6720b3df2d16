import type { Journal } from '../tables/journal.js'
import { Refusal } from './refusal.js'

/** More than any command makes the state grow by, which is at most 4 MiB long: with so much room left nothing has to be watched. */
const GROWTH_BYTES_MAX = 16 << 20

/** The room that is left to a command within the state's quota. */
export class Room {
  readonly #journal: Journal
  readonly #growthBytesMax: number
  /** The journal's meter goes no further up. */
  #bytesMax = Number.POSITIVE_INFINITY

  /** `growthBytesMax`: smaller in tests only, where commands are smaller. */
  constructor(journal: Journal, growthBytesMax = GROWTH_BYTES_MAX) {
    this.#journal = journal
    this.#growthBytesMax = growthBytesMax
  }

  /** Begins a command, which may let the state grow by `roomBytes`; below 0: not at all. Absent: without a bound. */
  begin(roomBytes = Number.POSITIVE_INFINITY): void {
    this.#bytesMax = this.#journal.meter.bytes + roomBytes
  }

  /**
   * Carries out a part of the command that is done or not done as a whole. QUOTA_EXCEEDED when there is no room for it: nothing has
   * changed then. What does not make the state grow is done also past the quota.
   */
  within<T>(work: () => T): T | Refusal {
    const { meter } = this.#journal
    const before = meter.bytes
    if (before + this.#growthBytesMax <= this.#bytesMax) return work()
    this.#journal.begin()
    const outcome = work()
    if (!this.#isTooMuch(before)) return this.#keep(outcome)
    this.#journal.rollback()
    return quotaExceeded()
  }

  /** As within, of work that is done in steps. */
  *withinSteps<T>(work: Generator<undefined, T>): Generator<undefined, T | Refusal> {
    const { meter } = this.#journal
    const before = meter.bytes
    if (before + this.#growthBytesMax <= this.#bytesMax) return yield* work
    this.#journal.begin()
    const outcome = yield* work
    if (!this.#isTooMuch(before)) return this.#keep(outcome)
    yield* this.#journal.rollbackInSteps()
    return quotaExceeded()
  }

  #isTooMuch(before: number): boolean {
    const { bytes } = this.#journal.meter
    return bytes > before && bytes > this.#bytesMax
  }

  #keep<T>(outcome: T): T {
    this.#journal.commit()
    return outcome
  }
}

function quotaExceeded(): Refusal {
  return Refusal.of('QUOTA_EXCEEDED', {})
}
