import { objectionToQuery } from '../api/validate.js'
import { encode } from '../encoding/encode.js'
import { Consistency } from '../gen/synod/common/v1/common.js'
import { Command, type Query, Result } from '../gen/synod/session/v1/session.js'
import type { WaitOptions } from '../host/api.js'
import type { Slot } from '../paxos/types.js'
import { ANSWER_FRAME_BYTES } from './answer-buffer.js'
import type { AnswerWriter } from './answer-writer.js'
import { objected } from './call-error.js'
import { requireJoined } from './joined.js'
import type { SessionContext } from './session-context.js'

/** Queries run for about this long in one turn of the event loop: heartbeats must not wait for a frame full of listings. */
const QUERY_SLICE_MS = 10

/** A query of one stream. */
export interface NumberedQuery {
  readonly requestNumber: number
  readonly query: Query
}

interface Events {
  onResult(requestNumber: number, slot: Slot, result: Uint8Array): void
  onRefused(requestNumber: number, error: unknown): void
  /** Some may be run: `run` is to be called once per turn of the event loop. */
  onReady(): void
  /** The slot that was being applied has ended: `run` is to be called in this very turn. */
  onReadable(): void
}

/** Answers the queries of one stream, each as fresh as it asks to be. */
export class QueryRunner {
  readonly #context: SessionContext
  readonly #writer: AnswerWriter
  /** For everything that waits in the member. */
  readonly #wait: WaitOptions
  readonly #events: Events
  /** May be answered from the state as it stands. First in, first out; those before #next have run. */
  #ready: NumberedQuery[] = []
  #next = 0
  /** True while it waits for the end of the slot that is being applied. */
  #isWaitingToRead = false

  constructor(context: SessionContext, writer: AnswerWriter, wait: WaitOptions, events: Events) {
    this.#context = context
    this.#writer = writer
    this.#wait = wait
    this.#events = events
  }

  get hasReady(): boolean {
    return this.#next < this.#ready.length
  }

  /** Takes a query in, or puts it into `linearizable`, for readLinearizably. @throws CallError, MemberError for one that is not tried */
  add(numbered: NumberedQuery, linearizable: NumberedQuery[]): void {
    const objection = objectionToQuery(numbered.query, this.#context.member.level)
    if (objection !== undefined) throw objected(objection)
    const consistency = numbered.query.query?.value.consistency
    if (consistency === Consistency.LOG) {
      void this.#runThroughLog(numbered)
    } else if (consistency === Consistency.STALE) {
      requireJoined(this.#context.member)
      this.#ready.push(numbered)
      this.#events.onReady()
    } else {
      linearizable.push(numbered)
    }
  }

  /** One read index serves all queries of a frame. */
  async readLinearizably(queries: readonly NumberedQuery[]): Promise<void> {
    try {
      await this.#context.member.readIndex(this.#wait)
    } catch (error) {
      for (const { requestNumber } of queries) this.#events.onRefused(requestNumber, error)
      return
    }
    for (const numbered of queries) this.#ready.push(numbered)
    this.#events.onReady()
  }

  /** Each answer is written before the next few are made: results that nobody takes yet are not computed. */
  run(): void {
    if (!this.hasReady) return
    const { member, runtime, untaken } = this.#context
    if (!member.isReadable) {
      void this.#waitToRead()
      return
    }
    if (this.#writer.isWritable && !this.#writer.hasSharedRoom) return this.#refuseAll(untaken.refusal)
    const slot = member.status().appliedUpTo
    const untilMs = runtime.nowMs() + QUERY_SLICE_MS
    let unwrittenBytes = 0
    while (this.#writer.isWritable && runtime.nowMs() < untilMs) {
      const numbered = this.#ready[this.#next]
      if (numbered === undefined) break
      this.#next++
      unwrittenBytes += this.#runOne(numbered, slot)
      if (unwrittenBytes < ANSWER_FRAME_BYTES) continue
      unwrittenBytes = 0
      this.#writer.flush()
    }
    if (!this.hasReady) this.clear()
  }

  clear(): void {
    this.#ready = []
    this.#next = 0
  }

  async #runThroughLog({ requestNumber, query }: NumberedQuery): Promise<void> {
    const command = encode(Command, { operation: { $case: 'query', value: query } })
    try {
      const { slot, result } = await this.#context.member.invoke(command, this.#wait)
      this.#events.onResult(requestNumber, slot, result)
    } catch (error) {
      this.#events.onRefused(requestNumber, error)
    }
  }

  /** Runs queries in the turn in which the slot ends: in the next turn another slot may have begun. */
  async #waitToRead(): Promise<void> {
    if (this.#isWaitingToRead) return
    this.#isWaitingToRead = true
    try {
      await this.#context.member.untilReadable(this.#wait)
    } catch (error) {
      this.#refuseAll(error)
    }
    this.#isWaitingToRead = false
    this.#events.onReadable()
  }

  #refuseAll(error: unknown): void {
    const refused = this.#ready.slice(this.#next)
    this.clear()
    for (const { requestNumber } of refused) this.#events.onRefused(requestNumber, error)
  }

  /** Returns the size of the result. */
  #runOne({ requestNumber, query }: NumberedQuery, slot: Slot): number {
    const { member, machine } = this.#context
    try {
      const result = member.reading(() => encode(Result, machine.read(query)))
      this.#events.onResult(requestNumber, slot, result)
      return result.length
    } catch (error) {
      this.#events.onRefused(requestNumber, error)
      return 0
    }
  }
}
