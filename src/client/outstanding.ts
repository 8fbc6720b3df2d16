import type { Request } from '../gen/synod/session/v1/session.js'
import { type Call, REQUEST_BYTES_MAX } from './call.js'

const REQUESTS_PER_FRAME_MAX = 8_192
/** Commands from the first unanswered one to the last that is under way: half of what a session keeps. */
const COMMAND_WINDOW = 4_096
/** What stands around a request in its frame, at most. */
const REQUEST_OVERHEAD_BYTES = 32

export interface FrameOptions {
  readonly withNewCommands: boolean
  readonly nowMs: number
  /** How many requests may be on the wire before something new is sent. */
  readonly window: number
  /** Whether a command that was never sent would be answered too late, behind so many that are on the wire. */
  readonly isTooLate: (call: Call, before: number) => boolean
  /** Settles a call whose time is up, or that would be answered too late, and forgets it: it is not sent. */
  readonly giveUp: (call: Call) => void
}

/**
 * Every call that is not settled, and what is to be done about it.
 *
 * A call is *waiting* until it is first sent; then it has a number, which every retry keeps, and is *under way* until it is forgotten.
 * Of those under way some are to be sent again, now or after a pause; the others are on the wire.
 */
export class Outstanding {
  readonly #maxInFlight: number
  #bytes = 0
  #nextCommandNumber = 1
  #nextQueryNumber = 1
  /** Never sent, in order. */
  readonly #waiting = new Set<Call>()
  /** Under way, by number; commands and queries are numbered apart. Ascending, since a number is given when a call enters. */
  readonly #commands = new Map<number, Call>()
  readonly #queries = new Map<number, Call>()
  /** Commands that were given up on the wire: the node works at them all the same, before what is sent later, and answers. By number. */
  readonly #abandoned = new Map<number, Call>()
  /** Under way, to be sent again now, in order. */
  readonly #resend = new Set<Call>()
  /** Under way, to be sent again at their time. */
  readonly #delayed = new Set<Call>()

  constructor(maxInFlight: number) {
    this.#maxInFlight = maxInFlight
  }

  /** Of all that is waiting or under way. */
  get byteLength(): number {
    return this.#bytes
  }

  get waitingCount(): number {
    return this.#waiting.size
  }

  get commandCount(): number {
    return this.#commands.size
  }

  get underWayCount(): number {
    return this.#commands.size + this.#queries.size
  }

  /** The requests that the node owes an answer to. */
  get onWireCount(): number {
    return this.underWayCount + this.#abandoned.size - this.#resend.size - this.#delayed.size
  }

  get isEmpty(): boolean {
    return this.#waiting.size + this.underWayCount === 0
  }

  get shortestTimeoutMs(): number {
    let timeoutMs = Number.POSITIVE_INFINITY
    for (const calls of [this.#commands.values(), this.#queries.values(), this.#waiting])
      for (const call of calls) timeoutMs = Math.min(timeoutMs, call.timeoutMs)
    return timeoutMs
  }

  /** What was given up counts as acknowledged: nobody will ask for it again. */
  get firstUnacknowledged(): number {
    for (const number of this.#commands.keys()) return number
    return this.#nextCommandNumber
  }

  /** Gives a call that has no number yet a place at the end. */
  wait(call: Call): void {
    this.#waiting.add(call)
    this.#bytes += call.byteLength
  }

  find(requestNumber: number, isQuery: boolean): Call | undefined {
    return (isQuery ? this.#queries : this.#commands).get(requestNumber)
  }

  /** For a call that is waiting or under way: it is settled, or has a new beginning before it. */
  forget(call: Call): void {
    this.#bytes -= call.byteLength
    this.#waiting.delete(call)
    this.#underWay(call).delete(call.requestNumber)
    this.#resend.delete(call)
    this.#delayed.delete(call)
  }

  /** Forgets a call, without an answer: nobody waits for it any more. */
  abandon(call: Call): void {
    const isOnWire = this.#commands.has(call.requestNumber) && !this.#resend.has(call) && !this.#delayed.has(call)
    if (!call.isQuery && isOnWire) this.#abandoned.set(call.requestNumber, call)
    this.forget(call)
  }

  /** The abandoned command with that number, which has been answered now. */
  takeAbandoned(requestNumber: number): Call | undefined {
    const call = this.#abandoned.get(requestNumber)
    this.#abandoned.delete(requestNumber)
    return call
  }

  /** Everything, from the longest under way to the last to wait. A copy: calls may be forgotten on the way. */
  all(): Call[] {
    return [...this.#commands.values(), ...this.#queries.values(), ...this.#waiting]
  }

  allCommandsUnderWay(): Call[] {
    return [...this.#commands.values()]
  }

  /** Commands under way that are not on the wire: no answer will come for them. */
  commandsOffTheWire(): Call[] {
    return [...this.#resend, ...this.#delayed].filter((call) => !call.isQuery)
  }

  /** The stream is gone: everything under way is to be sent again. */
  resendAll(): void {
    this.#delayed.clear()
    this.#abandoned.clear()
    for (const call of this.#commands.values()) this.#resend.add(call)
    for (const call of this.#queries.values()) this.#resend.add(call)
  }

  resendAt(call: Call, atMs: number): void {
    call.retryAtMs = atMs
    this.#delayed.add(call)
  }

  /** Ends the pauses that are over. */
  endPauses(nowMs: number): void {
    for (const call of this.#delayed) {
      if (call.retryAtMs > nowMs) continue
      this.#delayed.delete(call)
      this.#resend.add(call)
    }
  }

  /** A new session numbers its commands from 1. None may be under way. */
  restartNumbers(): void {
    this.#nextCommandNumber = 1
  }

  /** What goes into the next frame: retries first, then as many of the waiting as may be under way at a time. */
  takeFrame(options: FrameOptions): Request[] {
    const requests: Request[] = []
    let bytes = 0
    // The cluster keeps an answer until every command before it is answered: it must not be asked to keep too many.
    const windowEnd = this.firstUnacknowledged + COMMAND_WINDOW
    for (const queue of [this.#resend, this.#waiting]) {
      for (const call of queue) {
        if (call.deadlineMs <= options.nowMs) {
          options.giveUp(call)
          continue
        }
        const withCall = bytes + call.byteLength + REQUEST_OVERHEAD_BYTES
        const isFull = requests.length >= REQUESTS_PER_FRAME_MAX || (bytes > 0 && withCall > REQUEST_BYTES_MAX)
        if (isFull) return requests
        if (queue === this.#waiting) {
          if (this.underWayCount >= this.#maxInFlight || this.onWireCount >= options.window) return requests
          if (!call.isQuery) {
            if (options.isTooLate(call, this.onWireCount)) {
              options.giveUp(call)
              continue
            }
            if (!options.withNewCommands || this.#nextCommandNumber >= windowEnd) continue
          }
        }
        bytes = withCall
        requests.push(this.#enter(call, queue, options.nowMs))
      }
    }
    return requests
  }

  #enter(call: Call, queue: Set<Call>, nowMs: number): Request {
    call.sentAtMs = nowMs
    call.sentBehind = this.onWireCount
    queue.delete(call)
    if (call.requestNumber === 0) {
      call.requestNumber = call.isQuery ? this.#nextQueryNumber++ : this.#nextCommandNumber++
      this.#underWay(call).set(call.requestNumber, call)
    }
    call.unresolvedSends++
    return { requestNumber: call.requestNumber, body: call.body }
  }

  #underWay(call: Call): Map<number, Call> {
    return call.isQuery ? this.#queries : this.#commands
  }
}
