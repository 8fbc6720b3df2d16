import { Journal } from '../tables/journal.js'
import { ANSWER_BYTES } from '../tables/row-bytes.js'
import { type RowChange, Table } from '../tables/table.js'

/** The first answer to a request id. */
export interface FirstAnswer {
  /** Of the request's content. */
  readonly digest: string
  /** When it was given, in log time. */
  readonly timeMs: number
  /** Encoded. */
  readonly answer: Uint8Array
  /** Counts answers in the order of the log, from 1. */
  readonly sequence: number
}

/** Bounds of what is kept: part of the replicated state machine, the same on every node. */
export interface FirstAnswerLimits {
  /** How long an answer is kept, in log time. */
  readonly keptMs: number
  readonly countMax: number
  /** Of all answers together. */
  readonly bytesMax: number
}

export const FIRST_ANSWER_LIMITS: FirstAnswerLimits = Object.freeze({
  keptMs: 24 * 60 * 60 * 1000,
  countMax: 100_000,
  bytesMax: 64 * 1024 * 1024,
})

/** So many answers give way to a new one at once. */
const DROPPED_MAX = 5_000

/**
 * First answers by request_id, for callers without a session: kept for a day of log time, at most 100,000 and 64 MiB of them; the
 * oldest go first. That an id was used is never forgotten: see UsedIds. A replicated table like any other: what is kept depends on the log alone.
 */
export class FirstAnswers {
  /** Of its own: an answer is kept once it is known what came of the request. */
  readonly #journal = new Journal()
  readonly #limits: FirstAnswerLimits
  readonly #answers = new Table<FirstAnswer>(this.#journal, ({ answer }) => ANSWER_BYTES + answer.length)
  /** Ids from the oldest on, from `oldest`. Not the map's own order: a map that loses its first entry again and again walks over
   *  the gaps. */
  #ids: string[] = []
  #oldest = 0
  /** Until finishLoading. */
  #loaded: { readonly id: string; readonly sequence: number }[] = []
  #bytes = 0
  #sequence = 0

  /** What they may take in memory, a share of the state's quota. */
  memoryBytesMax = Number.POSITIVE_INFINITY

  constructor(limits: FirstAnswerLimits = FIRST_ANSWER_LIMITS) {
    this.#limits = limits
  }

  /** What they take in memory. */
  get bytes(): number {
    return this.#journal.meter.bytes
  }

  /** What was ever written of them; see StateMachine.writtenBytes. */
  get writtenBytes(): number {
    return this.#journal.meter.writtenBytes
  }

  get(id: string): FirstAnswer | undefined {
    return this.#answers.get(id)
  }

  /** Keeps the answer to an id that is not known. */
  keep(id: string, { digest, timeMs, answer }: { digest: string; timeMs: number; answer: Uint8Array }): void {
    this.#sequence++
    const first = { digest, timeMs, answer, sequence: this.#sequence }
    this.#answers.set(id, first)
    this.#append(id, first)
    // A big answer may take the place of very many: the rest of them goes with the next ones.
    for (let count = 0; count < DROPPED_MAX && this.#isFull; count++) this.#dropOldest()
  }

  /** Whether expire has something to do. O(1) when nothing is older than a day. */
  isDue(nowMs: number): boolean {
    return (this.#oldestTimeMs() ?? nowMs) + this.#limits.keptMs <= nowMs
  }

  /** Forgets what is older than a day, so many at most; the others with the next call. O(1) when nothing is. */
  expire(nowMs: number, countMax: number): void {
    for (let count = 0; count < countMax && this.isDue(nowMs); count++) this.#dropOldest()
  }

  /** As Table.takeChanges. */
  takeChanges(): Iterable<RowChange<FirstAnswer>> {
    return this.#answers.takeChanges()
  }

  /** Puts back an answer of a checkpoint, in any order. */
  load(id: string, row: FirstAnswer): void {
    this.#answers.load(id, row)
    this.#bytes += row.answer.length
    this.#loaded.push({ id, sequence: row.sequence })
  }

  /** All answers of the checkpoint are there. */
  finishLoading(): void {
    this.#loaded.sort((a, b) => a.sequence - b.sequence)
    this.#ids = this.#loaded.map(({ id }) => id)
    this.#sequence = this.#loaded.at(-1)?.sequence ?? 0
    this.#loaded = []
  }

  get #isFull(): boolean {
    const { countMax, bytesMax } = this.#limits
    return this.#answers.size > countMax || this.#bytes > bytesMax || this.bytes > this.memoryBytesMax
  }

  #append(id: string, { answer }: FirstAnswer): void {
    this.#ids.push(id)
    this.#bytes += answer.length
  }

  #oldestTimeMs(): number | undefined {
    const id = this.#ids[this.#oldest]
    return id === undefined ? undefined : this.#answers.get(id)?.timeMs
  }

  #dropOldest(): void {
    const id = this.#ids[this.#oldest] ?? ''
    this.#oldest++
    this.#bytes -= this.#answers.get(id)?.answer.length ?? 0
    this.#answers.delete(id)
    if (this.#oldest * 2 < this.#ids.length) return
    this.#ids = this.#ids.slice(this.#oldest)
    this.#oldest = 0
  }
}
