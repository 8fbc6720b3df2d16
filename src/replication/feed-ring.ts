import { assert } from '../tables/assert.js'
import type { StoreEvent } from './event-log.js'

/** Bounds of a ring. A slot is kept whole: the newest one even if it alone is larger. */
export interface FeedLimits {
  readonly eventsMax: number
  /** About so many bytes of memory. */
  readonly bytesMax: number
}

export const FEED_LIMITS: FeedLimits = Object.freeze({ eventsMax: 100_000, bytesMax: 32 << 20 })

/** Events of one slot: whole revisions, ascending by (revision, sub), at least one. */
export interface FeedSlot {
  readonly slot: number
  /** Log time of the slot, in ms since 1970. */
  readonly timeMs: number
  readonly events: readonly StoreEvent[]
}

interface RingSlot extends FeedSlot {
  readonly lastRevision: bigint
  readonly bytes: number
}

/** The last slots that brought events, oldest first. */
export class FeedRing {
  readonly #limits: FeedLimits
  /** Those below #head have been let go. */
  #slots: (RingSlot | undefined)[] = []
  #head = 0
  #eventCount = 0
  #bytes = 0
  #firstRevision = 2n

  constructor(limits: FeedLimits) {
    this.#limits = limits
  }

  /** Events of this revision and above are held, as far as there are any. */
  get firstRevision(): bigint {
    return this.#firstRevision
  }

  /** Lets go of everything up to a revision, the last one that there is. */
  clear(revision: bigint): void {
    if (this.#slots.length > 0) this.#slots = []
    this.#head = 0
    this.#eventCount = 0
    this.#bytes = 0
    this.#firstRevision = revision + 1n
  }

  /** Adds a slot, and lets go of the oldest ones as long as that is too much. */
  push({ slot, timeMs, events }: FeedSlot): void {
    let bytes = 0
    for (const event of events) bytes += event.bytes
    this.#slots.push({ slot, timeMs, events, lastRevision: (events.at(-1) as StoreEvent).revision, bytes })
    this.#eventCount += events.length
    this.#bytes += bytes
    const { eventsMax, bytesMax } = this.#limits
    while ((this.#eventCount > eventsMax || this.#bytes > bytesMax) && this.#head < this.#slots.length - 1) this.#drop()
    // Not at each: moving the rest costs as much as there is.
    if (this.#head * 2 < this.#slots.length) return
    this.#slots = this.#slots.slice(this.#head)
    this.#head = 0
  }

  /** Slot of a revision that is held. O(log of the slots). */
  find(revision: bigint): FeedSlot {
    let low = this.#head
    let high = this.#slots.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#slots[middle]?.lastRevision ?? 0n) < revision) low = middle + 1
      else high = middle
    }
    const found = this.#slots[low]
    assert(found !== undefined && found.lastRevision >= revision, 'the ring has every revision that it says it holds')
    return found
  }

  #drop(): void {
    const dropped = this.#slots[this.#head] as RingSlot
    this.#slots[this.#head] = undefined
    this.#head++
    this.#eventCount -= dropped.events.length
    this.#bytes -= dropped.bytes
    this.#firstRevision = dropped.lastRevision + 1n
  }
}
