import { Client, type ClientDuplexStream, credentials, Metadata, type StatusObject } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import type { ConnectResponse } from '../gen/synod/peer/v1/peer.js'
import type { Message } from '../paxos/messages.js'
import type { NodeId } from '../paxos/types.js'
import { encodeHello, encodeMessages } from '../wire/peer.js'
import { CLIENT_OPTIONS, CONNECT_METHOD, HANDSHAKE_TIMEOUT_MS, MESSAGE_BYTES_MAX, PROTOCOL_VERSION } from './connect-method.js'
import { MessageQueue } from './message-queue.js'
import { type PeerRefusal, refusalFromStatus } from './refusal.js'

export interface PeerAddress {
  readonly nodeId: NodeId
  /** host:port */
  readonly address: string
}

/** What a node says of itself. */
export interface LocalIdentity {
  /** Empty before the cluster is formed. */
  readonly clusterId: string
  readonly dataDirId: string
}

/** What a node says of itself when it lets another in. */
export interface PeerIdentity {
  readonly nodeId: NodeId
  readonly dataDirId: string
}

/** Who found that two nodes must not talk: this node, or the peer. */
export type RefusedBy = 'us' | 'peer'

export interface PeerLinkOptions {
  readonly nodeId: NodeId
  readonly identity: () => LocalIdentity
  /** Asked before anything is sent to a peer. */
  readonly checkPeer: (peer: PeerIdentity) => PeerRefusal | undefined
  readonly onConnected: (peerId: NodeId) => void
  readonly onRefused: (peerId: NodeId, refusal: PeerRefusal, by: RefusedBy) => void
  readonly logger: Logger
}

export interface PeerLinkStats {
  readonly nodeId: NodeId
  readonly connected: boolean
  readonly queuedCount: number
  readonly queuedBytes: number
  /** Messages lost for want of a connection or of room in the queue, since the link was made. */
  readonly droppedCount: number
}

type Stream = ClientDuplexStream<Uint8Array, ConnectResponse>

const QUEUE_BOUNDS = { countMax: 4_096, bytesMax: MESSAGE_BYTES_MAX }
const FRAME_BYTES_MAX = 1024 * 1024
const REDIAL_DELAY_MS_MIN = 50
const REDIAL_DELAY_MS_MAX = 500
/** Who is refused once is refused again until somebody changes something. */
const REFUSED_DELAY_MS_MAX = 2_000

/**
 * The stream on which this node sends to one peer: dialled, and dialled again when it ends, until closed. One frame is under way
 * at a time; what is sent meanwhile shares the next one, as with syncs.
 */
export class PeerLink {
  readonly peer: PeerAddress
  readonly #options: PeerLinkOptions
  readonly #logger: Logger
  readonly #queue = new MessageQueue(QUEUE_BOUNDS)
  /** waiting: for the time to dial again. dialling: for the peer's answer to our hello. closing: sends what is left, then ends. */
  #phase: 'waiting' | 'dialling' | 'open' | 'closing' | 'closed' = 'waiting'
  /** Kept from one stream to the next as long as it connects. */
  #client: Client | undefined
  /** Set unless waiting or closed. Events of any other stream are stale. */
  #stream: Stream | undefined
  #onFrameWritten: (() => void) | undefined
  #frameUnderWay = false
  /** For the next dial, the end of the handshake or the end of closing: whatever the phase waits for. */
  #timer: NodeJS.Timeout | undefined
  #onEnded: (() => void) | undefined

  /** @throws when the address is not host:port. */
  constructor(peer: PeerAddress, options: PeerLinkOptions) {
    this.peer = peer
    this.#options = options
    this.#logger = options.logger.child({ peerId: peer.nodeId, peerAddress: peer.address })
    this.#dial()
  }

  get stats(): PeerLinkStats {
    return {
      nodeId: this.peer.nodeId,
      connected: this.#phase === 'open',
      queuedCount: this.#queue.count,
      queuedBytes: this.#queue.bytes,
      droppedCount: this.#queue.droppedCount,
    }
  }

