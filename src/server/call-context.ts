import type { Metadata } from '@grpc/grpc-js'
import type { Cancellation, WaitOptions } from '../host/api.js'

/** The time that a call without a deadline of its own may take. */
export const DEFAULT_TIMEOUT_MS = 10_000
/** The longest wait of any call, whatever its deadline. */
const TIMEOUT_MS_MAX = 3_600_000
/** An answer leaves this much before the client's deadline, so that the client reads a reason and not its own clock. */
const MARGIN_MS_MAX = 100
const MARGIN_FRACTION = 0.1

/** The identity of a caller, as far as the connection proves one. */
interface Principal {
  readonly kind: 'anonymous'
}

const ANONYMOUS: Principal = Object.freeze({ kind: 'anonymous' })

/** A call as its handler sees it, apart from the request. */
export interface CallContext {
  /** The full name, e.g. `/synod.kv.v1.KeyValueService/Put`. */
  readonly method: string
  /** The address at the other end of the connection. Bounds are shared out by it. */
  readonly peer: string
  readonly principal: Principal
  /** The request's metadata, as the client sent them. */
  readonly metadata: Metadata
  /** The client's deadline, in ms since 1970; Infinity without one. */
  readonly deadlineMs: number
  /** The time that the call may still wait if its answer is to arrive before the deadline, from 1 ms. */
  readonly timeoutMs: number
  /** Aborted when the client has gone: it cancelled, its deadline has passed or its connection broke. Made when it is first asked for. */
  readonly signal: AbortSignal
  /** Bounds a wait in the member on behalf of this call: it ends when the client has gone, or after `timeoutMs`, by default that of the call. */
  wait(timeoutMs?: number): WaitOptions
  /** Has `listener` called once the call is over, whether its answer was taken or the client has gone; at once if it is over already. */
  onEnd(listener: () => void): void
}

/** The part of a grpc-js call that a context needs. */
export interface GrpcCall {
  readonly metadata: Metadata
  readonly cancelled: boolean
  getPath(): string
  getPeer(): string
  getDeadline(): Date | number
}

/** The context of one call, told by its door how the call goes on. */
export class ServerCallContext implements CallContext, Cancellation {
  readonly method: string
  readonly peer: string
  readonly principal = ANONYMOUS
  readonly deadlineMs: number
  /** The client has gone before it was answered. */
  aborted = false
  readonly #call: GrpcCall
  #controller: AbortController | undefined
  #hasEnded = false
  #onEnd: (() => void)[] = []

  constructor(call: GrpcCall) {
    this.#call = call
    this.method = call.getPath()
    this.peer = call.getPeer()
    this.deadlineMs = Number(call.getDeadline())
  }

  get metadata(): Metadata {
    return this.#call.metadata
  }

  get timeoutMs(): number {
    // Deadlines are wall clock, as gRPC has them.
    const leftMs = this.deadlineMs - Date.now()
    if (leftMs === Number.POSITIVE_INFINITY) return DEFAULT_TIMEOUT_MS
    const marginMs = Math.min(leftMs * MARGIN_FRACTION, MARGIN_MS_MAX)
    return Math.min(Math.max(leftMs - marginMs, 1), TIMEOUT_MS_MAX)
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.aborted) this.#controller.abort()
    }
    return this.#controller.signal
  }

  wait(timeoutMs: number = this.timeoutMs): WaitOptions {
    // Not this.signal: an AbortSignal takes microseconds to make, and the member only looks whether it is aborted.
    return { timeoutMs, signal: this }
  }

  onEnd(listener: () => void): void {
    if (this.#hasEnded) listener()
    else this.#onEnd.push(listener)
  }

  /** The client has gone, and hears of no answer any more. */
  abort(): void {
    this.aborted = true
    this.#controller?.abort()
  }

  /** The call is over. */
  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    for (const listener of this.#onEnd) listener()
    this.#onEnd = []
  }
}
