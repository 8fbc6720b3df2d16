import {
  type ChannelCredentials,
  type ChannelOptions,
  type ClientDuplexStream,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import {
  type ConnectRequest,
  type ConnectResponse,
  type RequestFrame,
  SessionServiceClient,
} from '../gen/synod/session/v1/session.js'
import type { Settings } from './client-options.js'
import { probeEndpoint } from './endpoint-probe.js'
import {
  helloOf,
  type SessionName,
  type SessionPort,
  type SessionStream,
  type StreamEvents,
  type StreamOptions,
} from './session-port.js'
import { errorOfService } from './synod-error.js'

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

/** Maximum time that closing a session may delay the end of the process. */
const CLOSE_MS = 1_000
const PROBE_MS_MAX = 1_000

/** The transport of a session over gRPC. */
export class GrpcPort implements SessionPort {
  readonly #settings: Pick<Settings, 'credentials' | 'probing'>

  constructor(settings: Pick<Settings, 'credentials' | 'probing'>) {
    this.#settings = settings
  }

  openStream(options: StreamOptions): SessionStream {
    return new GrpcStream(options, this.#settings.credentials)
  }

  closeSession(endpoint: string, { clientId, token }: SessionName): void {
    const client = new SessionServiceClient(endpoint, this.#settings.credentials, CHANNEL_OPTIONS)
    client.closeSession({ clientId, token }, new Metadata(), { deadline: Date.now() + CLOSE_MS }, () => client.close())
  }

  async findTrouble(endpoint: string, signal: AbortSignal): Promise<string | undefined> {
    const { probing } = this.#settings
    if (probing === undefined) return undefined
    const state = await probeEndpoint(endpoint, { timeoutMs: PROBE_MS_MAX, security: probing, signal })
    return state.serves ? undefined : state.trouble
  }
}

class GrpcStream implements SessionStream {
  readonly endpoint: string
  readonly #client: SessionServiceClient
  readonly #stream: ClientDuplexStream<ConnectRequest, ConnectResponse>
  readonly #events: StreamEvents
  #hasRoom = true
  #hasEnded = false

  /** Connects and sends the hello. */
  constructor(options: StreamOptions, credentials: ChannelCredentials) {
    this.endpoint = options.endpoint
    this.#events = options.events
    this.#client = new SessionServiceClient(options.endpoint, credentials, CHANNEL_OPTIONS)
    this.#stream = this.#client.connect()
    this.#stream.on('data', (response: ConnectResponse) => this.#onFrame(response))
    this.#stream.on('drain', () => this.#onDrain())
    this.#stream.on('error', (error: ServiceError) => this.#onEnd(error))
    this.#stream.on('end', () => this.#onEnd(streamError(status.UNAVAILABLE, `${this.endpoint} ended the stream`)))
    this.#stream.write({ frame: { $case: 'hello', value: helloOf(options.purpose) } })
  }

  get canSend(): boolean {
    return this.#hasRoom && !this.#hasEnded
  }

  send(frame: RequestFrame): void {
    this.#hasRoom = this.#stream.write({ frame: { $case: 'requests', value: frame } })
  }

  finish(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#stream.end()
    this.#client.close()
  }

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
    this.#events.onEnd(errorOfService(error))
  }
}

function streamError(code: status, details: string): ServiceError {
  return Object.assign(new Error(details), { code, details }) as ServiceError
}
