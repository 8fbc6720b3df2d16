interface ScheduledEvent {
  readonly atUs: number
  /** Breaks ties: events of the same time happen in the order in which they were scheduled. */
  readonly order: number
  readonly run: () => void
}

const US_PER_MS = 1_000

/** Virtual time, in whole microseconds: it jumps from event to event. */
export class Scheduler {
  /** A binary heap, the next event at its root. */
  readonly #heap: ScheduledEvent[] = []
  #nowUs = 0
  #lastOrder = 0

  get nowUs(): number {
    return this.#nowUs
  }

  get nowMs(): number {
    return this.#nowUs / US_PER_MS
  }

  /** Runs `run` once, `delayMs` (at least 0) from now. It cannot be cancelled: `run` must check if it is still wanted. */
  after(delayMs: number, run: () => void): void {
    this.#push({ atUs: this.#nowUs + Math.max(0, Math.round(delayMs * US_PER_MS)), order: ++this.#lastOrder, run })
  }

  /** Runs the next event, if it is due by `untilMs`. Otherwise sets the time to `untilMs` and returns false. */
  step(untilMs: number): boolean {
    const next = this.#heap[0]
    if (next === undefined || next.atUs > untilMs * US_PER_MS) {
      this.#nowUs = Math.max(this.#nowUs, Math.round(untilMs * US_PER_MS))
      return false
    }
    this.#pop()
    this.#nowUs = next.atUs
    next.run()
    return true
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as ScheduledEvent
      if (isBefore(above, event)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as ScheduledEvent
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as ScheduledEvent, heap[child] as ScheduledEvent)) child++
      if (isBefore(last, heap[child] as ScheduledEvent)) break
      heap[at] = heap[child] as ScheduledEvent
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order)
}
