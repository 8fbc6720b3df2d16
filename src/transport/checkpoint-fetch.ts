import { type ChannelCredentials, Client, type ClientReadableStream, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { FetchCheckpointResponse, type Hello } from '../gen/synod/peer/v1/peer.js'
import { partFromWire } from '../protocol/checkpoint-parts.js'
import {
  type CheckpointPart,
  type CheckpointRequest,
  type CheckpointSink,
  TransferError,
  type TransferErrorCode,
} from '../protocol/checkpoint-transfer.js'
import { FETCH_METHOD, TRANSFER_OPTIONS } from './connect-method.js'

/** Nothing has come for so long: the peer hangs, or the network. */
export const TRANSFER_IDLE_MS = 20_000

/** One transfer of a checkpoint from a peer, from the request to its end; ends by itself when the peer is silent for too long. */
export class CheckpointFetch {
  readonly #sink: CheckpointSink
  readonly #address: string
  readonly #idleMs: number
  readonly #client: Client
  readonly #stream: ClientReadableStream<Uint8Array>
  readonly #onOver: () => void
  #expected: 'header' | 'page' | 'nothing' = 'header'
  #isOver = false
  #isTaking = false
  /** The error that ended the stream while a part is still being taken. */
  #end: TransferError | undefined
  #timer: NodeJS.Timeout | undefined

  /** `onOver` is called when nothing of it is left. @throws when the address is not host:port */
  constructor(settings: {
    readonly address: string
    readonly credentials: ChannelCredentials
    readonly hello: Hello
    readonly request: CheckpointRequest
    readonly sink: CheckpointSink
    readonly idleMs: number
    readonly onOver: () => void
  }) {
    const { minSlot, checkpointId, afterKey = new Uint8Array() } = settings.request
    this.#sink = settings.sink
    this.#address = settings.address
    this.#idleMs = settings.idleMs
    this.#onOver = settings.onOver
    this.#client = new Client(settings.address, settings.credentials, TRANSFER_OPTIONS)
    this.#stream = this.#client.makeServerStreamRequest(
      FETCH_METHOD.path,
      FETCH_METHOD.requestSerialize,
      FETCH_METHOD.responseDeserialize,
      { hello: settings.hello, minSlot, checkpointId, afterKey },
      new Metadata(),
    )
    this.#stream.on('data', (bytes: Uint8Array) => void this.#onData(bytes))
    this.#stream.on('end', () => this.#onEnd(new TransferError('UNREACHABLE', `${this.#address} ended the transfer too early`)))
    this.#stream.on('error', (error: ServiceError) => this.#onEnd(toTransferError(error)))
    this.#watch()
  }

  /** The sink hears nothing any more. */
  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#stream.cancel()
    this.#client.close()
    this.#onOver()
  }

  async #onData(bytes: Uint8Array): Promise<void> {
    if (this.#isOver) return
    clearTimeout(this.#timer)
    let part: CheckpointPart
    try {
      part = this.#inOrder(partFromWire(FetchCheckpointResponse.decode(bytes)))
    } catch (cause) {
      return this.#fail(new TransferError('MALFORMED', `${this.#address} sent what is no part of a checkpoint`, { cause }))
    }
    this.#stream.pause()
    this.#isTaking = true
    await this.#sink.onPart(part)
    this.#isTaking = false
    if (this.#isOver) return
    if ('end' in part) return this.cancel()
    if (this.#end !== undefined) return this.#fail(this.#end)
    this.#watch()
    this.#stream.resume()
  }

  #inOrder(part: CheckpointPart): CheckpointPart {
    const isExpected = 'header' in part ? this.#expected === 'header' : this.#expected === 'page'
    if (!isExpected) throw new Error(`${this.#expected} was expected, not ${Object.keys(part).join()}`)
    this.#expected = 'end' in part ? 'nothing' : 'page'
    return part
  }

  #watch(): void {
    this.#timer = setTimeout(() => {
      this.#fail(new TransferError('TIMED_OUT', `nothing came from ${this.#address} within ${this.#idleMs} ms`))
    }, this.#idleMs)
  }

  #onEnd(error: TransferError): void {
    if (this.#isTaking) this.#end = error
    else this.#fail(error)
  }

  #fail(error: TransferError): void {
    if (this.#isOver) return
    this.cancel()
    this.#sink.onFailed(error)
  }
}

const CODES: ReadonlyMap<number, TransferErrorCode> = new Map([
  [status.NOT_FOUND, 'NOT_FOUND'],
  [status.RESOURCE_EXHAUSTED, 'BUSY'],
  [status.ABORTED, 'BUSY'],
  [status.FAILED_PRECONDITION, 'REFUSED'],
  [status.UNAVAILABLE, 'UNREACHABLE'],
  [status.CANCELLED, 'UNREACHABLE'],
  [status.DEADLINE_EXCEEDED, 'TIMED_OUT'],
])

function toTransferError(error: ServiceError): TransferError {
  return new TransferError(CODES.get(error.code) ?? 'FAILED', error.details, { cause: error })
}
