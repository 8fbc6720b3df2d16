import { Server, type ServerDuplexStream, type StatusObject, status } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import type { ConnectResponse, Hello } from '../gen/synod/peer/v1/peer.js'
import type { Observer } from '../observer/observer.js'
import type { Message, Roster } from '../paxos/messages.js'
import type { NodeId } from '../paxos/types.js'
import type { CheckpointPart, CheckpointRequest } from '../protocol/checkpoint-transfer.js'
import { decodeFrame, type PeerFrame } from '../protocol/peer.js'
import { isNodeId, PeerCodecError } from '../protocol/peer-fields.js'
import { rosterToWire } from '../protocol/roster.js'
import { isFromStranger } from '../protocol/strangers.js'
import type { Security } from '../security/security.js'
import { CheckpointServer, type TransferCall } from './checkpoint-serve.js'
import { CONNECT_METHOD, FETCH_METHOD, HANDSHAKE_TIMEOUT_MS, PROTOCOL_VERSION, SERVER_OPTIONS } from './connect-method.js'
import { Listener } from './listener.js'
import type { LocalIdentity, RefusedBy } from './peer-link.js'
import { type PeerRefusal, refusalToStatus } from './peer-refusal.js'
import { refuseClients } from './wrong-port.js'

/** The identity of a calling node, from its hello. */
export interface CallerIdentity extends LocalIdentity {
  readonly nodeId: NodeId
}

export interface PeerServerOptions {
  readonly nodeId: NodeId
  readonly security: Pick<Security, 'peerPort'>
  readonly identity: () => LocalIdentity
  /** Asked before anything is taken from a caller, and for each frame. `joinOnly`: what isFromStranger allows, and no more. */
  readonly admit: (caller: CallerIdentity) => PeerRefusal | 'joinOnly' | undefined
  /** The roster for a caller that looks for another node here: a node of this cluster learns where the others are. */
  readonly tell: (caller: CallerIdentity) => Roster | undefined
  /** In the order sent; everything that came in one frame. Must not throw. */
  readonly onMessages: (from: NodeId, messages: readonly Message[], caller: CallerIdentity) => void
  /** For a caller that was admitted. What it throws before or between parts should be a TransferError. */
  readonly serveCheckpoint: (caller: CallerIdentity, request: CheckpointRequest) => AsyncIterable<CheckpointPart>
  /** All transfers of checkpoints together never send faster, in bytes per second, above 0. Default: 64 MiB. */
  readonly transferBytesPerSecondMax?: number | undefined
  readonly onRefused: (peerId: NodeId, refusal: PeerRefusal, by: RefusedBy, address: string) => void
  /** Connections that may be open to this node at once; a peer has one, and one more for a checkpoint. Default: 256. */
  readonly connectionsMax?: number | undefined
  readonly observer?: Observer | undefined
  readonly logger: Logger
}

const DEFAULT_CONNECTIONS_MAX = 256

const DEFAULT_TRANSFER_BYTES_PER_SECOND_MAX = 64 * 1024 * 1024

type Stream = ServerDuplexStream<Uint8Array, ConnectResponse>

/** A stream on which another node sends to this one. */
interface Inbound {
  readonly stream: Stream
  /** 0 until the hello was found good. */
  from: NodeId
  /** The identity in the hello. */
  caller: CallerIdentity | undefined
  handshakeTimer: NodeJS.Timeout | undefined
}

/** Accepts the streams on which the other nodes send. */
export class PeerServer {
  readonly #options: PeerServerOptions
  readonly #server = new Server(SERVER_OPTIONS)
  /** Every stream that has not ended. */
  readonly #inbounds = new Set<Inbound>()
  readonly #checkpoints: CheckpointServer
  #listener: Listener | undefined

  constructor(options: PeerServerOptions) {
    this.#options = options
    const { transferBytesPerSecondMax: bytesPerSecondMax = DEFAULT_TRANSFER_BYTES_PER_SECOND_MAX, logger } = options
    this.#checkpoints = new CheckpointServer({ bytesPerSecondMax, logger })
    refuseClients(this.#server, `this is the port of node ${options.nodeId} for its peers, not the one for clients`)
    this.#server.addService(
      { connect: CONNECT_METHOD, fetchCheckpoint: FETCH_METHOD },
      {
        connect: (stream: Stream) => this.#onConnect(stream),
        fetchCheckpoint: (call: TransferCall) => this.#onFetch(call),
      },
    )
  }

