import type { Observer } from '../observer/observer.js'
import type { Message } from '../paxos/messages.js'
import { messageBytes } from '../protocol/peer.js'

export interface QueueBounds {
  readonly countMax: number
  readonly bytesMax: number
}

/**
 * Small messages that go before all others: those that tell who is alive, and who leads, as late they cost an election; and those that
 * others wait for with all that they have under way. A vote behind the commands of a crowd of clients holds up the crowd.
 */
const URGENT: ReadonlySet<Message['kind']> = new Set<Message['kind']>([
  'heartbeat',
  'heartbeatAck',
  'poll',
  'pollReply',
  'nack',
  'takeOver',
  'prepare',
  'accepted',
  'catchUp',
  'readIndex',
  'readIndexReply',
])

/**
 * Messages to one peer that wait for the frame before them. Past its bounds the oldest are dropped: Paxos tolerates loss, and what
 * is newest says most; a peer that is slow must cost the others neither time nor memory.
 */
export class MessageQueue {
  readonly #bounds: QueueBounds
  readonly #urgent = new Lane()
  readonly #others = new Lane()
  readonly #observer: Observer | undefined
  #droppedCount = 0

  constructor(bounds: QueueBounds, observer?: Observer) {
    this.#bounds = bounds
    this.#observer = observer
  }

  get count(): number {
    return this.#urgent.count + this.#others.count
  }

  /** About, as messageBytes counts. */
  get bytes(): number {
    return this.#urgent.bytes + this.#others.bytes
  }

  /** Since the beginning. */
  get droppedCount(): number {
    return this.#droppedCount
  }

  push(message: Message): void {
    const size = messageBytes(message)
    if (size > this.#bounds.bytesMax) {
      this.#noteDropped(1)
      return
    }
    if (URGENT.has(message.kind)) this.#urgent.push(message, size)
    else this.#others.push(message, size)
    while (this.count > this.#bounds.countMax || this.bytes > this.#bounds.bytesMax) {
      if (this.#others.count > 0) this.#others.shift()
      else this.#urgent.shift()
      this.#noteDropped(1)
    }
  }

  /** Takes messages for one frame, the urgent ones first, each kind in order: as many as fit in bytesMax, but one at least, if any. */
  take(bytesMax: number): Message[] {
    const urgent = this.#urgent.take(bytesMax, true)
    const left = bytesMax - urgent.bytes
    return left > 0 ? [...urgent.messages, ...this.#others.take(left, urgent.bytes === 0).messages] : urgent.messages
  }

  /** Counts a message that was not even queued. */
  drop(): void {
    this.#noteDropped(1)
  }

  /** Drops everything. */
  clear(): void {
    this.#noteDropped(this.count)
    this.#urgent.clear()
    this.#others.clear()
  }

  #noteDropped(count: number): void {
    this.#droppedCount += count
    if (count > 0) this.#observer?.count('messagesDropped', count)
  }
}

/** First in, first out. Constant work per message, amortised. */
class Lane {
  /** Live from #head on. Taken and dropped places are cut off when the dead part is the bigger one. */
  #messages: Message[] = []
  #sizes: number[] = []
  #head = 0
  #bytes = 0

  get count(): number {
    return this.#messages.length - this.#head
  }

  get bytes(): number {
    return this.#bytes
  }

  push(message: Message, size: number): void {
    this.#messages.push(message)
    this.#sizes.push(size)
    this.#bytes += size
  }

  shift(): void {
    this.#bytes -= this.#sizes[this.#head] ?? 0
    this.#head += 1
    this.#compact()
  }

  take(bytesMax: number, isOneTaken: boolean): { readonly messages: Message[]; readonly bytes: number } {
    const from = this.#head
    let bytes = 0
    for (let next = this.#sizes[this.#head]; next !== undefined; next = this.#sizes[this.#head]) {
      if (bytes + next > bytesMax && !(isOneTaken && bytes === 0)) break
      bytes += next
      this.#head += 1
    }
    this.#bytes -= bytes
    const messages = this.#messages.slice(from, this.#head)
    this.#compact()
    return { messages, bytes }
  }

  clear(): void {
    this.#messages = []
    this.#sizes = []
    this.#head = 0
    this.#bytes = 0
  }

  #compact(): void {
    if (this.#head < this.#messages.length && this.#head <= this.count) return
    this.#messages = this.#messages.slice(this.#head)
    this.#sizes = this.#sizes.slice(this.#head)
    this.#head = 0
  }
}
