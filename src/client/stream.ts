import {
  type ChannelCredentials,
  type ChannelOptions,
  type ClientDuplexStream,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import {
  type AnswerFrame,
  type ConnectRequest,
  type ConnectResponse,
  type RequestFrame,
  type ServerWelcome,
  SessionServiceClient,
} from '../gen/synod/session/v1/session.js'

/**
 * A paused process (SIGSTOP) keeps its TCP connections, and its kernel even accepts new ones: only a ping that nobody answers shows
 * it. Two seconds each way leaves it within four, without taking a busy node for a dead one.
 */
export const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.keepalive_time_ms': 2_000,
  'grpc.keepalive_timeout_ms': 2_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc.max_send_message_length': 64 * 1024 * 1024,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
}

/** Who waits for the end of the process must not wait longer for a session to be closed. */
const CLOSE_MS = 1_000

/** What names a session, as the welcome told it. */
export type SessionName = Pick<ServerWelcome, 'clientId' | 'token'>

const NEW_SESSION: SessionName = Object.freeze({ clientId: 0, token: new Uint8Array(0) })

/** What a stream is for: commands and queries under a session's name, a new one's where there is none yet; or queries, without a session. */
type StreamPurpose = { readonly session: SessionName | undefined } | 'reads'

export interface StreamEvents {
  onWelcome(welcome: ServerWelcome): void
  onAnswers(frame: AnswerFrame): void
  /** There is room again after `canSend` was false. */
  onDrain(): void
  /** Called once, and nothing after it. */
  onEnd(error: ServiceError): void
}

export interface StreamOptions {
  readonly endpoint: string
  readonly credentials: ChannelCredentials
  readonly purpose: StreamPurpose
  readonly events: StreamEvents
}

/** One stream to one endpoint, from the hello to its end. It knows frames, not requests. */
export class SessionStream {
  readonly endpoint: string
  readonly #client: SessionServiceClient
  readonly #stream: ClientDuplexStream<ConnectRequest, ConnectResponse>
  readonly #events: StreamEvents
  #hasRoom = true
  #hasEnded = false

  /** Connects and sends the hello. */
  constructor(options: StreamOptions) {
    this.endpoint = options.endpoint
    this.#events = options.events
    this.#client = new SessionServiceClient(options.endpoint, options.credentials, CHANNEL_OPTIONS)
    this.#stream = this.#client.connect()
    this.#stream.on('data', (response: ConnectResponse) => this.#onFrame(response))
    this.#stream.on('drain', () => this.#onDrain())
    this.#stream.on('error', (error: ServiceError) => this.#onEnd(error))
    this.#stream.on('end', () => this.#onEnd(streamError(status.UNAVAILABLE, `${this.endpoint} ended the stream`)))
    const { purpose } = options
    const hello =
      purpose === 'reads' ? { ...NEW_SESSION, readsOnly: true } : { ...(purpose.session ?? NEW_SESSION), readsOnly: false }
    this.#stream.write({ frame: { $case: 'hello', value: hello } })
  }

  /** False while the socket is behind: what is written then would only pile up here. */
  get canSend(): boolean {
    return this.#hasRoom && !this.#hasEnded
  }

  send(frame: RequestFrame): void {
    this.#hasRoom = this.#stream.write({ frame: { $case: 'requests', value: frame } })
  }

  /** Lets the node finish its side; no event follows. */
  finish(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#stream.end()
    this.#client.close()
  }

  /** Breaks the stream off; no event follows. */
  destroy(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#stream.cancel()
    this.#client.close()
  }

  #onFrame({ frame }: ConnectResponse): void {
    if (this.#hasEnded) return
    switch (frame?.$case) {
      case 'welcome':
        return this.#events.onWelcome(frame.value)
      case 'answers':
        return this.#events.onAnswers(frame.value)
      case undefined:
        return // a kind of frame that a newer node knows
    }
  }

  #onDrain(): void {
    this.#hasRoom = true
    if (!this.#hasEnded) this.#events.onDrain()
  }

  #onEnd(error: ServiceError): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#client.close()
    this.#events.onEnd(error)
  }
}

/** Has the cluster forget a session that nobody will go on with. If nobody answers soon, it ends by itself when it has been idle long enough. */
export function closeSession(endpoint: string, credentials: ChannelCredentials, { clientId, token }: SessionName): void {
  const client = new SessionServiceClient(endpoint, credentials, CHANNEL_OPTIONS)
  client.closeSession({ clientId, token }, new Metadata(), { deadline: Date.now() + CLOSE_MS }, () => client.close())
}

function streamError(code: status, details: string): ServiceError {
  return Object.assign(new Error(details), { code, details }) as ServiceError
}
