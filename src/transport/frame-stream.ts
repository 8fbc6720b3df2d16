import type { Client, ClientDuplexStream, StatusObject } from '@grpc/grpc-js'
import { Metadata } from '@grpc/grpc-js'
import type { ConnectResponse } from '../gen/synod/peer/v1/peer.js'
import { CONNECT_METHOD } from './connect-method.js'

interface Handlers {
  readonly onResponse: (response: ConnectResponse) => void
  readonly onEnd: (end: StatusObject) => void
  /** The frame has been written: the next one may follow. */
  readonly onFrameWritten: () => void
}

/** One call of PeerService.Connect, on which this node sends: one frame is under way at a time. After cancel() no handler is called. */
export class FrameStream {
  readonly #stream: ClientDuplexStream<Uint8Array, ConnectResponse>
  readonly #onFrameWritten: () => void
  #isBusy = false
  #isCancelled = false

  constructor(client: Client, { onResponse, onEnd, onFrameWritten }: Handlers) {
    this.#stream = client.makeBidiStreamRequest(
      CONNECT_METHOD.path,
      CONNECT_METHOD.requestSerialize,
      CONNECT_METHOD.responseDeserialize,
      new Metadata({ waitForReady: true }),
    )
    this.#onFrameWritten = () => {
      if (this.#isCancelled) return
      this.#isBusy = false
      onFrameWritten()
    }
    this.#stream.on('data', (response: ConnectResponse) => {
      if (!this.#isCancelled) onResponse(response)
    })
    this.#stream.on('status', (end: StatusObject) => {
      if (!this.#isCancelled) onEnd(end)
    })
    // The status, which always follows, says the same; an error that nobody listens to would end the process.
    this.#stream.on('error', () => undefined)
  }

  /** A frame is under way. */
  get isBusy(): boolean {
    return this.#isBusy
  }

  /** The first thing on the stream; frames need not wait for it. */
  hello(bytes: Uint8Array): void {
    this.#stream.write(bytes)
  }

  write(frame: Uint8Array): void {
    this.#isBusy = true
    this.#stream.write(frame, this.#onFrameWritten)
  }

  /** Ends the stream once everything is written. */
  end(): void {
    this.#stream.end()
  }

  cancel(): void {
    this.#isCancelled = true
    this.#stream.cancel()
  }
}
