import type { MethodDefinition, ServerDuplexStream, ServerWritableStream, ServiceDefinition } from '@grpc/grpc-js'
import { type Encoder, encode } from '../encoding/encode.js'
import type { CallContext } from './call-context.js'
import type { Drain } from './drain.js'
import type { Handler } from './interceptor.js'
import type { SessionContext } from './session-context.js'
import { decodeStrictly, type MessageType } from './strict-decode.js'

/** The parts of a server that services are made from. */
export interface ServiceParts extends SessionContext {
  readonly drain: Drain
}

/** A method with one request and one response, both in their bytes. */
export interface UnaryMethod {
  readonly kind: 'unary'
  /** True of a method that changes nothing: its answer may still be refused after it was carried out. */
  readonly isRead: boolean
  readonly handle: Handler<Uint8Array, Uint8Array>
}

/** A method that answers with a stream. Its handler is given the stream of grpc-js, and settles when nothing more is written. */
export interface StreamMethod<Stream = never> {
  readonly kind: 'stream'
  /** The largest number of them on a node at a time, and the noun for them in the refusal of more. */
  readonly bound: { readonly countMax: number; readonly what: string }
  readonly handle: Handler<Stream, void>
}

type ResponseOf<Method> = Method extends MethodDefinition<never, infer Response> ? Response : never

/** One entry for each method of a service. */
type MethodsOf<Definition extends ServiceDefinition> = {
  readonly [Name in keyof Definition]: Definition[Name]['responseStream'] extends true
    ? StreamMethod<
        Definition[Name]['requestStream'] extends true
          ? ServerDuplexStream<Uint8Array, ResponseOf<Definition[Name]>>
          : ServerWritableStream<Uint8Array, ResponseOf<Definition[Name]>>
      >
    : UnaryMethod
}

/** A service that clients may call, by its definition. */
export interface Service {
  /** The full name, as reflection lists it and health checks it: `synod.kv.v1.KeyValueService`. */
  readonly name: string
  readonly definition: ServiceDefinition
  /** Makes the methods for one server. */
  readonly methods: (parts: ServiceParts) => Readonly<Record<string, UnaryMethod | StreamMethod>>
}

/** Describes a service; the compiler refuses one with a method missing. */
export function defineService<Definition extends ServiceDefinition>(
  definition: Definition,
  methods: (parts: ServiceParts) => MethodsOf<Definition>,
): Service {
  const [first] = Object.values(definition)
  return { name: first?.path.split('/')[1] ?? '', definition, methods }
}

/** Carries a decoded request out, and gives the response's bytes. */
type CarryOut<Request> = (request: Request, context: CallContext) => Promise<Uint8Array>

/** Makes a method that may change something: it is answered once it is carried out, however large the answer. */
export function change<Request>(type: MessageType<Request>, carryOut: CarryOut<Request>): UnaryMethod {
  return { kind: 'unary', isRead: false, handle: decoding(type, carryOut) }
}

/** Makes a method that changes nothing: where there is no room for its answer, it is refused. */
export function read<Request>(type: MessageType<Request>, carryOut: CarryOut<Request>): UnaryMethod {
  return { kind: 'unary', isRead: true, handle: decoding(type, carryOut) }
}

/** @throws CallError INVALID_ARGUMENT, from the handler, for bytes that are no such request */
function decoding<Request>(type: MessageType<Request>, carryOut: CarryOut<Request>): Handler<Uint8Array, Uint8Array> {
  return (bytes, context) => carryOut(decodeStrictly(type, bytes), context)
}

/** Encodes what `carryOut` answers with. */
export function encoded<Request, Response>(
  type: Encoder<Response>,
  carryOut: (request: Request, context: CallContext) => Promise<Response> | Response,
): CarryOut<Request> {
  return async (request, context) => encode(type, await carryOut(request, context))
}