  /** Resolves with the port. @throws PeerListenError */
  async listen(address: string): Promise<number> {
    const { security, connectionsMax = DEFAULT_CONNECTIONS_MAX, logger } = this.#options
    try {
      this.#listener = await Listener.start(this.#server, {
        address,
        credentials: security.peerPort(),
        connectionsMax,
        firstByteMs: HANDSHAKE_TIMEOUT_MS,
        onRefused: (openCount) => logger.warn({ openCount }, 'too many connections on the port for peers: one was refused'),
      })
      return this.#listener.port
    } catch (error) {
      throw new PeerListenError(address, error as Error)
    }
  }

  /** Ends every stream. Resolves when the port and all connections are closed, after timeoutMs at the latest. */
  async close(timeoutMs: number): Promise<void> {
    this.#checkpoints.close()
    for (const inbound of this.#inbounds) {
      this.#end(inbound, { code: status.UNAVAILABLE, details: `node ${this.#options.nodeId} is stopping` })
    }
    await this.#listener?.close(timeoutMs)
    this.#server.forceShutdown()
  }

  #onConnect(stream: Stream): void {
    const inbound: Inbound = { stream, from: 0, caller: undefined, handshakeTimer: undefined }
    this.#inbounds.add(inbound)
    inbound.handshakeTimer = setTimeout(() => {
      this.#end(inbound, { code: status.DEADLINE_EXCEEDED, details: `no hello within ${HANDSHAKE_TIMEOUT_MS} ms` })
    }, HANDSHAKE_TIMEOUT_MS)
    stream.on('data', (bytes: Uint8Array) => {
      // Frames after the end of a stream are ignored.
      if (this.#inbounds.has(inbound)) this.#onFrame(inbound, bytes)
    })
    stream.on('end', () => {
      this.#forget(inbound)
      stream.end()
    })
    stream.on('cancelled', () => this.#forget(inbound))
    stream.on('error', () => this.#forget(inbound))
  }

  #onFrame(inbound: Inbound, bytes: Uint8Array): void {
    this.#options.observer?.count('frameBytesReceived', bytes.length)
    let frame: PeerFrame
    try {
      frame = decodeFrame(bytes)
    } catch (error) {
      if (!(error instanceof PeerCodecError)) throw error
      this.#options.logger.warn(
        { peerId: inbound.from, peer: inbound.stream.getPeer(), err: error },
        'a frame is not well formed',
      )
      this.#end(inbound, { code: status.INVALID_ARGUMENT, details: error.message })
      return
    }
    if (inbound.from === 0) {
      if (!this.#onHello(inbound, frame.hello)) return
    } else if (frame.hello !== undefined) {
      this.#end(inbound, { code: status.INVALID_ARGUMENT, details: 'hello is for the first request only' })
      return
    }
    const messages = this.#admitted(inbound, frame.messages)
    if (messages.length > 0 && inbound.caller !== undefined) this.#options.onMessages(inbound.from, messages, inbound.caller)
  }

  /** Admits each frame anew: a caller that was admitted before this node had a cluster may belong to another one. */
  #admitted(inbound: Inbound, messages: readonly Message[]): readonly Message[] {
    const admission = inbound.caller && this.#options.admit(inbound.caller)
    if (admission === undefined) return messages
    if (admission === 'joinOnly') return messages.filter(isFromStranger)
    this.#refuse(inbound, inbound.from, admission)
    return []
  }

  /** Serves a checkpoint to a node that is too far behind. It must be admitted fully, not only to join. */
  #onFetch(call: TransferCall): void {
    const { hello, minSlot, checkpointId, afterKey } = call.request
    if (hello === undefined || !isNodeId(hello.fromNodeId)) {
      call.emit('error', { code: status.INVALID_ARGUMENT, details: 'hello must be set, with a from_node_id' })
      return
    }
    const { fromNodeId: nodeId, clusterId, dataDirId } = hello
    const caller = { nodeId, clusterId, dataDirId }
    const refusal = this.#check(hello)
    if (refusal !== undefined) {
      call.emit('error', refusalToStatus(refusal))
      this.#options.onRefused(nodeId, refusal, 'us', '')
      return
    }
    if (this.#options.admit(caller) === 'joinOnly') {
      call.emit('error', { code: status.UNAVAILABLE, details: `node ${nodeId} is not known here by its data directory yet` })
      return
    }
    const request = { minSlot, checkpointId, afterKey: checkpointId === '' ? undefined : afterKey }
    void this.#checkpoints.serve(call, () => this.#options.serveCheckpoint(caller, request))
  }

  #onHello(inbound: Inbound, hello: Hello | undefined): boolean {
    if (hello === undefined || !isNodeId(hello.fromNodeId)) {
      this.#end(inbound, { code: status.INVALID_ARGUMENT, details: 'the first request must be a hello with a from_node_id' })
      return false
    }
    const refusal = this.#check(hello)
    if (refusal !== undefined) {
      this.#refuse(inbound, hello.fromNodeId, refusal)
      return false
    }
    // A node that dials again has given up its former stream, though we may not have heard of its end yet.
    for (const other of this.#inbounds) {
      if (other.from === hello.fromNodeId) this.#end(other, { code: status.ABORTED, details: 'replaced by a newer stream' })
    }
    clearTimeout(inbound.handshakeTimer)
    inbound.from = hello.fromNodeId
    inbound.caller = { nodeId: hello.fromNodeId, clusterId: hello.clusterId, dataDirId: hello.dataDirId }
    inbound.stream.write({ ...this.#introduction, roster: undefined })
    return true
  }

  get #introduction(): Pick<ConnectResponse, 'nodeId' | 'dataDirId'> {
    return { nodeId: this.#options.nodeId, dataDirId: this.#options.identity().dataDirId }
  }

  /** Refuses a caller. One of this cluster gets the roster with the refusal: it may know no other member. */
  #refuse(inbound: Inbound, caller: NodeId, refusal: PeerRefusal): void {
    if (refusal.roster !== undefined) inbound.stream.write({ ...this.#introduction, roster: rosterToWire(refusal.roster) })
    this.#end(inbound, refusalToStatus(refusal))
    this.#options.onRefused(caller, refusal, 'us', '')
  }

  #check(hello: Hello): PeerRefusal | undefined {
    const { nodeId } = this.#options
    const { protocolVersion, fromNodeId, toNodeId, clusterId, dataDirId } = hello
    if (protocolVersion !== PROTOCOL_VERSION) {
      const message = `node ${nodeId} speaks version ${PROTOCOL_VERSION} of the peer protocol, not ${protocolVersion}`
      return { reason: 'PROTOCOL_VERSION', message }
    }
    const caller = { nodeId: fromNodeId, clusterId, dataDirId }
    if (toNodeId !== nodeId) {
      const roster = fromNodeId === nodeId ? undefined : this.#options.tell(caller)
      return { reason: 'WRONG_NODE', message: `this is node ${nodeId}, not node ${toNodeId}`, ...(roster && { roster }) }
    }
    if (fromNodeId === nodeId) return { reason: 'WRONG_NODE', message: `node ${nodeId} is here already, or calls itself` }
    const admission = this.#options.admit(caller)
    return admission === 'joinOnly' ? undefined : admission
  }

  #end(inbound: Inbound, end: Partial<StatusObject>): void {
    this.#forget(inbound)
    inbound.stream.emit('error', end)
  }

  #forget(inbound: Inbound): void {
    clearTimeout(inbound.handshakeTimer)
    this.#inbounds.delete(inbound)
  }
}

/** The peer address cannot be listened on. */
export class PeerListenError extends Error {
  override readonly name = 'PeerListenError'

  constructor(address: string, cause: Error) {
    const inUse = cause.message.includes('EADDRINUSE')
    super(`cannot listen for peers on ${address}: ${inUse ? 'the port is taken' : cause.message}`, { cause })
  }
}
