import type { Logger } from 'pino'
import { withPort } from '../encoding/host-port.js'
import type { Observer } from '../observer/observer.js'
import type { Message, Roster } from '../paxos/messages.js'
import type { NodeId } from '../paxos/types.js'
import {
  type CheckpointPart,
  type CheckpointRequest,
  type CheckpointSink,
  TransferError,
} from '../protocol/checkpoint-transfer.js'
import type { Security } from '../security/security.js'
import { CheckpointFetch, TRANSFER_IDLE_MS } from './checkpoint-fetch.js'
import { PROTOCOL_VERSION } from './connect-method.js'
import {
  type LocalIdentity,
  type PeerIdentity,
  PeerLink,
  type PeerLinkStats,
  type PeerRoute,
  type RefusedBy,
} from './peer-link.js'
import type { PeerRefusal } from './peer-refusal.js'
import { type CallerIdentity, PeerServer } from './peer-server.js'

export { PeerListenError } from './peer-server.js'
export type { PeerLinkStats, PeerRefusal, PeerRoute }

export interface PeerTransportOptions {
  readonly nodeId: NodeId
  /** host:port; port 0 takes a free one. */
  readonly listenAddress: string
  readonly security: Pick<Security, 'peerPort' | 'toPeer'>
  /** This node's identity, read at each hello. */
  readonly identity: () => LocalIdentity
  /** Decides whether a node may send to this one, or only ask to join. Node ids and protocol versions have been compared before. */
  readonly admit: (caller: CallerIdentity) => PeerRefusal | 'joinOnly' | undefined
  /** The roster for a caller that looks for another node here. */
  readonly tell: (caller: CallerIdentity) => Roster | undefined
  /** Decides whether this node may send to the one that answers at a peer's address. Node ids have been compared before. */
  readonly checkPeer: (peer: PeerIdentity) => PeerRefusal | undefined
  /** Takes the messages of one frame, in the order sent. Must not throw. */
  readonly onMessages: (from: NodeId, messages: readonly Message[], caller: CallerIdentity) => void
  /** Asked by a peer that was admitted. What it throws should be a TransferError. */
  readonly serveCheckpoint: (caller: CallerIdentity, request: CheckpointRequest) => AsyncIterable<CheckpointPart>
  /** All transfers of checkpoints together never send faster, in bytes per second, above 0. Default: 64 MiB. */
  readonly transferBytesPerSecondMax?: number | undefined
  /** Connections from peers that may be open at once; a peer has one, and one more for a checkpoint. Default: 256. */
  readonly connectionsMax?: number | undefined
  /** A transfer in which nothing comes for so long has failed. Default: 20 s. */
  readonly transferIdleMs?: number | undefined
  /** From now on messages to this peer are not dropped at once. */
  readonly onConnected: (peerId: NodeId) => void
  /** Again at each try, every second or so, until the cause is gone. */
  readonly onRefused: (peerId: NodeId, refusal: PeerRefusal, by: RefusedBy, address: string) => void
  readonly observer?: Observer | undefined
  readonly logger: Logger
}

const STOP_TIMEOUT_MS = 1_000

/**
 * Carries messages between nodes: in order on each link as long as its connection lasts, and at most once. Messages may be lost
 * at any time, without notice; nothing here waits for a slow peer or grows with it.
 */
export class PeerTransport {
  readonly #options: PeerTransportOptions
  readonly #server: PeerServer
  readonly #links = new Map<NodeId, PeerLink>()
  /** Links that are no longer wanted, and are closing. */
  readonly #closing = new Set<Promise<void>>()
  readonly #fetches = new Set<CheckpointFetch>()

  constructor(options: PeerTransportOptions) {
    this.#options = options
    this.#server = new PeerServer(options)
  }

  /** Listens for peers. Resolves with the address, host:port, as bound. @throws PeerListenError, naming the address */
  async start(): Promise<string> {
    const { listenAddress } = this.#options
    const port = await this.#server.listen(listenAddress)
    return withPort(listenAddress, port)
  }

  /** Sets the peers to connect to, and their addresses, this node left out. Links to one of these addresses are not touched. */
  setPeers(peers: readonly PeerRoute[]): void {
    for (const [nodeId, link] of this.#links) {
      const route = peers.find((peer) => peer.nodeId === nodeId)
      if (route !== undefined) {
        link.setAddresses(route.addresses)
        continue
      }
      this.#links.delete(nodeId)
      const closed = link.close(STOP_TIMEOUT_MS).finally(() => this.#closing.delete(closed))
      this.#closing.add(closed)
    }
    for (const peer of peers) {
      if (peer.nodeId === this.#options.nodeId || this.#links.has(peer.nodeId)) continue
      this.#links.set(peer.nodeId, new PeerLink(peer, this.#options))
    }
  }

  /** Dials the peer's first address: it has announced that it is there now, so a connection to another one is stale. */
  redial(nodeId: NodeId): void {
    this.#links.get(nodeId)?.redial()
  }

  /** Queues a message that leaves with the next flush. Never throws and never waits; to a peer out of reach it is dropped. */
  send(to: NodeId, message: Message): void {
    this.#links.get(to)?.send(message)
  }

  /** Returns true when the link to that peer is open: messages are not dropped at once. */
  isOpen(to: NodeId): boolean {
    return this.#links.get(to)?.stats.connected === true
  }

  /** Sends what is queued, one frame a peer. */
  flush(): void {
    for (const link of this.#links.values()) link.flush()
  }

  /**
   * Fetches a checkpoint from a peer, on a connection of its own. The sink hears of nothing before this returns, and of nothing after
   * the transfer was called off.
   */
  fetchCheckpoint(from: NodeId, request: CheckpointRequest, sink: CheckpointSink): () => void {
    const address = this.#links.get(from)?.address
    if (address === undefined) {
      const timer = setImmediate(() => sink.onFailed(new TransferError('UNREACHABLE', `node ${from} is no peer of this one`)))
      return () => clearImmediate(timer)
    }
    const { nodeId, security, identity, transferIdleMs: idleMs = TRANSFER_IDLE_MS } = this.#options
    const credentials = security.toPeer(from)
    const hello = { protocolVersion: PROTOCOL_VERSION, fromNodeId: nodeId, toNodeId: from, ...identity() }
    const onOver = (): void => void this.#fetches.delete(fetch)
    const fetch: CheckpointFetch = new CheckpointFetch({ address, credentials, hello, request, sink, idleMs, onOver })
    this.#fetches.add(fetch)
    return () => fetch.cancel()
  }

  /** By peer, in no order. */
  stats(): PeerLinkStats[] {
    return Array.from(this.#links.values(), (link) => link.stats)
  }

  /** Sends what is queued, then closes everything, within about a second. */
  async stop(): Promise<void> {
    for (const fetch of this.#fetches) fetch.cancel()
    this.setPeers([])
    await Promise.all(this.#closing)
    await this.#server.close(STOP_TIMEOUT_MS)
  }
}
