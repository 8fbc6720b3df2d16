import { withWords } from '../api/words.js'
import { PooledWriter } from '../encoding/pooled-writer.js'
import { Command, Query, type Request, Result } from '../gen/synod/session/v1/session.js'
import { invalidArgument, SynodError } from './synod-error.js'

export type CommandOperation = NonNullable<Command['operation']>
export type QueryOperation = NonNullable<Query['query']>
export type Outcome = Exclude<NonNullable<Result['outcome']>, { $case: 'refusal' }>
export type OutcomeCase = Outcome['$case']

/** One request from its making to its answer. */
export interface Call {
  readonly isQuery: boolean
  readonly body: NonNullable<Request['body']>
  readonly byteLength: number
  /** The kind of result that it must get. */
  readonly expected: OutcomeCase
  readonly timeoutMs: number
  readonly resolve: (response: Outcome['value']) => void
  readonly reject: (error: SynodError) => void
  /** Set when the session takes the call, on the session's clock. */
  deadlineMs: number
  /** Given when it is first sent, kept by every retry; 0 before. */
  requestNumber: number
  /** Number of sends that no node has reported as *not* proposed. Above 0, the outcome is unknown until it is answered. */
  unresolvedSends: number
  /** Time of the last send, and number of requests that were on the wire then. */
  sentAtMs: number
  sentBehind: number
  /** Time of the next send, after a refusal that is temporary. */
  retryAtMs: number
}

/** The parts of a call that its maker gives. */
export type CallParts = Pick<Call, 'body' | 'byteLength' | 'expected' | 'timeoutMs' | 'resolve' | 'reject'>

export function makeCall({ body, byteLength, expected, timeoutMs, resolve, reject }: CallParts): Call {
  return {
    isQuery: body.$case === 'query',
    body,
    byteLength,
    expected,
    timeoutMs,
    deadlineMs: 0,
    resolve,
    reject,
    requestNumber: 0,
    unresolvedSends: 0,
    sentAtMs: 0,
    sentBehind: 0,
    retryAtMs: 0,
  }
}

/** A session: it resolves or rejects each call that it takes, once, at the call's deadline at the latest. */
export interface CallSink {
  submit(call: Call): void
}

/** A frame may hold 4 MiB; this leaves room for what goes around a request. */
export const REQUEST_BYTES_MAX = 4 * 1024 * 1024 - 1_024

/** Shared by all calls: it is empty after each finish, and reusing it saves a third of the time. */
let writer = new PooledWriter()

/** @throws SynodError INVALID_ARGUMENT for what cannot be encoded: a number out of its range, text that is not UTF-16, too large. */
export function encodeCommand(operation: CommandOperation): Uint8Array {
  try {
    return checkSize(Command.encode({ operation }, writer).finish())
  } catch (error) {
    throw encodingError(error)
  }
}

/** Encodes a query, as encodeCommand does a command. */
export function encodeQuery(query: QueryOperation): Uint8Array {
  try {
    return checkSize(Query.encode({ query }, writer).finish())
  } catch (error) {
    throw encodingError(error)
  }
}

/** Decodes a result. Malformed bytes give a result without an outcome, which no call expects. */
export function decodeResult(bytes: Uint8Array): Result {
  try {
    return withWords(Result.decode(bytes))
  } catch {
    return Result.create()
  }
}

function checkSize(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= REQUEST_BYTES_MAX) return bytes
  throw invalidArgument('request', `must be at most ${REQUEST_BYTES_MAX} bytes when encoded, not ${bytes.length}`)
}

function encodingError(error: unknown): SynodError {
  writer = new PooledWriter() // the old one may hold half a message
  if (error instanceof SynodError) return error
  return invalidArgument('request', error instanceof Error ? error.message : String(error))
}
