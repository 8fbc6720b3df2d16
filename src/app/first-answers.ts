import type { Deadlines } from '../tables/deadlines.js'
import { Journal } from '../tables/journal.js'
import { ANSWER_BYTES, DEADLINE_BYTES, KEY_BYTES } from '../tables/row-bytes.js'
import { type RowChange, Table } from '../tables/table.js'

/** The first answer to a request id. */
export interface FirstAnswer {
  /** Digest of the request's content. */
  readonly digest: string
  /** Encoded. */
  readonly answer: Uint8Array
}

/** Bounds of what is kept: part of the replicated state machine, the same on every node. */
export interface FirstAnswerLimits {
  /** Time for which an answer is kept, in log time. */
  readonly keptMs: number
  readonly countMax: number
  /** Bytes of all answers together. */
  readonly bytesMax: number
}

export const FIRST_ANSWER_LIMITS: FirstAnswerLimits = Object.freeze({
  keptMs: 24 * 60 * 60 * 1000,
  countMax: 100_000,
  bytesMax: 64 * 1024 * 1024,
})

/** Number of answers that give way to a new one at once, at most. */
const DROPPED_MAX = 5_000

/**
 * First answers by request_id, for callers without a session: kept for a day of log time, at most 100,000 and 64 MiB of them; the
 * oldest go first. That an id was used is never forgotten: see UsedIds. A replicated table like any other: what is kept depends on the log alone.
 */
export class FirstAnswers {
  /** A journal of its own: an answer is kept once the outcome of its request is known. */
  readonly #journal = new Journal()
  readonly #limits: FirstAnswerLimits
  readonly #deadlines: Deadlines
  readonly #answers = new Table<FirstAnswer>(this.#journal, ({ answer }) => ANSWER_BYTES + answer.length)
  #answerBytes = 0

  /** Memory that they may take, a share of the state's quota. */
  memoryBytesMax = Number.POSITIVE_INFINITY

  constructor(deadlines: Deadlines, limits: FirstAnswerLimits = FIRST_ANSWER_LIMITS) {
    this.#deadlines = deadlines
    this.#limits = limits
  }

  /** Memory that they take, without their deadlines. */
  get bytes(): number {
    return this.#journal.meter.bytes
  }

  /** See StateMachine.writtenBytes. */
  get writtenBytes(): number {
    return this.#journal.meter.writtenBytes
  }

  get(id: string): FirstAnswer | undefined {
    return this.#answers.get(id)
  }

  /** Keeps the answer to an id that is not known. */
  keep(id: string, first: FirstAnswer, nowMs: number): void {
    this.#answers.set(id, first)
    this.#answerBytes += first.answer.length
    // It has no deadline yet: older ones give way to it. A big one may take the place of very many: the rest of them goes with the next.
    for (let count = 0; count < DROPPED_MAX && this.#isFull; count++) {
      const oldest = this.#deadlines.firstOf('firstAnswer')
      if (oldest === undefined) break
      this.#deadlines.delete('firstAnswer', oldest.id)
      this.forget(oldest.id)
    }
    this.#deadlines.set('firstAnswer', id, nowMs + this.#limits.keptMs)
  }

  /** Forgets an answer whose deadline was taken out. */
  forget(id: string): void {
    this.#answerBytes -= this.#answers.get(id)?.answer.length ?? 0
    this.#answers.delete(id)
  }

  /** As Table.takeChanges. */
  takeChanges(): Iterable<RowChange<FirstAnswer>> {
    return this.#answers.takeChanges()
  }

  /** Puts back an answer of a checkpoint, in any order. */
  load(id: string, row: FirstAnswer): void {
    this.#answers.load(id, row)
    this.#answerBytes += row.answer.length
  }

  get #isFull(): boolean {
    const { countMax, bytesMax } = this.#limits
    const { size } = this.#answers
    const memoryBytes = this.bytes + size * (KEY_BYTES + DEADLINE_BYTES)
    return size > countMax || this.#answerBytes > bytesMax || memoryBytes > this.memoryBytesMax
  }
}
