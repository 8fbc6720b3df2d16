import type { CoreOptions } from '../core-options.js'
import type { ReadIndexReply } from '../messages.js'
import type { Outbox } from '../outbox.js'
import type { NodeId } from '../types.js'
import { answerRead, boundWaiting, type WaitingRead } from '../waiting-reads.js'

/** The follower's side of linearizable reads: asks the leader for a read index, with one request at a time for all reads that wait. */
export class ReadIndexRequests {
  readonly #self: NodeId
  readonly #out: Outbox
  readonly #options: CoreOptions
  /** Reads that came after the request in flight was sent. */
  #waiting: WaitingRead[] = []
  #asked: { readonly readId: number; readonly reads: readonly WaitingRead[]; readonly retryAtMs: number } | undefined
  #lastReadId: number

  /** `firstId` must not have been used before a restart: a late reply to it would answer a new read with a stale slot. */
  constructor(settings: { self: NodeId; out: Outbox; options: CoreOptions; firstId: number }) {
    this.#self = settings.self
    this.#out = settings.out
    this.#options = settings.options
    this.#lastReadId = settings.firstId - 1
  }

  add(from: NodeId, id: number): void {
    this.#waiting.push({ from, id })
    this.#waiting = boundWaiting(this.#waiting)
  }

  onReply(m: ReadIndexReply): void {
    if (m.readId !== this.#asked?.readId) return
    for (const read of this.#asked.reads) answerRead(this.#out, this.#self, read, m.slot)
    this.#asked = undefined
  }

  /** Gives up the request in flight: the node that was asked leads no more, or did not answer. Its reads are in the next request. */
  askAgain(): void {
    if (this.#asked === undefined) return
    this.#waiting = boundWaiting([...this.#asked.reads, ...this.#waiting])
    this.#asked = undefined
  }

  /** True when the request in flight was not answered in time. */
  tick(nowMs: number): boolean {
    if (this.#asked === undefined || nowMs < this.#asked.retryAtMs) return false
    this.askAgain()
    return true
  }

  /** Sends a request to the leader, or to its relay, for all reads that wait, unless a request is in flight. */
  flushTo(to: NodeId, nowMs: number): void {
    if (this.#asked !== undefined || this.#waiting.length === 0) return
    this.#asked = { readId: ++this.#lastReadId, reads: this.#waiting, retryAtMs: nowMs + this.#options.retryDelayMs }
    this.#waiting = []
    this.#out.send(to, { kind: 'readIndex', readId: this.#lastReadId })
  }

  /** Removes and returns all reads: this node leads now, and answers them itself. */
  takeAll(): readonly WaitingRead[] {
    this.askAgain()
    const reads = this.#waiting
    this.#waiting = []
    return reads
  }
}
