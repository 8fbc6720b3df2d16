import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { ConnectResponse } from '../gen/synod/session/v1/session.js'
import type { MemberError } from '../host/api.js'
import { toServiceError } from './errors.js'
import type { SessionContext } from './session-context.js'
import { SessionDialogue } from './session-dialogue.js'

export type ConnectStream = ServerDuplexStream<Uint8Array, ConnectResponse>

/** One client's stream over gRPC. */
export class SessionStream {
  readonly #dialogue: SessionDialogue

  /** Takes the stream over. `onEnded` is called once, when nothing is in flight any more and the stream is ended or broken. */
  constructor(stream: ConnectStream, context: SessionContext, onEnded: () => void) {
    const outlet = {
      client: stream.getPeer(),
      write: (response: ConnectResponse, onTaken: () => void) => stream.write(response, onTaken),
      pause: () => void stream.pause(),
      resume: () => void (stream.isPaused() && stream.resume()),
      end: () => void stream.end(),
      // grpc-js makes an emitted error the stream's status, after what has been written.
      fail: (error: unknown) => void stream.emit('error', toServiceError(error, context.member.status().nodeId)),
    }
    const dialogue = new SessionDialogue(outlet, context, onEnded)
    this.#dialogue = dialogue
    stream.on('data', (bytes: Uint8Array) => dialogue.onFrame(bytes))
    stream.on('end', () => dialogue.finish())
    stream.on('drain', () => dialogue.onDrain())
    stream.on('cancelled', () => dialogue.onBroken())
    stream.on('error', () => dialogue.onBroken())
  }

  /** Reads no more, answers what is in flight, then ends the stream: with `error`, or as if all had been said. */
  finish(error?: MemberError): void {
    this.#dialogue.finish(error)
  }
}
