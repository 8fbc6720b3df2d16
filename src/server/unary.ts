import type { ServerUnaryCall, ServiceDefinition, ServiceError, sendUnaryData } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { MemberError } from '../host/api.js'
import { SharedLimit } from '../host/shared-limit.js'
import type { NodeId } from '../paxos/types.js'
import { isForeseen, toServiceError } from './errors.js'
import type { RawStreamHandler } from './response-streams.js'
import { decodeStrictly, type MessageType } from './strict-decode.js'
import type { UntakenAnswers } from './untaken-answers.js'

/** How long a call without a deadline of its own may take. */
export const DEFAULT_TIMEOUT_MS = 10_000
/** How long any call may wait, whatever its deadline says. */
const TIMEOUT_MS_MAX = 3_600_000
/** An answer leaves this much before the client's deadline, so that the client reads a reason and not its own clock. */
const MARGIN_MS_MAX = 100
const MARGIN_FRACTION = 0.1

export interface CallContext {
  /** How long the call may still wait, from 1. */
  readonly timeoutMs: number
}

/** What carries a call out. What it throws becomes the call's status. */
export type CarryOut<Request, Response> = (request: Request, context: CallContext) => Promise<Response> | Response

/** A unary handler that is given the request as it came. */
export type RawUnaryHandler<Response> = (call: ServerUnaryCall<Uint8Array, Response>, callback: sendUnaryData<Response>) => void

/** One handler for each method of a service, by the service's own types. */
export type RawHandlers<Service extends ServiceDefinition> = {
  [Method in keyof Service]: Service[Method]['responseStream'] extends true
    ? RawStreamHandler<ReturnType<Service[Method]['responseDeserialize']>>
    : RawUnaryHandler<ReturnType<Service[Method]['responseDeserialize']>>
}

/**
 * The service with its requests left as bytes. grpc-js would answer a request that does not decode with INTERNAL; the handlers
 * decode for themselves and say what is wrong with it. `calls` hear how large each answer is.
 */
export function withRawRequests(service: ServiceDefinition, calls: UnaryCalls): ServiceDefinition {
  const raw = Object.entries(service).map(([name, method]) => {
    const responseSerialize = (response: unknown): Buffer => {
      const bytes = method.responseSerialize(response)
      calls.onSerialized(bytes.length)
      return bytes
    }
    return [name, { ...method, requestDeserialize: asItCame, responseSerialize }]
  })
  return Object.fromEntries(raw)
}

function asItCame(bytes: Buffer): Buffer {
  return bytes
}

/** Every unary call of a server goes through here: bounded, decoded, answered exactly once, whatever happens. */
export class UnaryCalls {
  readonly #nodeId: NodeId
  readonly #logger: Logger
  /** By connection: until the client has taken the answer, or has gone. */
  readonly #inFlight: SharedLimit<string>
  readonly #overloaded: ServiceError
  readonly #untaken: UntakenAnswers
  readonly #notTaken: ServiceError
  /** Of the answer that was serialized last. */
  #serializedBytes = 0
  #isDraining = false
  /** Called when the last call has been answered. */
  #onIdle: () => void = () => {}

  constructor(options: { nodeId: NodeId; logger: Logger; inFlightMax: number; untaken: UntakenAnswers }) {
    this.#nodeId = options.nodeId
    this.#logger = options.logger
    this.#inFlight = new SharedLimit(options.inFlightMax)
    const overloaded = new MemberError(
      'OVERLOADED',
      `this node takes ${options.inFlightMax} calls at a time, which its clients share; try again later`,
    )
    this.#overloaded = toServiceError(overloaded, options.nodeId)
    this.#untaken = options.untaken
    this.#notTaken = toServiceError(options.untaken.refusal, options.nodeId)
  }

  /** Makes the handler of one method that may change something: it is answered once it is carried out, however large the answer. */
  handler<Request, Response>(type: MessageType<Request>, carryOut: CarryOut<Request, Response>): RawUnaryHandler<Response> {
    return this.#handler(type, carryOut, { isRead: false })
  }

  /** Makes the handler of one method that changes nothing: where there is no room for its answer, it is refused. */
  reader<Request, Response>(type: MessageType<Request>, carryOut: CarryOut<Request, Response>): RawUnaryHandler<Response> {
    return this.#handler(type, carryOut, { isRead: true })
  }

  /** An answer is about to be handed to the transport. */
  onSerialized(bytes: number): void {
    this.#serializedBytes = bytes
  }

  #handler<Request, Response>(
    type: MessageType<Request>,
    carryOut: CarryOut<Request, Response>,
    { isRead }: { readonly isRead: boolean },
  ): RawUnaryHandler<Response> {
    return (call, callback) => {
      // Answered by grpc-js already, or as soon as its timer comes round: what is begun now would take effect all the same.
      if (call.cancelled || Number(call.getDeadline()) <= Date.now()) return
      const client = call.getPeer()
      // Said many times a second when it is said at all: nothing is made anew for it.
      if (!this.#inFlight.hasRoom(client)) return callback(this.#overloaded)
      if (!this.#untaken.hasRoom(client)) return callback(this.#notTaken)
      void this.#answer(call, callback, { isRead, run: () => this.#run(call, type, carryOut) })
    }
  }

  /** Refuses new calls from now on; resolves when those in flight have been answered. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#isDraining = true
      this.#onIdle = resolve
      if (this.#inFlight.count === 0) resolve()
    })
  }

  /** Calls back exactly once. */
  async #answer<Response>(
    call: ServerUnaryCall<Uint8Array, Response>,
    callback: sendUnaryData<Response>,
    { isRead, run }: { readonly isRead: boolean; readonly run: () => Promise<Response> },
  ): Promise<void> {
    const client = call.getPeer()
    let answerBytes = 0
    this.#inFlight.add(client)
    // grpc-js says so of every call: when its answer has been taken, or when nobody is there to take it.
    call.once('cancelled', () => {
      this.#inFlight.remove(client)
      this.#untaken.remove(client, answerBytes)
      if (this.#inFlight.count === 0) this.#onIdle()
    })
    let response: Response
    try {
      response = await run()
    } catch (error) {
      if (!isForeseen(error)) this.#logger.error({ err: error, method: call.getPath() }, 'a call failed unexpectedly')
      return callback(toServiceError(error, this.#nodeId))
    }
    if (isRead && !this.#untaken.hasRoom(client)) return callback(this.#notTaken)
    this.#serializedBytes = 0
    callback(null, response)
    // Of a call that is over already nothing was serialized.
    answerBytes = this.#serializedBytes
    this.#untaken.add(client, answerBytes)
  }

  async #run<Request, Response>(
    call: ServerUnaryCall<Uint8Array, Response>,
    type: MessageType<Request>,
    carryOut: CarryOut<Request, Response>,
  ): Promise<Response> {
    if (this.#isDraining) throw new MemberError('STOPPED', 'this node is stopping; ask another')
    const request = decodeStrictly(type, call.request)
    return await carryOut(request, { timeoutMs: timeLeftMs(call.getDeadline()) })
  }
}

/** How long a call may still wait if its answer is to be there in time. Deadlines are wall clock, as gRPC has them. */
function timeLeftMs(deadline: Date | number): number {
  const leftMs = Number(deadline) - Date.now()
  if (leftMs === Number.POSITIVE_INFINITY) return DEFAULT_TIMEOUT_MS
  const marginMs = Math.min(leftMs * MARGIN_FRACTION, MARGIN_MS_MAX)
  return Math.min(Math.max(leftMs - marginMs, 1), TIMEOUT_MS_MAX)
}
