import { Server, ServerCredentials, type ServerDuplexStream, type ServiceError, status } from '@grpc/grpc-js'
import {
  type Answer,
  type ClientHello,
  type CloseSessionRequest,
  type CloseSessionResponse,
  Command,
  type ConnectRequest,
  type ConnectResponse,
  type Request,
  type RequestFrame,
  Result,
  SessionServiceService,
} from '../../src/gen/synod/session/v1/session.js'

type Stream = ServerDuplexStream<ConnectRequest, ConnectResponse>

/** What a node does with a request: answers with a result, or keeps silent for now. */
export type Script = (request: Request, node: ScriptedNode) => Result | undefined

/** What the replicas share: sessions, each with the results it may still ask for. Numbers are checked as the real ones do. */
export class ScriptedCluster {
  /** By client id, by request number. */
  readonly sessions = new Map<number, Map<number, Result>>()
  /** Commands in the order they took effect, as `clientId/requestNumber:key`. */
  readonly applied: string[] = []
  readonly clusterId: string
  #lastClientId = 0

  constructor(clusterId = 'cluster') {
    this.clusterId = clusterId
  }

  openSession(): number {
    this.#lastClientId++
    this.sessions.set(this.#lastClientId, new Map())
    return this.#lastClientId
  }

  /** False when there is no such session, or the token is not its own. */
  close({ clientId, token }: CloseSessionRequest): boolean {
    return Buffer.compare(token, tokenOf(clientId)) === 0 && this.sessions.delete(clientId)
  }

  /** Carries a command out once. A put's revision says how many puts there were. */
  apply(clientId: number, request: Request): Result {
    const results = this.sessions.get(clientId)
    if (results === undefined) return refusal('SESSION_EXPIRED')
    const known = results.get(request.requestNumber)
    if (known !== undefined) return known
    const { operation } = Command.decode(request.body?.$case === 'command' ? request.body.value : new Uint8Array())
    if (operation?.$case !== 'put') return refusal('INVALID_ARGUMENT')
    this.applied.push(`${clientId}/${request.requestNumber}:${operation.value.key}`)
    const result = putResult(this.applied.length)
    results.set(request.requestNumber, result)
    return result
  }
}

/** One node: a real gRPC server with the session service, whose answers a test decides. */
export class ScriptedNode {
  readonly cluster: ScriptedCluster
  readonly frames: RequestFrame[] = []
  /** The client id of each hello, or that it was for reads only. */
  readonly hellos: (number | 'reads')[] = []
  script: Script
  /** The client of the stream that is open now. */
  clientId = 0
  endpoint = ''
  #stream: Stream | undefined
  #server = new Server()
  #port = 0
  #waiters: { ready: () => boolean; resolve: () => void }[] = []

  constructor(cluster: ScriptedCluster, script: Script = (request, node) => cluster.apply(node.clientId, request)) {
    this.cluster = cluster
    this.script = script
  }

  async start(): Promise<this> {
    this.#server = new Server({ 'grpc.max_receive_message_length': 8 * 1024 * 1024 })
    this.#server.addService(SessionServiceService, {
      connect: (stream: Stream) => this.#onConnect(stream),
      closeSession: (
        { request }: { request: CloseSessionRequest },
        callback: (error: null, response: CloseSessionResponse) => void,
      ) => {
        const closed = this.cluster.close(request)
        callback(null, { header: undefined, closed })
        this.#look()
      },
    })
    this.#port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${this.#port}`, ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      )
    })
    this.endpoint = `127.0.0.1:${this.#port}`
    return this
  }

  stop(): void {
    this.#server.forceShutdown()
  }

  /** Every request so far, as the node got them. */
  get requests(): Request[] {
    return this.frames.flatMap((frame) => frame.requests)
  }

  /** Answers the requests that a script had kept, or any. */
  answer(...answers: { request: Request; result: Result }[]): void {
    const value = { answers: answers.map(({ request, result }) => answerOf(request, result)) }
    this.#stream?.write({ frame: { $case: 'answers', value } })
  }

  /** Answers a command with bytes that may be no result. */
  answerBytes(requestNumber: number, result: Uint8Array): void {
    const value = { answers: [{ requestNumber, query: false, slot: ANSWER_SLOT, result }] }
    this.#stream?.write({ frame: { $case: 'answers', value } })
  }

  /** Ends the stream with an error, as a dying node does. */
  breakStream(code: status = status.UNAVAILABLE): void {
    this.#stream?.emit('error', Object.assign(new Error('scripted'), { code, details: 'scripted' }) as ServiceError)
  }

  /** Resolves once `ready` holds after a frame or a hello; the test's own deadline ends a wait in vain. */
  async until(ready: () => boolean): Promise<void> {
    if (ready()) return
    await new Promise<void>((resolve) => this.#waiters.push({ ready, resolve }))
  }

  #onConnect(stream: Stream): void {
    this.#stream = stream
    stream.on('error', () => {})
    stream.on('end', () => stream.end())
    stream.on('data', ({ frame }: ConnectRequest) => {
      if (frame?.$case === 'hello') this.#onHello(stream, frame.value)
      else if (frame?.$case === 'requests') this.#onRequests(frame.value)
      this.#look()
    })
  }

  #look(): void {
    this.#waiters = this.#waiters.filter(({ ready, resolve }) => {
      const isReady = ready()
      if (isReady) resolve()
      return !isReady
    })
  }

  #onHello(stream: Stream, { clientId, token, readsOnly }: ClientHello): void {
    if (clientId !== 0 && Buffer.compare(token, tokenOf(clientId)) !== 0)
      throw new Error('a client must say the token of its session')
    this.hellos.push(readsOnly ? 'reads' : clientId)
    if (!readsOnly) this.clientId = clientId === 0 ? this.cluster.openSession() : clientId
    const value = {
      clientId: this.clientId,
      token: tokenOf(this.clientId),
      clusterId: this.cluster.clusterId,
      nodeId: 1,
      leaderAddress: '',
    }
    stream.write({ frame: { $case: 'welcome', value } })
  }

  #onRequests(frame: RequestFrame): void {
    this.frames.push(frame)
    const answers: Answer[] = []
    for (const request of frame.requests) {
      const result = this.script(request, this)
      if (result !== undefined) answers.push(answerOf(request, result))
    }
    if (answers.length > 0) this.#stream?.write({ frame: { $case: 'answers', value: { answers } } })
  }
}

/** Of the session with that client id. */
function tokenOf(clientId: number): Uint8Array {
  return new Uint8Array(16).fill(clientId)
}

/** Of every answer. */
export const ANSWER_SLOT = 7

function answerOf(request: Request, result: Result): Answer {
  return {
    requestNumber: request.requestNumber,
    query: request.body?.$case === 'query',
    slot: ANSWER_SLOT,
    result: Result.encode(result).finish(),
  }
}

export function refusal(reason: string): Result {
  return {
    slot: 0,
    outcome: { $case: 'refusal', value: { reason, message: `scripted ${reason}`, fieldViolations: [], parameters: {} } },
  }
}

export function putResult(revision: number): Result {
  return { slot: 0, outcome: { $case: 'put', value: { header: undefined, revision: BigInt(revision), previous: undefined } } }
}

export const silent: Script = () => undefined
