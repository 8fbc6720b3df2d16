import { setLogger } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { BankAndKeys } from '../api/bank-and-keys.js'
import { initialAuthority } from '../api/initial-authority.js'
import { safeLogger } from '../host/safe-logger.js'
import { Member } from '../member.js'
import { type Observer, SafeObserver } from '../observer/observer.js'
import { INSECURE, type Security } from '../security/security.js'
import type { ServerConfig } from './config.js'
import { ClientServer } from './grpc-server.js'
import { VERSION } from './version.js'

/** The time that calls in flight have to finish when the server is stopped. */
const DRAIN_MS = 5_000

/** One node as it runs: a member of the cluster, and the services that clients call. */
export interface RunningServer {
  /** host:port where clients are served. */
  readonly clientAddress: string
  /** Resolves when the server has been stopped; rejects when the node has failed by itself. Either way it serves nobody any more. */
  readonly stopped: Promise<void>
  /** Hands leadership over, finishes what is in flight and lets go of everything. Once is enough. */
  stop(): Promise<void>
}

/**
 * Starts a node. It serves at once, and answers NO_QUORUM until a majority of the members is up; NOT_JOINED, if it is to be let into a cluster first.
 *
 * @throws StorageError, PeerListenError or an Error naming the address or the field at fault; nothing is left running then
 */
export async function startServer(
  config: ServerConfig,
  log: Logger,
  security: Security = INSECURE,
  unsafeObserver?: Observer,
): Promise<RunningServer> {
  const logger = safeLogger(log)
  const observer = unsafeObserver && new SafeObserver(unsafeObserver)
  logGrpc(logger)
  const machine = new BankAndKeys()
  const member = await Member.start(
    {
      nodeId: config.nodeId,
      directory: config.dataDirectory,
      listenAddress: config.peerListen,
      members: config.members,
      machine,
      version: VERSION,
      initialCommands: config.authorities.map(initialAuthority),
      join: config.join ?? false,
      repairs: config.repair ?? true,
      ...(config.transferBytesPerSecondMax !== undefined && { transferBytesPerSecondMax: config.transferBytesPerSecondMax }),
      ...(observer && { observer }),
      logger,
    },
    security,
  )
  try {
    const clients = await ClientServer.start({ member, machine, listenAddress: config.clientListen, security, observer, logger })
    logger.info({ nodeId: config.nodeId, clients: clients.address, peers: config.peerListen }, 'serving')
    return new Running({ member, clients, logger })
  } catch (error) {
    await member.stop()
    throw error
  }
}

class Running implements RunningServer {
  readonly stopped: Promise<void>
  readonly #member: Member
  readonly #clients: ClientServer
  readonly #logger: Logger
  #stopping: Promise<void> | undefined
  #onStopped: () => void = () => {}

  constructor(parts: { member: Member; clients: ClientServer; logger: Logger }) {
    this.#member = parts.member
    this.#clients = parts.clients
    this.#logger = parts.logger
    const byRequest = new Promise<void>((resolve) => {
      this.#onStopped = resolve
    })
    this.stopped = Promise.race([byRequest, this.#failure()])
    // A caller who never looks at it must not be ended by an unhandled rejection.
    this.stopped.catch(() => {})
  }

  get clientAddress(): string {
    return this.#clients.address
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#logger.info('stopping')
    this.#clients.announceStop()
    // Clients are served until another leads: what they ask meanwhile must not wait for an election.
    await this.#member.handOver()
    await this.#clients.drain(DRAIN_MS)
    await this.#member.stop()
    await this.#clients.close()
    this.#logger.info('stopped')
    this.#onStopped()
  }

  /** Rejects when the member has failed; what was in flight has been told STOPPED. */
  async #failure(): Promise<never> {
    const error = await this.#member.failed
    await this.#clients.drain(DRAIN_MS)
    await this.#clients.close()
    throw error
  }
}

/** grpc-js writes to the console by itself. What matters of it reaches us as errors, too; the rest is for who looks closely. */
function logGrpc(logger: Logger): void {
  const write = (...parts: unknown[]): void => logger.debug({ grpc: parts.join(' ') }, 'grpc-js')
  setLogger({ error: write, info: write, debug: write })
}
