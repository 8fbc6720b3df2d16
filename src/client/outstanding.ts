import type { Request } from '../gen/synod/session/v1/session.js'
import { type Call, REQUEST_BYTES_MAX } from './call.js'

const REQUESTS_PER_FRAME_MAX = 8_192
/** Commands from the first unanswered one to the last that is under way: half of what a session keeps. */
const COMMAND_WINDOW = 4_096
/** Maximum number of bytes around a request in its frame. */
const REQUEST_OVERHEAD_BYTES = 32

export interface FrameOptions {
  readonly withNewCommands: boolean
  readonly nowMs: number
  /** Maximum number of requests on the wire when something new is sent. */
  readonly window: number
  /** Returns true for a command that was never sent and would be answered too late behind `before` requests on the wire. */
  readonly isTooLate: (call: Call, before: number) => boolean
  /** Settles and forgets a call whose time is up, or that would be answered too late: it is not sent. */
  readonly giveUp: (call: Call) => void
}

/**
 * Every call that is not settled, and what is to be done about it.
 *
 * A call is *waiting* until it is first sent; then it has a number, which every retry keeps, and is *under way* until it is forgotten.
 * Some calls under way are to be sent again, now or after a pause; the others are on the wire.
 */
export class Outstanding {
  readonly #maxInFlight: number
  #bytes = 0
  #nextCommandNumber = 1
  #nextQueryNumber = 1
  /** Calls that were never sent, in order. */
  readonly #waiting = new Set<Call>()
  /** Calls under way, by number, ascending. Commands and queries are numbered apart. */
  readonly #commands = new Map<number, Call>()
  readonly #queries = new Map<number, Call>()
  /** Commands given up while on the wire, by number: the node still answers them, before what is sent later. */
  readonly #abandoned = new Map<number, Call>()
  /** Calls under way to be sent again now, in order. */
  readonly #resend = new Set<Call>()
  /** Calls under way to be sent again at retryAtMs. */
  readonly #delayed = new Set<Call>()

  constructor(maxInFlight: number) {
    this.#maxInFlight = maxInFlight
  }

  /** Total size of all calls that wait or are under way. */
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

  /** Number of requests that the node owes an answer to. */
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

  /** The lowest unanswered number. Calls given up count as acknowledged: nobody will ask for them again. */
  get firstUnacknowledged(): number {
    for (const number of this.#commands.keys()) return number
    return this.#nextCommandNumber
  }

  /** Appends a call that has no number yet. */
  wait(call: Call): void {
    this.#waiting.add(call)
    this.#bytes += call.byteLength
  }

  find(requestNumber: number, isQuery: boolean): Call | undefined {
    return (isQuery ? this.#queries : this.#commands).get(requestNumber)
  }

  /** Removes a call that waits or is under way: it is settled, or begins anew. */
  forget(call: Call): void {
    this.#bytes -= call.byteLength
    this.#waiting.delete(call)
    this.#underWay(call).delete(call.requestNumber)
    this.#resend.delete(call)
    this.#delayed.delete(call)
  }

  /** Removes a call without an answer: nobody waits for it any more. */
  abandon(call: Call): void {
    const isOnWire = this.#commands.has(call.requestNumber) && !this.#resend.has(call) && !this.#delayed.has(call)
    if (!call.isQuery && isOnWire) this.#abandoned.set(call.requestNumber, call)
    this.forget(call)
  }

  /** Removes and returns the abandoned command with that number: it is answered. */
  takeAbandoned(requestNumber: number): Call | undefined {
    const call = this.#abandoned.get(requestNumber)
    this.#abandoned.delete(requestNumber)
    return call
  }

  /** Copies all calls, oldest under way first, waiting ones last. Callers may forget calls while they iterate. */
  all(): Call[] {
    return [...this.#commands.values(), ...this.#queries.values(), ...this.#waiting]
  }

  allCommandsUnderWay(): Call[] {
    return [...this.#commands.values()]
  }

  /** Commands under way that are not on the wire: no answer is due for them. */
  commandsOffTheWire(): Call[] {
    return [...this.#resend, ...this.#delayed].filter((call) => !call.isQuery)
  }

  /** Schedules everything under way to be sent again: the stream is gone. */
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

  /** Schedules the calls whose pause is over. */
  endPauses(nowMs: number): void {
    for (const call of this.#delayed) {
      if (call.retryAtMs > nowMs) continue
      this.#delayed.delete(call)
      this.#resend.add(call)
    }
  }

  /** Numbers commands from 1 again, for a new session. No command may be under way. */
  restartNumbers(): void {
    this.#nextCommandNumber = 1
  }

  /** Takes the requests of the next frame: retries first, then waiting calls as far as the limits allow. */
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
