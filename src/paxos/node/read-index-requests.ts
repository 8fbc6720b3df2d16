import type { ReadIndexReply } from '../messages.js'
import type { CoreOptions } from '../options.js'
import type { Outbox } from '../outbox.js'
import type { NodeId } from '../types.js'
import { answerRead, boundWaiting, type WaitingRead } from '../waiting-reads.js'

/** A follower's side of linearizable reads: asks the leader for a read index, one question at a time for all reads that wait. */
export class ReadIndexRequests {
  readonly #self: NodeId
  readonly #out: Outbox
  readonly #options: CoreOptions
  /** Came after the question in flight was asked. */
  #waiting: WaitingRead[] = []
  #asked: { readonly readId: number; readonly reads: readonly WaitingRead[]; readonly retryAtMs: number } | undefined
  #lastReadId: number

  /** `firstId`: no id that this node used before a restart, or a late reply of then would answer a read of now with a stale slot. */
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

  /** Whoever was asked leads no more, or never answered: the next leader will be. */
  askAgain(): void {
    if (this.#asked === undefined) return
    this.#waiting = boundWaiting([...this.#asked.reads, ...this.#waiting])
    this.#asked = undefined
  }

  /** True when a question has gone unanswered for too long. */
  tick(nowMs: number): boolean {
    if (this.#asked === undefined || nowMs < this.#asked.retryAtMs) return false
    this.askAgain()
    return true
  }

  /** Asks the leader, or whoever knows a way to it, on behalf of all that wait, unless a question is in flight. */
  flushTo(to: NodeId, nowMs: number): void {
    if (this.#asked !== undefined || this.#waiting.length === 0) return
    this.#asked = { readId: ++this.#lastReadId, reads: this.#waiting, retryAtMs: nowMs + this.#options.retryDelayMs }
    this.#waiting = []
    this.#out.send(to, { kind: 'readIndex', readId: this.#lastReadId })
  }

  /** This node leads now: it answers for itself. */
  takeAll(): readonly WaitingRead[] {
    this.askAgain()
    const reads = this.#waiting
    this.#waiting = []
    return reads
  }
}
