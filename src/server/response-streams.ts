import type { EventEmitter } from 'node:events'
import type { ServerWritableStream } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { MemberError } from '../host/api.js'
import { SharedLimit } from '../host/shared-limit.js'
import type { NodeId } from '../paxos/types.js'
import { isForeseen, toServiceError } from './errors.js'
import { decodeStrictly, type MessageType } from './strict-decode.js'

/** A handler of a server stream that is given the request as it came. */
export type RawStreamHandler<Response> = (call: ServerWritableStream<Uint8Array, Response>) => void

/** What a stream of answers is made from. Given up, by `return()`, when the client goes. */
export type Produce<Request, Response> = (request: Request) => AsyncIterable<Response>

/** Streams of answers that take long and much memory bandwidth: few at once, at the client's pace, ended when the server stops. */
export class ResponseStreams {
  readonly #nodeId: NodeId
  readonly #logger: Logger
  readonly #streamsMax: number
  /** By connection. */
  readonly #clients: SharedLimit<string>
  readonly #open = new Set<AbortController>()
  #isDraining = false
  #onIdle: () => void = () => {}

  constructor(options: { nodeId: NodeId; logger: Logger; streamsMax: number }) {
    this.#nodeId = options.nodeId
    this.#logger = options.logger
    this.#streamsMax = options.streamsMax
    this.#clients = new SharedLimit(options.streamsMax)
  }

  /** Makes the handler of one method. */
  handler<Request, Response>(type: MessageType<Request>, produce: Produce<Request, Response>): RawStreamHandler<Response> {
    return (call) => {
      if (!call.cancelled) void this.#answer(call, () => produce(decodeStrictly(type, call.request)))
    }
  }

  /** Ends every stream with STOPPED, and takes no new ones. Resolves when none is left. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#isDraining = true
      this.#onIdle = resolve
      for (const controller of this.#open) controller.abort()
      if (this.#open.size === 0) resolve()
    })
  }

  async #answer<Response>(
    call: ServerWritableStream<Uint8Array, Response>,
    produce: () => AsyncIterable<Response>,
  ): Promise<void> {
    const stopping = new AbortController()
    const client = call.getPeer()
    const reason = this.#reasonToRefuse(client)
    if (reason !== undefined) {
      call.emit('error', toServiceError(reason, this.#nodeId))
      return
    }
    call.once('cancelled', () => stopping.abort())
    this.#open.add(stopping)
    this.#clients.add(client)
    try {
      for await (const response of produce()) {
        if (!stopping.signal.aborted && !call.write(response)) await untilDrained(call, stopping.signal)
        if (stopping.signal.aborted) throw stopped()
      }
      call.end()
    } catch (error) {
      if (call.cancelled) return
      if (!isForeseen(error)) this.#logger.error({ err: error, method: call.getPath() }, 'a stream failed unexpectedly')
      call.emit('error', toServiceError(error, this.#nodeId))
    } finally {
      this.#open.delete(stopping)
      this.#clients.remove(client)
      if (this.#open.size === 0) this.#onIdle()
    }
  }

  #reasonToRefuse(client: string): MemberError | undefined {
    if (this.#isDraining) return stopped()
    if (this.#clients.hasRoom(client)) return undefined
    return new MemberError(
      'OVERLOADED',
      `this node has ${this.#streamsMax} such streams at a time, which its clients share; try again later`,
    )
  }
}

function stopped(): MemberError {
  return new MemberError('STOPPED', 'this node is stopping; ask another')
}

/** Resolves when the client has taken what was written, or when nobody waits for more. */
function untilDrained(call: EventEmitter, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    call.once('drain', done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
