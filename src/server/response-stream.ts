import type { EventEmitter } from 'node:events'
import type { ServerWritableStream } from '@grpc/grpc-js'
import { MemberError } from '../host/api.js'
import type { CallContext } from './call-context.js'
import type { Drain } from './drain.js'
import type { StreamMethod } from './service.js'
import { decodeStrictly, type MessageType } from './strict-decode.js'

/** Makes the responses of one call, each when the client has taken those before. Given up, by `return()`, when the client goes. */
type Produce<Request, Response> = (request: Request, context: CallContext) => AsyncIterable<Response>

/** Makes a method that answers one request with a stream, at the client's pace. The stream ends with STOPPED when the drain begins. */
export function responses<Request, Response>(
  type: MessageType<Request>,
  produce: Produce<Request, Response>,
  { drain, bound }: { readonly drain: Drain; readonly bound: StreamMethod['bound'] },
): StreamMethod<ServerWritableStream<Uint8Array, Response>> {
  return {
    kind: 'stream',
    bound,
    handle: async (call, context) => {
      const request = decodeStrictly(type, call.request)
      const over = new AbortController()
      const stop = (): void => over.abort()
      context.signal.addEventListener('abort', stop)
      const takeBack = drain.onBegun(stop)
      try {
        for await (const response of produce(request, context)) {
          if (!over.signal.aborted && !call.write(response)) await untilDrained(call, over.signal)
          if (over.signal.aborted) throw new MemberError('STOPPED', 'this node is stopping; ask another')
        }
      } finally {
        takeBack()
      }
    },
  }
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
