import { Server, type ServerOptions } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import type { MemberApi } from '../host/api.js'
import { REAL_RUNTIME } from '../host/runtime.js'
import type { Observer } from '../observer/observer.js'
import type { Security } from '../security/security.js'
import { descriptorShares } from '../storage/directory/descriptors.js'
import { Listener } from '../transport/listener.js'
import { capDeadlines } from './deadline-cap.js'
import { Doors } from './doors.js'
import { Drain } from './drain.js'
import { Failures } from './failures.js'
import { Health } from './health.js'
import { type LocalReads, Operations } from './operation-calls.js'
import { addReflection } from './reflection.js'
import { SERVICES } from './services.js'
import { UntakenAnswers } from './untaken-answers.js'

/** Unary calls that may be in flight on a node; more are refused with OVERLOADED at once. */
const CALLS_IN_FLIGHT_MAX = 2_048
/** Calls of one connection at a time: more wait in the client, where they cost this node nothing. */
const CALLS_PER_CONNECTION_MAX = 512
/** The largest request, as API.md has it. */
const REQUEST_BYTES_MAX = 4 * 1_024 * 1_024
/** The time that connections have to close: health watchers, for example, hold theirs open. */
const CLOSE_MS = 500
/** A connection without a call is closed after this long. */
const IDLE_MS_MAX = 5 * 60_000
/** The time that a connection has to send its first byte. */
const FIRST_BYTE_MS_MAX = 10_000

const OPTIONS: ServerOptions = {
  'grpc.max_receive_message_length': REQUEST_BYTES_MAX,
  'grpc.enable_channelz': 0,
  // A client that is gone without a word is noticed within 40 s.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_concurrent_streams': CALLS_PER_CONNECTION_MAX,
  // Clients connect again by themselves when they have something to ask.
  'grpc.max_connection_idle_ms': IDLE_MS_MAX,
}

export interface ClientServerOptions {
  readonly member: MemberApi
  readonly machine: LocalReads
  /** host:port; port 0 takes any free one. */
  readonly listenAddress: string
  readonly security: Pick<Security, 'clientPort'>
  readonly observer?: Observer | undefined
  readonly logger: Logger
  readonly callsInFlightMax?: number
  /** Bytes of answers that clients have not taken, all together. Default: 128 MiB. */
  readonly untakenBytesMax?: number
  /** Connections that are open at once. Default: what the limit on file descriptors leaves. */
  readonly connectionsMax?: number
}

/** The server for clients: every service over one address. */
export class ClientServer {
  /** host:port as it is. */
  readonly address: string
  readonly #server: Server
  readonly #listener: Listener
  readonly #drain: Drain
  readonly #health: Health

  /** @throws with the address when it cannot be listened on; nothing is left open then. */
  static async start(options: ClientServerOptions): Promise<ClientServer> {
    const { member, machine, logger, callsInFlightMax = CALLS_IN_FLIGHT_MAX } = options
    const server = new Server(OPTIONS)
    capDeadlines(server)
    const drain = new Drain()
    const untaken = new UntakenAnswers(options.untakenBytesMax)
    const failures = new Failures(member.status().nodeId, logger)
    const doors = new Doors({ failures, untaken, drain, callsInFlightMax, level: () => member.level, observer: options.observer })
    const operations = new Operations(member, machine)
    const parts = { member, machine, operations, untaken, drain, runtime: REAL_RUNTIME, logger }
    for (const service of SERVICES) server.addService(...doors.open(service, parts))
    const names = SERVICES.map(({ name }) => name)
    addReflection(server, names)
    const listener = await listen(server, options)
    const health = new Health(names, () => member.status().hasQuorum)
    health.addToServer(server)
    return new ClientServer({ listener, server, drain, health })
  }

  private constructor(parts: { listener: Listener; server: Server; drain: Drain; health: Health }) {
    this.address = parts.listener.address
    this.#listener = parts.listener
    this.#server = parts.server
    this.#drain = parts.drain
    this.#health = parts.health
  }

  /** Tells health checkers that clients should go elsewhere. Everything is still served. */
  announceStop(): void {
    this.#health.drain()
  }

  /** Refuses what is new, answers what is in flight, ends the session streams and breaks backups off. Takes deadlineMs at most. */
  async drain(deadlineMs: number): Promise<void> {
    this.announceStop()
    await within(this.#drain.begin(), deadlineMs)
  }

  /** Lets go of the port and of every connection; what is still open on one after half a second is cut. */
  async close(): Promise<void> {
    await this.#listener.close(CLOSE_MS)
    this.#server.forceShutdown()
  }
}

/** Waits for a promise that never rejects, but not for longer than timeoutMs. */
async function within(done: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  await Promise.race([done, timeout])
  clearTimeout(timer)
}

async function listen(
  server: Server,
  { listenAddress: address, security, connectionsMax = descriptorShares().clientConnections, logger }: ClientServerOptions,
): Promise<Listener> {
  const onRefused = (openCount: number): void => {
    logger.warn({ openCount }, 'clients have as many connections open as this node can serve (ulimit -n): others are refused')
  }
  try {
    const credentials = security.clientPort()
    return await Listener.start(server, { address, credentials, connectionsMax, firstByteMs: FIRST_BYTE_MS_MAX, onRefused })
  } catch (error) {
    server.forceShutdown()
    throw new Error(`cannot listen for clients on ${address}: ${explain(error as Error)}`, { cause: error })
  }
}

function explain({ message }: Error): string {
  if (message.includes('EADDRINUSE')) return 'the port is taken'
  if (message.includes('EACCES')) return 'the system does not permit this port'
  if (message.includes('EADDRNOTAVAIL')) return 'this machine does not have that address'
  return message
}
