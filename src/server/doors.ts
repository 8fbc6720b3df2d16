import {
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { Observer } from '../observer/observer.js'
import { boundCallsUnderWay } from './call-bounds.js'
import { ServerCallContext } from './call-context.js'
import { type Drain, refuseWhileDraining } from './drain.js'
import type { Failures } from './failures.js'
import { type Handler, type Interceptor, type InterceptorOf, intercept } from './interceptor.js'
import { refuseUnknownFields, refuseUnknownFieldsOfStreams } from './refuse-unknown-fields.js'
import type { Service, ServiceParts, StreamMethod, UnaryMethod } from './service.js'
import { boundUntakenAnswers, type UntakenAnswers } from './untaken-answers.js'

type UnaryDoor = (call: ServerUnaryCall<Uint8Array, Uint8Array>, callback: sendUnaryData<Uint8Array>) => void
type Stream = ServerDuplexStream<Uint8Array, unknown> | ServerWritableStream<Uint8Array, unknown>
type StreamDoor = (stream: Stream) => void

export interface DoorSettings {
  readonly failures: Failures
  readonly untaken: UntakenAnswers
  readonly drain: Drain
  /** Unary calls of all methods together. */
  readonly callsInFlightMax: number
  /** The level in force. */
  readonly level: () => number
  readonly observer?: Observer | undefined
}

/**
 * Stands between grpc-js and the methods of services: makes the context of each call, puts the interceptors around each method, answers
 * each call exactly once and turns what it failed with into a status.
 */
export class Doors {
  readonly #failures: Failures
  readonly #untaken: UntakenAnswers
  readonly #observer: Observer | undefined
  readonly #boundUnary: Interceptor
  readonly #refuseWhileDraining: Interceptor
  readonly #refuseUnknownFields: InterceptorOf<Uint8Array, Uint8Array>
  readonly #refuseUnknownFieldsOfStreams: InterceptorOf<Stream, void>

  constructor({ failures, untaken, drain, callsInFlightMax, level, observer }: DoorSettings) {
    this.#failures = failures
    this.#untaken = untaken
    this.#observer = observer
    this.#boundUnary = boundCallsUnderWay(callsInFlightMax, 'calls')
    this.#refuseWhileDraining = refuseWhileDraining(drain)
    this.#refuseUnknownFields = refuseUnknownFields(level)
    this.#refuseUnknownFieldsOfStreams = refuseUnknownFieldsOfStreams(level)
  }

  /** Makes what grpc-js wants of a service: for Server.addService. */
  open(service: Service, parts: ServiceParts): [ServiceDefinition, UntypedServiceImplementation] {
    const doors = Object.entries(service.methods(parts)).map(([name, method]) => [name, this.#doorOf(method)])
    return [withBytes(service.definition), Object.fromEntries(doors) as UntypedServiceImplementation]
  }

  #doorOf(method: UnaryMethod | StreamMethod): UnaryDoor | StreamDoor {
    return method.kind === 'unary' ? this.#unaryDoor(method) : this.#streamDoor(method)
  }

  #unaryDoor({ handle, isRead }: UnaryMethod): UnaryDoor {
    const handler = intercept(handle, [
      this.#boundUnary,
      boundUntakenAnswers(this.#untaken, { isRead }),
      this.#refuseWhileDraining,
      this.#refuseUnknownFields,
    ])
    return (call, callback) => {
      // Answered by grpc-js already, or as soon as its timer comes round: what is begun now would take effect all the same.
      if (call.cancelled || Number(call.getDeadline()) <= Date.now()) return
      void this.#answer(call, callback, handler)
    }
  }

  async #answer(
    call: ServerUnaryCall<Uint8Array, Uint8Array>,
    callback: sendUnaryData<Uint8Array>,
    handler: Handler<Uint8Array, Uint8Array>,
  ): Promise<void> {
    const context = new ServerCallContext(call)
    const beganMs = this.#observer === undefined ? 0 : performance.now()
    let isAnswered = false
    // grpc-js says so of every call: when its answer has been taken, or when nobody is there to take it.
    call.once('cancelled', () => {
      if (!isAnswered) context.abort()
      context.end()
    })
    let response: Uint8Array
    try {
      response = await handler(call.request, context)
    } catch (error) {
      isAnswered = true
      const refusal = this.#failures.statusOf(error, context.method)
      callback(refusal)
      return this.#reportAnswered(context.method, refusal.code ?? status.UNKNOWN, beganMs)
    }
    isAnswered = true
    callback(null, response)
    this.#reportAnswered(context.method, status.OK, beganMs)
  }

  #reportAnswered(method: string, statusCode: number, beganMs: number): void {
    if (this.#observer === undefined) return
    this.#observer.event('callAnswered', { method, statusCode, durationMs: performance.now() - beganMs })
  }

  #streamDoor({ handle, bound }: StreamMethod): StreamDoor {
    const handler = intercept(handle as Handler<Stream, void>, [
      this.#refuseWhileDraining,
      boundCallsUnderWay(bound.countMax, bound.what),
      this.#refuseUnknownFieldsOfStreams,
    ])
    return (stream) => {
      if (!stream.cancelled) void this.#converse(stream, handler)
    }
  }

  async #converse(stream: Stream, handler: Handler<Stream, void>): Promise<void> {
    const context = new ServerCallContext(stream)
    stream.once('cancelled', () => context.abort())
    this.#observer?.event('streamOpened', { method: context.method })
    try {
      await handler(stream, context)
      stream.end()
    } catch (error) {
      // grpc-js makes an emitted error the stream's status, after what has been written.
      if (!context.aborted) stream.emit('error', this.#failures.statusOf(error, context.method))
    }
    context.end()
    this.#observer?.event('streamClosed', { method: context.method })
  }
}

/**
 * The service with its requests, and the responses of its unary methods, left as bytes. grpc-js would answer a request that does not
 * decode with INTERNAL; ours say what is wrong with it.
 */
function withBytes(service: ServiceDefinition): ServiceDefinition {
  const methods = Object.entries(service).map(([name, method]) => {
    const bytes = { ...method, requestDeserialize: asItIs }
    return [name, method.responseStream ? bytes : { ...bytes, responseSerialize: asBuffer }]
  })
  return Object.fromEntries(methods) as ServiceDefinition
}

function asItIs(bytes: Buffer): Buffer {
  return bytes
}

/** grpc-js copies what it sends at once, but by a method that only a Buffer has. */
function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length)
}