  /** Queues a message for the next flush. Without a connection it is dropped: by the time there is one, it would be stale. */
  send(message: Message): void {
    if (this.#phase === 'open') this.#queue.push(message)
    else this.#queue.drop()
  }

  /** Puts what is queued on the stream, unless a frame is under way: then it follows that one. */
  flush(): void {
    if (this.#phase !== 'open' && this.#phase !== 'closing') return
    if (this.#frameUnderWay || this.#queue.count === 0) return
    this.#frameUnderWay = true
    this.#stream?.write(encodeMessages(this.#queue.take(FRAME_BYTES_MAX)), this.#onFrameWritten)
  }

  /** Sends what is queued, then ends the stream; breaks it off after timeoutMs. Resolves when this is done. */
  async close(timeoutMs: number): Promise<void> {
    clearTimeout(this.#timer)
    if (this.#phase === 'open') {
      this.#phase = 'closing'
      await new Promise<void>((resolve) => {
        this.#onEnded = resolve
        this.#timer = setTimeout(resolve, timeoutMs)
        this.#continue()
      })
      clearTimeout(this.#timer)
    }
    this.#phase = 'closed'
    this.#hangUp()
    this.#client?.close()
  }

  #dial(): void {
    this.#phase = 'dialling'
    const { nodeId, identity } = this.#options
    const { clusterId, dataDirId } = identity()
    this.#client ??= new Client(this.peer.address, credentials.createInsecure(), CLIENT_OPTIONS)
    const stream: Stream = this.#client.makeBidiStreamRequest(
      CONNECT_METHOD.path,
      CONNECT_METHOD.requestSerialize,
      CONNECT_METHOD.responseDeserialize,
      new Metadata({ waitForReady: true }),
    )
    this.#stream = stream
    this.#onFrameWritten = () => {
      if (stream !== this.#stream) return
      this.#frameUnderWay = false
      this.#continue()
    }
    stream.on('data', (response: ConnectResponse) => {
      if (stream === this.#stream) this.#onResponse(response)
    })
    stream.on('status', (end: StatusObject) => {
      if (stream === this.#stream) this.#onStreamEnd(end)
    })
    // The status, which always follows, says the same; an error that nobody listens to would end the process.
    stream.on('error', () => undefined)
    const toNodeId = this.peer.nodeId
    stream.write(encodeHello({ protocolVersion: PROTOCOL_VERSION, clusterId, fromNodeId: nodeId, toNodeId, dataDirId }))
    this.#timer = setTimeout(() => this.#onHandshakeTimeout(), HANDSHAKE_TIMEOUT_MS)
  }

  #onResponse({ nodeId, dataDirId }: ConnectResponse): void {
    if (this.#phase !== 'dialling') return
    const refusal = this.#check({ nodeId, dataDirId })
    if (refusal !== undefined) {
      this.#hangUp()
      this.#dialLater(REFUSED_DELAY_MS_MAX)
      this.#options.onRefused(this.peer.nodeId, refusal, 'us')
      return
    }
    clearTimeout(this.#timer)
    this.#phase = 'open'
    this.#logger.info('connected to peer')
    this.#options.onConnected(this.peer.nodeId)
  }

  #check(peer: PeerIdentity): PeerRefusal | undefined {
    if (peer.nodeId === this.peer.nodeId) return this.#options.checkPeer(peer)
    const message = `node ${peer.nodeId} answers at ${this.peer.address}, where node ${this.peer.nodeId} is expected`
    return { reason: 'WRONG_NODE', message }
  }

  #onStreamEnd(end: StatusObject): void {
    const phase = this.#phase
    this.#hangUp()
    if (phase === 'closing') {
      this.#onEnded?.()
      return
    }
    if (phase === 'open') this.#logger.warn({ code: end.code, details: end.details }, 'lost the connection to peer')
    else this.#logger.debug({ code: end.code, details: end.details }, 'peer does not answer')
    const refusal = refusalFromStatus(end)
    this.#dialLater(refusal === undefined ? REDIAL_DELAY_MS_MAX : REFUSED_DELAY_MS_MAX)
    if (refusal !== undefined) this.#options.onRefused(this.peer.nodeId, refusal, 'peer')
  }

  #onHandshakeTimeout(): void {
    this.#logger.debug({ timeoutMs: HANDSHAKE_TIMEOUT_MS }, 'peer does not answer in time')
    this.#hangUp()
    // A connect attempt may hang for as long as the kernel lets it, and a client waits for its only one: so begin anew.
    this.#client?.close()
    this.#client = undefined
    this.#dialLater(REDIAL_DELAY_MS_MAX)
  }

  #dialLater(delayMsMax: number): void {
    this.#phase = 'waiting'
    const delayMs = REDIAL_DELAY_MS_MIN + Math.random() * (delayMsMax - REDIAL_DELAY_MS_MIN)
    this.#timer = setTimeout(() => this.#dial(), delayMs)
  }

  /** After a frame has been written, or when closing begins. */
  #continue(): void {
    this.flush()
    if (this.#phase === 'closing' && !this.#frameUnderWay) this.#stream?.end()
  }

  /** Lets go of the stream and of what was queued for it. */
  #hangUp(): void {
    clearTimeout(this.#timer)
    const stream = this.#stream
    this.#stream = undefined
    stream?.cancel()
    this.#frameUnderWay = false
    this.#queue.clear()
  }
}
