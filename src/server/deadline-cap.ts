import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import { assert } from '../paxos/assert.js'

/** The longest delay of a timer in Node, in whole seconds. */
const TIMEOUT_S_MAX = Math.floor((2 ** 31 - 1) / 1_000)
const TIMEOUT_HEADER = 'grpc-timeout'
/** The pattern by which grpc-js reads the header; of more than eight digits, which no client should send, it would take the last eight. */
const TIMEOUT = /(\d+)\s*([HMSmun])/
const UNIT_SECONDS: Readonly<Record<string, number>> = { H: 3_600, M: 60, S: 1, m: 1e-3, u: 1e-6, n: 1e-9 }

/** The method that grpc-js hands each call to, before it reads the deadline. It is not public: a test fails when it changes. */
interface ServerInternals {
  _streamHandler: (interceptors: unknown, stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void
}

/**
 * Has the server take deadlines beyond 24.8 days for that. grpc-js keeps them in 32 bits: it would answer DEADLINE_EXCEEDED at once, while
 * the call is carried out. To be called before the server listens.
 */
export function capDeadlines(server: Server): void {
  const internals = server as unknown as ServerInternals
  const handle = internals._streamHandler
  assert(typeof handle === 'function', 'grpc-js hands calls to _streamHandler')
  internals._streamHandler = (interceptors, stream, headers) => {
    const timeout = headers[TIMEOUT_HEADER]
    if (typeof timeout === 'string') headers[TIMEOUT_HEADER] = cappedTimeout(timeout)
    handle.call(server, interceptors, stream, headers)
  }
}

/** A grpc-timeout header that is no longer than a timer can be; what is no timeout, as it is. */
function cappedTimeout(timeout: string): string {
  const [, count, unit = ''] = TIMEOUT.exec(timeout) ?? []
  return Number(count) * (UNIT_SECONDS[unit] ?? 0) > TIMEOUT_S_MAX ? `${TIMEOUT_S_MAX}S` : timeout
}
