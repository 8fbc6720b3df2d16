import type { Message } from '../../paxos/messages.js'
import type { NodeId } from '../../paxos/types.js'
import type { CheckpointRequest, CheckpointSink } from '../../protocol/checkpoint-transfer.js'
import type { Security } from '../../security/security.js'
import { descriptorShares } from '../../storage/directory/descriptors.js'
import { type PeerLinkStats, type PeerRefusal, PeerTransport } from '../../transport/peer-transport.js'
import type { CallOff } from '../runtime.js'
import type { MemberOptions } from '../start/member-options.js'
import type { PeerPort, PeerPortHandlers, PeerRoute } from './peer-port.js'

type Options = Pick<MemberOptions, 'nodeId' | 'listenAddress' | 'transferBytesPerSecondMax' | 'logger' | 'observer'>

const REFUSALS_REMEMBERED_MAX = 1_000

/** gRPC streams to the other members. Before start() nobody is reached. */
export class TransportPort implements PeerPort {
  readonly #options: Options
  readonly #security: Security
  #transport: PeerTransport | undefined
  /** By peer and address: the last reason for not talking. Refusals come again at each try, several a second: each is told once. */
  readonly #lastRefusals = new Map<string, string>()

  constructor(options: Options, security: Security) {
    this.#options = options
    this.#security = security
  }

  async start(handlers: PeerPortHandlers): Promise<void> {
    const { nodeId, listenAddress, transferBytesPerSecondMax, logger, observer } = this.#options
    this.#transport = new PeerTransport({
      ...handlers,
      nodeId,
      listenAddress,
      security: this.#security,
      // A member whose directory was lost must hear so: it is welcomed, and stops by itself. Its votes come through admit.
      checkPeer: () => undefined,
      onRefused: (peerId, refusal, by, address) => {
        if (by === 'peer') handlers.onRefused(peerId, refusal, address)
        observer?.event('linkRefused', { peerId, by, reason: refusal.reason })
        this.#logRefusal(peerId, refusal, by, address)
      },
      transferBytesPerSecondMax,
      connectionsMax: descriptorShares().peerConnections,
      observer,
      logger,
    })
    await this.#transport.start()
  }

  setPeers(peers: readonly PeerRoute[]): void {
    this.#transport?.setPeers(peers)
  }

  redial(peer: NodeId): void {
    this.#transport?.redial(peer)
  }

  links(): readonly PeerLinkStats[] {
    return this.#transport?.stats() ?? []
  }

  fetchCheckpoint(from: NodeId, request: CheckpointRequest, sink: CheckpointSink): CallOff {
    return this.#transport?.fetchCheckpoint(from, request, sink) ?? (() => {})
  }

  send(to: NodeId, message: Message): void {
    this.#transport?.send(to, message)
  }

  flush(): void {
    this.#transport?.flush()
  }

  isOpen(to: NodeId): boolean {
    return this.#transport?.isOpen(to) === true
  }

  async stop(): Promise<void> {
    await this.#transport?.stop()
  }

  #logRefusal(peerId: NodeId, { reason, message }: PeerRefusal, by: 'us' | 'peer', address: string): void {
    const place = `${peerId} ${by} ${address}`
    if (this.#lastRefusals.get(place) === message) return
    if (this.#lastRefusals.size >= REFUSALS_REMEMBERED_MAX) this.#lastRefusals.clear()
    this.#lastRefusals.set(place, message)
    this.#options.logger.error({ peerId, by, address, reason, message }, 'a peer connection was refused')
  }
}
