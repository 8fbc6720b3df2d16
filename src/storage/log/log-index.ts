import { assert } from '../../paxos/assert.js'
import type { Slot } from '../../paxos/types.js'
import { RecordTally } from '../record-tally.js'
import type { LogWindow } from '../storage.js'

const CAPACITY_MIN = 1_024

/** The checksum and size of a log record. */
interface IndexedRecord {
  readonly checksum: number
  /** Bytes of the record with its key. */
  readonly bytes: number
}

/**
 * The checksum and the size of every record of the log, so that records can be replaced and trimmed without a read. Decided slots have
 * no gap and are held in a ring of twelve bytes a slot; open slots are few and are held in a map.
 */
export class LogIndex {
  readonly #tally = new RecordTally()
  /** Checksums of the slots above #compactedUpTo up to #decidedUpTo, at slot % capacity. */
  #checksums = new Uint32Array(CAPACITY_MIN)
  #sizes = new Float64Array(CAPACITY_MIN)
  /** Bytes of the records of decided slots. */
  #decidedBytes = 0
  #compactedUpTo: Slot
  #decidedUpTo: Slot
  #trimmedBytes = 0
  readonly #open = new Map<Slot, IndexedRecord>()

  constructor(compactedUpTo: Slot) {
    this.#compactedUpTo = compactedUpTo
    this.#decidedUpTo = compactedUpTo
  }

  get compactedUpTo(): Slot {
    return this.#compactedUpTo
  }

  get decidedUpTo(): Slot {
    return this.#decidedUpTo
  }

  /** Bytes of the records of decided slots. */
  get decidedBytes(): number {
    return this.#decidedBytes
  }

  /** Returns the bytes of a slot's record with its key; 0 when the slot is not decided or no longer in the log. */
  bytesOf(slot: Slot): number {
    return slot > this.#compactedUpTo && slot <= this.#decidedUpTo ? (this.#sizes[slot % this.#sizes.length] ?? 0) : 0
  }

  get count(): number {
    return this.#tally.count
  }

  get sum(): number {
    return this.#tally.sum
  }

  /** Adds the record of a vote or a learned value; it replaces an earlier one for the slot. */
  put(slot: Slot, checksum: number, bytes: number): void {
    assert(slot > this.#decidedUpTo, 'a decided slot is never written again')
    const replaced = this.#open.get(slot)
    if (replaced !== undefined) this.#tally.remove(replaced.checksum)
    this.#tally.add(checksum)
    this.#open.set(slot, { checksum, bytes })
  }

  /** Replaces the record of a decided slot that is in the log by the same value with a mark. */
  mark(slot: Slot, checksum: number, bytes: number): void {
    assert(slot > this.#compactedUpTo && slot <= this.#decidedUpTo, 'a marked slot is decided and in the log')
    const at = slot % this.#checksums.length
    this.#tally.remove(this.#checksums[at] ?? 0)
    this.#tally.add(checksum)
    this.#decidedBytes += bytes - (this.#sizes[at] ?? 0)
    this.#checksums[at] = checksum
    this.#sizes[at] = bytes
  }

  /** Moves the slots up to `upTo` to the decided ones, which are never replaced. */
  decide(upTo: Slot): void {
    for (let slot = this.#decidedUpTo + 1; slot <= upTo; slot++) {
      const entry = this.#open.get(slot)
      assert(entry !== undefined, 'the log holds every decided slot')
      this.#open.delete(slot)
      this.#push(entry)
    }
  }

  /**
   * Removes the oldest records while the log exceeds the window: at most countMax, and none above `upTo`. Returns the count; the first
   * removed slot is the former compactedUpTo + 1.
   */
  trim(window: LogWindow, limits: { readonly upTo: Slot; readonly countMax: number }): number {
    let count = 0
    while (count < limits.countMax && this.#compactedUpTo < Math.min(limits.upTo, this.#decidedUpTo)) {
      const isTooLong = this.#decidedUpTo - this.#compactedUpTo > window.slots || this.#decidedBytes > window.bytes
      if (!isTooLong) break
      this.#shift()
      count += 1
    }
    return count
  }

  /** Returns true, once, each time that at least `bytes` have been trimmed since it last returned true. */
  claimTrimmed(bytes: number): boolean {
    if (this.#trimmedBytes < bytes) return false
    this.#trimmedBytes = 0
    return true
  }

  /** Removes every record up to `upTo` and returns their slots. All slots up to there count as decided. */
  removeUpTo(upTo: Slot): Slot[] {
    const removed: Slot[] = []
    while (this.#compactedUpTo < Math.min(upTo, this.#decidedUpTo)) removed.push(this.#shift())
    for (const [slot, { checksum }] of this.#open) {
      if (slot > upTo) continue
      removed.push(slot)
      this.#tally.remove(checksum)
      this.#open.delete(slot)
    }
    this.#compactedUpTo = Math.max(this.#compactedUpTo, upTo)
    this.#decidedUpTo = Math.max(this.#decidedUpTo, upTo)
    return removed
  }

  #push({ checksum, bytes }: IndexedRecord): void {
    if (this.#decidedUpTo - this.#compactedUpTo === this.#checksums.length) this.#grow()
    this.#decidedUpTo += 1
    const at = this.#decidedUpTo % this.#checksums.length
    this.#checksums[at] = checksum
    this.#sizes[at] = bytes
    this.#decidedBytes += bytes
  }

  /** Removes the oldest decided record. */
  #shift(): Slot {
    this.#compactedUpTo += 1
    const at = this.#compactedUpTo % this.#checksums.length
    this.#tally.remove(this.#checksums[at] ?? 0)
    const bytes = this.#sizes[at] ?? 0
    this.#decidedBytes -= bytes
    this.#trimmedBytes += bytes
    return this.#compactedUpTo
  }

  #grow(): void {
    const before = this.#checksums.length
    const checksums = new Uint32Array(2 * before)
    const sizes = new Float64Array(2 * before)
    for (let slot = this.#compactedUpTo + 1; slot <= this.#decidedUpTo; slot++) {
      checksums[slot % checksums.length] = this.#checksums[slot % before] ?? 0
      sizes[slot % sizes.length] = this.#sizes[slot % before] ?? 0
    }
    this.#checksums = checksums
    this.#sizes = sizes
  }
}
