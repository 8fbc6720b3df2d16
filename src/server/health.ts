import type { Server, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import { status } from '@grpc/grpc-js'
import { service as HEALTH_SERVICE } from 'grpc-health-check'

/** The interval between two looks at the member's quorum. */
const INTERVAL_MS = 100
/** Watchers at once; further ones are refused. */
const WATCHERS_MAX = 1_000
/** Names of services end well before this, in characters. */
const NAME_LENGTH_MAX = 256

/** The process turns its event loop. */
const LIVENESS = 'liveness'
/** This node has a majority behind it; so do the server as a whole and each service. */
const READINESS: readonly string[] = ['', 'readiness']

type ServingStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN'

interface Request {
  readonly service: string
}

interface Response {
  readonly status: ServingStatus
}

type Watcher = ServerWritableStream<Request, Response>

/**
 * grpc.health.v1.Health. `liveness` serves as long as this process answers at all: a node without a majority is alive, and to start it again
 * would not help. `readiness`, '' and each service serve while the node has a majority behind it, and no more once it is to stop.
 *
 * The library's own implementation is not used: it never forgets a name that somebody has watched.
 */
export class Health {
  readonly #hasQuorum: () => boolean
  /** Every name that stands for readiness. */
  readonly #readiness: readonly string[]
  readonly #timer: NodeJS.Timeout
  readonly #watchers = new Set<Watcher>()
  #isReady: boolean
  #isDraining = false

  /** `services` are known by their full names. */
  constructor(services: readonly string[], hasQuorum: () => boolean) {
    this.#readiness = [...READINESS, ...services]
    this.#hasQuorum = hasQuorum
    this.#isReady = hasQuorum()
    this.#timer = setInterval(() => this.#set(this.#hasQuorum()), INTERVAL_MS)
    this.#timer.unref()
  }

  addToServer(server: Server): void {
    server.addService(HEALTH_SERVICE, {
      check: (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>) => this.#check(call, callback),
      list: (_: unknown, callback: sendUnaryData<{ statuses: Record<string, Response> }>) => callback(null, this.#list()),
      watch: (stream: Watcher) => this.#watch(stream),
    })
  }

  /** Reports NOT_SERVING for readiness from now on, to its watchers too. Watch streams end with their connections. */
  drain(): void {
    clearInterval(this.#timer)
    this.#isDraining = true
    this.#set(false)
  }

  #check({ request }: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void {
    const now = this.#statusOf(request.service)
    if (now !== 'SERVICE_UNKNOWN') return callback(null, { status: now })
    callback({ code: status.NOT_FOUND, details: 'no service of this name is served here' })
  }

  #list(): { statuses: Record<string, Response> } {
    return {
      statuses: Object.fromEntries([LIVENESS, ...this.#readiness].map((name) => [name, { status: this.#statusOf(name) }])),
    }
  }

  /** A name that is not served stays so: the stream is told once, and stays open, as the protocol wants it. */
  #watch(stream: Watcher): void {
    if (this.#watchers.size >= WATCHERS_MAX || stream.request.service.length > NAME_LENGTH_MAX) {
      stream.destroy(Object.assign(new Error(), { code: status.RESOURCE_EXHAUSTED, details: `${WATCHERS_MAX} watchers at most` }))
      return
    }
    this.#watchers.add(stream)
    stream.on('cancelled', () => this.#watchers.delete(stream))
    stream.on('error', () => this.#watchers.delete(stream))
    stream.write({ status: this.#statusOf(stream.request.service) })
  }

  #statusOf(service: string): ServingStatus {
    if (service === LIVENESS) return 'SERVING'
    if (!this.#readiness.includes(service)) return 'SERVICE_UNKNOWN'
    return this.#isReady ? 'SERVING' : 'NOT_SERVING'
  }

  #set(hasQuorum: boolean): void {
    const isReady = hasQuorum && !this.#isDraining
    if (isReady === this.#isReady) return
    this.#isReady = isReady
    for (const stream of this.#watchers) {
      const { service } = stream.request
      if (this.#readiness.includes(service)) stream.write({ status: this.#statusOf(service) })
    }
  }
}
