import { lookup } from 'node:dns/promises'
import { createServer, isIP, type Server as NetServer, type Socket } from 'node:net'
import type { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js'
import { splitHostPort, withPort } from '../encoding/host-port.js'

export interface ListenerOptions {
  /** host:port, [IPv6]:port; port 0 takes any free one. A name is listened on under each of its addresses. */
  readonly address: string
  readonly credentials: ServerCredentials
  /** Connections that are open at once; further ones are closed as soon as they come. */
  readonly connectionsMax: number
  /** The longest time to the first byte of a connection, in ms. */
  readonly firstByteMs: number
  /** Told that connections are refused: of the first one, then every 10 s at most. Whoever is refused may try again at once, for ever. */
  readonly onRefused: (openCount: number) => void
}

const REFUSED_TOLD_INTERVAL_MS = 10_000

type Injector = ReturnType<GrpcServer['createConnectionInjector']>

/**
 * Takes connections for a gRPC server, but never so many that the process runs out of file descriptors: LevelDB needs some, too, and a node
 * whose LevelDB cannot open a file must stop.
 */
export class Listener {
  readonly port: number
  /** host:port as it is. */
  readonly address: string
  readonly #servers: readonly NetServer[]
  readonly #injector: Injector
  readonly #sockets: ReadonlySet<Socket>

  /** @throws as node:net does; nothing is left open then */
  static async start(server: GrpcServer, options: ListenerOptions): Promise<Listener> {
    const { host, port } = splitHostPort(options.address)
    const injector = server.createConnectionInjector(options.credentials)
    const sockets = new Set<Socket>()
    const servers: NetServer[] = []
    const { connectionsMax, firstByteMs } = options
    const onRefused = atMostEvery(REFUSED_TOLD_INTERVAL_MS, options.onRefused)
    try {
      let bound = port
      for (const address of await addressesOf(host)) {
        const net = createServer((socket) => accept(socket, sockets, injector, { connectionsMax, firstByteMs, onRefused }))
        bound = await listen(net, address, bound)
        servers.push(net)
      }
      return new Listener({
        address: withPort(options.address, bound),
        port: bound,
        servers,
        injector,
        sockets,
      })
    } catch (error) {
      for (const net of servers) net.close()
      throw error
    }
  }

  private constructor(parts: {
    address: string
    port: number
    servers: readonly NetServer[]
    injector: Injector
    sockets: ReadonlySet<Socket>
  }) {
    this.port = parts.port
    this.address = parts.address
    this.#servers = parts.servers
    this.#injector = parts.injector
    this.#sockets = parts.sockets
  }

  /** Takes no more connections, and asks the clients of those that there are to go; those that have not gone after graceMs are cut. */
  async close(graceMs: number): Promise<void> {
    const closed = this.#servers.map((net) => new Promise<void>((resolve) => net.close(() => resolve())))
    this.#injector.drain(graceMs)
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy()
    }, graceMs)
    await Promise.all(closed)
    clearTimeout(timer)
    this.#injector.destroy()
  }
}

function accept(
  socket: Socket,
  sockets: Set<Socket>,
  injector: Injector,
  { connectionsMax, firstByteMs, onRefused }: Omit<ListenerOptions, 'address' | 'credentials'>,
): void {
  if (sockets.size >= connectionsMax) {
    socket.destroy()
    onRefused(sockets.size)
    return
  }
  sockets.add(socket)
  const timer = setTimeout(() => {
    if (socket.bytesRead === 0) socket.destroy()
  }, firstByteMs)
  socket.once('close', () => {
    clearTimeout(timer)
    sockets.delete(socket)
  })
  socket.on('error', () => socket.destroy())
  socket.setNoDelay(true)
  injector.injectConnection(socket)
}

function atMostEvery<Argument>(intervalMs: number, run: (argument: Argument) => void): (argument: Argument) => void {
  let nextMs = 0
  return (argument) => {
    if (performance.now() < nextMs) return
    nextMs = performance.now() + intervalMs
    run(argument)
  }
}

async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host]
  const found = await lookup(host, { all: true })
  return [...new Set(found.map(({ address }) => address))]
}

/** Resolves with the port. */
function listen(net: NetServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    net.once('error', reject)
    net.listen({ host, port }, () => {
      net.off('error', reject)
      // Running out of descriptors, say, while taking a connection.
      net.on('error', () => {})
      const address = net.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
