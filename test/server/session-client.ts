import { EventEmitter, once } from 'node:events'
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import {
  type Answer,
  Command,
  type ConnectRequest,
  type ConnectResponse,
  type Query,
  type Request,
  Result,
  type ServerWelcome,
  type SessionServiceClient,
  SessionServiceService,
} from '../../src/gen/synod/session/v1/session.js'

type SessionName = Pick<ServerWelcome, 'clientId' | 'token'>

/** The client's end of a session stream, as a test wants it. */
export class SessionClient {
  readonly stream: ClientDuplexStream<ConnectRequest, ConnectResponse>
  /** Every answer so far, in the order they came. */
  readonly answers: Answer[] = []
  frameCount = 0
  welcome: ServerWelcome | undefined
  hasEnded = false
  /** Settles when the server ends the stream with an error. */
  readonly failure: Promise<ServiceError>
  readonly #changed = new EventEmitter()

  /** `serialize`: for requests that are not as generated code writes them. */
  constructor(client: SessionServiceClient, serialize?: (request: ConnectRequest) => Buffer) {
    const { path, responseDeserialize } = SessionServiceService.connect
    this.stream = serialize === undefined ? client.connect() : client.makeBidiStreamRequest(path, serialize, responseDeserialize)
    this.stream.on('data', ({ frame }: ConnectResponse) => {
      if (frame?.$case === 'welcome') this.welcome = frame.value
      if (frame?.$case === 'answers') {
        this.frameCount++
        for (const answer of frame.value.answers) this.answers.push(answer)
      }
      this.#changed.emit('change')
    })
    this.stream.on('end', () => {
      this.hasEnded = true
      this.#changed.emit('change')
    })
    this.failure = new Promise((resolve) => {
      this.stream.on('error', resolve)
    })
  }

  /** Says hello and waits for the welcome. */
  async open(session?: SessionName): Promise<ServerWelcome> {
    this.hello(session)
    await this.until(() => this.welcome !== undefined)
    return this.welcome ?? Promise.reject(new Error('no welcome'))
  }

  hello({ clientId, token }: SessionName = { clientId: 0, token: new Uint8Array() }, readsOnly = false): void {
    this.stream.write({ frame: { $case: 'hello', value: { clientId, token, readsOnly } } })
  }

  send(firstUnacknowledged: number, ...requests: Request[]): void {
    this.stream.write({ frame: { $case: 'requests', value: { firstUnacknowledged, requests } } })
  }

  /** Resolves when so many answers have come in all, with those since the last time. */
  async receive(count: number): Promise<Answer[]> {
    await this.until(() => this.answers.length >= count)
    return this.answers.splice(0)
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.#changed, 'change')
  }
}

export function putRequest(requestNumber: number, key: string, value = ''): Request {
  const request = { key, value: Buffer.from(value), returnPrevious: true, requestId: '' }
  const command = Command.encode({ operation: { $case: 'put', value: request } }).finish()
  return { requestNumber, body: { $case: 'command', value: command } }
}

export function getQuery(requestNumber: number, key: string, consistency: 0 | 1 | 2 | 3 = 0): Request {
  const query: Query = { query: { $case: 'get', value: { key, consistency } } }
  return { requestNumber, body: { $case: 'query', value: query } }
}

export function outcomeOf(answer: Answer | undefined): Result['outcome'] {
  return Result.decode(answer?.result ?? new Uint8Array()).outcome
}

/** The reason of a refusal, or the name of the result. */
export function nameOf(answer: Answer | undefined): string {
  const outcome = outcomeOf(answer)
  return outcome?.$case === 'refusal' ? outcome.value.reason : (outcome?.$case ?? 'nothing')
}
