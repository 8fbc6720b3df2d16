import type { Message } from '../paxos/messages.js'
import { messageBytes } from '../wire/peer.js'

export interface QueueBounds {
  readonly countMax: number
  readonly bytesMax: number
}

/**
 * Messages to one peer that wait for the frame before them. Past its bounds the oldest are dropped: Paxos tolerates loss, and what
 * is newest says most; a peer that is slow must cost the others neither time nor memory.
 */
export class MessageQueue {
  readonly #bounds: QueueBounds
  /** Live from #head on. Taken and dropped places are cut off when the dead part is the bigger one. */
  #messages: Message[] = []
  #sizes: number[] = []
  #head = 0
  #bytes = 0
  #droppedCount = 0

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds
  }

  get count(): number {
    return this.#messages.length - this.#head
  }

  /** About, as messageBytes counts. */
  get bytes(): number {
    return this.#bytes
  }

  /** Since the beginning. */
  get droppedCount(): number {
    return this.#droppedCount
  }

  push(message: Message): void {
    const size = messageBytes(message)
    if (size > this.#bounds.bytesMax) {
      this.#droppedCount += 1
      return
    }
    this.#messages.push(message)
    this.#sizes.push(size)
    this.#bytes += size
    while (this.count > this.#bounds.countMax || this.#bytes > this.#bounds.bytesMax) {
      this.#shift()
      this.#droppedCount += 1
    }
  }

  /** Takes messages for one frame, in order: as many as fit in bytesMax, but one at least, unless there is none. */
  take(bytesMax: number): Message[] {
    const from = this.#head
    let size = 0
    for (let next = this.#sizes[this.#head]; next !== undefined; next = this.#sizes[this.#head]) {
      if (size > 0 && size + next > bytesMax) break
      size += next
      this.#bytes -= next
      this.#head += 1
    }
    const taken = this.#messages.slice(from, this.#head)
    this.#compact()
    return taken
  }

  /** Counts a message that was not even queued. */
  drop(): void {
    this.#droppedCount += 1
  }

  /** Drops everything. */
  clear(): void {
    this.#droppedCount += this.count
    this.#messages = []
    this.#sizes = []
    this.#head = 0
    this.#bytes = 0
  }

  #shift(): void {
    this.#bytes -= this.#sizes[this.#head] ?? 0
    this.#head += 1
    this.#compact()
  }

  #compact(): void {
    if (this.#head < this.#messages.length && this.#head <= this.#bounds.countMax) return
    this.#messages = this.#messages.slice(this.#head)
    this.#sizes = this.#sizes.slice(this.#head)
    this.#head = 0
  }
}
