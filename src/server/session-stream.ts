import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { ConnectResponse } from '../gen/synod/session/v1/session.js'
import { MemberError } from '../host/api.js'
import type { Drain } from './drain.js'
import type { SessionContext } from './session-context.js'
import { SessionDialogue } from './session-dialogue.js'

type ConnectStream = ServerDuplexStream<Uint8Array, ConnectResponse>

/**
 * Carries one client's dialogue over its gRPC stream. Resolves when nothing is in flight any more and the client has ended the stream, or
 * has gone; rejects with what the stream is to end with otherwise. When the drain begins, what is in flight is answered first.
 */
export function converse(stream: ConnectStream, context: SessionContext & { readonly drain: Drain }): Promise<void> {
  return new Promise((resolve, reject) => {
    const outlet = {
      client: stream.getPeer(),
      write: (response: ConnectResponse, onTaken: () => void) => stream.write(response, onTaken),
      pause: () => void stream.pause(),
      resume: () => void (stream.isPaused() && stream.resume()),
      end: resolve,
      fail: reject,
    }
    const dialogue = new SessionDialogue(outlet, context, () => {
      takeBack()
      resolve()
    })
    const takeBack = context.drain.onBegun(() =>
      dialogue.finish(new MemberError('STOPPED', 'this node is stopping; go on with another')),
    )
    stream.on('data', (bytes: Uint8Array) => dialogue.onFrame(bytes))
    stream.on('end', () => dialogue.finish())
    stream.on('drain', () => dialogue.onDrain())
    stream.on('cancelled', () => dialogue.onBroken())
    stream.on('error', () => dialogue.onBroken())
  })
}
