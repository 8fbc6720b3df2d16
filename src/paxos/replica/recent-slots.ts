import type { CoreOptions } from '../core-options.js'
import type { LogEntry, Slot } from '../types.js'
import { sizeOf } from '../value.js'

/** The last decided slots without a gap, kept in memory for peers that miss a few. */
export class RecentSlots {
  readonly #options: Pick<CoreOptions, 'recentSlotsMax' | 'recentBytesMax'>
  readonly #entries: LogEntry[] = []
  #bytes = 0

  constructor(options: Pick<CoreOptions, 'recentSlotsMax' | 'recentBytesMax'>) {
    this.#options = options
  }

  /** The first slot that is kept; undefined when none is. */
  get first(): Slot | undefined {
    return this.#entries[0]?.slot
  }

  /** The kept slots from `fromSlot` to `toSlot`, both included; `fromSlot` must be `first` or above. */
  between(fromSlot: Slot, toSlot: Slot): readonly LogEntry[] {
    const first = this.first ?? fromSlot
    return this.#entries.slice(fromSlot - first, Math.max(0, toSlot - first + 1))
  }

  add(entry: LogEntry): void {
    const { recentSlotsMax, recentBytesMax } = this.#options
    this.#entries.push(entry)
    this.#bytes += sizeOf(entry.value)
    if (this.#entries.length <= 2 * recentSlotsMax && this.#bytes <= 2 * recentBytesMax) return
    // Halved now and then instead of shifted every time: amortised constant work per slot.
    let drop = Math.max(0, this.#entries.length - recentSlotsMax)
    let bytes = this.#bytes
    for (let i = 0; i < drop; i++) bytes -= sizeOf((this.#entries[i] as LogEntry).value)
    while (bytes > recentBytesMax && drop < this.#entries.length - 1) {
      bytes -= sizeOf((this.#entries[drop++] as LogEntry).value)
    }
    this.#entries.splice(0, drop)
    this.#bytes = bytes
  }

  clear(): void {
    this.#entries.length = 0
    this.#bytes = 0
  }
}
