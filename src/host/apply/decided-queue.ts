import type { LogEntry, Slot } from '../../paxos/types.js'
import { sizeOf } from '../../paxos/value.js'

/** The bound of the queue in bytes, about; the message that passes it is still taken whole. */
const QUEUED_BYTES_MAX = 32 << 20

/** Decided slots that are not applied yet, in order. */
export class DecidedQueue {
  #entries: LogEntry[] = []
  #bytes = 0

  get length(): number {
    return this.#entries.length
  }

  /** More is decided than can be held until it is applied. */
  get isFull(): boolean {
    return this.#bytes > QUEUED_BYTES_MAX
  }

  push(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      this.#entries.push(entry)
      this.#bytes += sizeOf(entry.value)
    }
  }

  /** Calls `apply` for each entry in turn until it returns 'last'. An unfinished entry stays in the queue. */
  drain(apply: (entry: LogEntry) => 'unfinished' | 'last' | 'more'): void {
    let done = 0
    while (done < this.#entries.length) {
      const entry = this.#entries[done] as LogEntry
      const outcome = apply(entry)
      if (outcome === 'unfinished') break
      done++
      this.#bytes -= sizeOf(entry.value)
      if (outcome === 'last') break
    }
    this.#entries = done === this.#entries.length ? [] : this.#entries.slice(done)
  }

  /** The state is that after this slot. */
  dropUpTo(slot: Slot): void {
    this.#entries = this.#entries.filter((entry) => entry.slot > slot)
    this.#bytes = this.#entries.reduce((bytes, entry) => bytes + sizeOf(entry.value), 0)
  }
}
