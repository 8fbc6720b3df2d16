import { Client, connectivityState, type StatusObject } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import type { ConnectResponse, Roster as WireRoster } from '../gen/synod/peer/v1/peer.js'
import type { Observer } from '../observer/observer.js'
import type { Message, Roster } from '../paxos/messages.js'
import type { NodeId } from '../paxos/types.js'
import { encodeHello, encodeMessages } from '../protocol/peer.js'
import { PeerCodecError } from '../protocol/peer-fields.js'
import { rosterFromWire } from '../protocol/roster.js'
import type { Security } from '../security/security.js'
import { CLIENT_OPTIONS, HANDSHAKE_TIMEOUT_MS, MESSAGE_BYTES_MAX, PROTOCOL_VERSION } from './connect-method.js'
import { FrameStream } from './frame-stream.js'
import { MessageQueue } from './message-queue.js'
import { PeerAddresses } from './peer-addresses.js'
import { type PeerRefusal, refusalFromStatus } from './peer-refusal.js'

export interface PeerRoute {
  readonly nodeId: NodeId
  /** Where it may be, host:port each, the likeliest first; at least one. */
  readonly addresses: readonly string[]
}

/** The identity that a node claims. */
export interface LocalIdentity {
  /** Empty before the cluster is formed. */
  readonly clusterId: string
  readonly dataDirId: string
}

/** The identity of a node in its answer to a hello. */
export interface PeerIdentity {
  readonly nodeId: NodeId
  readonly dataDirId: string
}

/** The side that found that two nodes must not talk. */
export type RefusedBy = 'us' | 'peer'

export interface PeerLinkOptions {
  readonly nodeId: NodeId
  readonly security: Pick<Security, 'toPeer'>
  readonly identity: () => LocalIdentity
  /** Asked before anything is sent to a peer. */
  readonly checkPeer: (peer: PeerIdentity) => PeerRefusal | undefined
  readonly onConnected: (peerId: NodeId) => void
  /** `address`: where the peer was dialled; empty when it was this node that was called. */
  readonly onRefused: (peerId: NodeId, refusal: PeerRefusal, by: RefusedBy, address: string) => void
  readonly observer?: Observer | undefined
  readonly logger: Logger
}

export interface PeerLinkStats {
  readonly nodeId: NodeId
  /** Where it was dialled last. */
  readonly address: string
  readonly connected: boolean
  /** Why it is not connected; empty when it is, or was not tried yet. */
  readonly trouble: string
  readonly queuedCount: number
  readonly queuedBytes: number
  /** Messages lost for want of a connection or of room in the queue, since the link was made. */
  readonly droppedCount: number
}

const QUEUE_BOUNDS = { countMax: 4_096, bytesMax: MESSAGE_BYTES_MAX }
const FRAME_BYTES_MAX = 1024 * 1024
const REDIAL_DELAY_MS_MIN = 50
const REDIAL_DELAY_MS_MAX = 500
/** The longest delay after a refusal: it repeats until an operator changes something. */
const REFUSED_DELAY_MS_MAX = 2_000
/** Where there are more addresses to try, the first one gets less time to answer; in later rounds more. */
const FIRST_HANDSHAKE_TIMEOUT_MS = 1_500

/**
 * The stream on which this node sends to one peer: dialled, and dialled again when it ends, until closed. A peer that is not found at
 * one of its addresses is tried at the next, in turn: who answers says who it is. One frame is under way at a time; what is sent
 * meanwhile shares the next one, as with syncs.
 */
export class PeerLink {
  readonly peerId: NodeId
  readonly #addresses: PeerAddresses
  #trouble = ''
  /** The roster that came before a refusal, and its sender. */
  #told: { readonly roster: Roster; readonly toldBy: NodeId } | undefined
  readonly #options: PeerLinkOptions
  readonly #logger: Logger
  readonly #queue: MessageQueue
  /** waiting: for the time to dial again. dialling: for the peer's answer to our hello. closing: sends what is left, then ends. */
  #phase: 'waiting' | 'dialling' | 'open' | 'closing' | 'closed' = 'waiting'
  /** Kept from one stream to the next as long as it connects, and its address is dialled. */
  #client: { readonly address: string; readonly client: Client } | undefined
  /** Set unless waiting or closed. */
  #stream: FrameStream | undefined
  /** For the next dial, the end of the handshake or the end of closing: whatever the phase waits for. */
  #timer: NodeJS.Timeout | undefined
  #onEnded: (() => void) | undefined

  /** @throws when the address is not host:port. */
  constructor({ nodeId, addresses }: PeerRoute, options: PeerLinkOptions) {
    this.peerId = nodeId
    this.#addresses = new PeerAddresses(addresses)
    this.#options = options
    this.#queue = new MessageQueue(QUEUE_BOUNDS, options.observer)
    this.#logger = options.logger.child({ peerId: nodeId })
    this.#dial()
  }

  /** Where the peer was dialled last. */
  get address(): string {
    return this.#addresses.current
  }

  /** Where the peer may be from now on. A stream to one of these stays as it is. */
  setAddresses(addresses: readonly string[]): void {
    const { hasCurrent, isFirstNew } = this.#addresses.replace(addresses)
    // At once, if it waits: somebody has said where the peer is.
    if (!hasCurrent || (this.#phase === 'waiting' && isFirstNew)) this.redial()
  }

  /** Dials the first address, if another one was dialled: the peer has moved. */
  redial(): void {
    if (this.#phase === 'closing' || this.#phase === 'closed' || !this.#addresses.restart()) return
    this.#hangUp()
    this.#dial()
  }

  get stats(): PeerLinkStats {
    return {
      nodeId: this.peerId,
      address: this.address,
      connected: this.#phase === 'open',
      trouble: this.#trouble,
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
    if (this.#stream === undefined || this.#stream.isBusy || this.#queue.count === 0) return
    const frame = encodeMessages(this.#queue.take(FRAME_BYTES_MAX))
    this.#options.observer?.count('frameBytesSent', frame.length)
    this.#stream.write(frame)
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
    this.#client?.client.close()
  }

  #dial(): void {
    this.#phase = 'dialling'
    this.#told = undefined
    const { nodeId, identity } = this.#options
    const { clusterId, dataDirId } = identity()
    const stream = new FrameStream(this.#connect(), {
      onResponse: (response) => this.#onResponse(response),
      onEnd: (end) => this.#onStreamEnd(end),
      onFrameWritten: () => this.#continue(),
    })
    this.#stream = stream
    const toNodeId = this.peerId
    stream.hello(encodeHello({ protocolVersion: PROTOCOL_VERSION, clusterId, fromNodeId: nodeId, toNodeId, dataDirId }))
    const timeoutMs = this.#handshakeTimeoutMs
    this.#timer = setTimeout(() => this.#onHandshakeTimeout(timeoutMs), timeoutMs)
  }

  #connect(): Client {
    if (this.#client?.address !== this.address) {
      this.#client?.client.close()
      const client = new Client(this.address, this.#options.security.toPeer(this.peerId), CLIENT_OPTIONS)
      this.#client = { address: this.address, client }
    }
    return this.#client.client
  }

  get #handshakeTimeoutMs(): number {
    const { count, rounds } = this.#addresses
    return count < 2 ? HANDSHAKE_TIMEOUT_MS : Math.min(HANDSHAKE_TIMEOUT_MS, FIRST_HANDSHAKE_TIMEOUT_MS * 2 ** rounds)
  }

  #onResponse({ nodeId, dataDirId, roster }: ConnectResponse): void {
    if (roster !== undefined) {
      const known = wellFormed(roster)
      this.#told = known && { roster: known, toldBy: nodeId }
      return
    }
    if (this.#phase !== 'dialling') return
    const refusal = this.#check({ nodeId, dataDirId })
    if (refusal !== undefined) {
      this.#hangUp()
      this.#onRefused(refusal, 'us')
      return
    }
    clearTimeout(this.#timer)
    this.#phase = 'open'
    this.#addresses.onConnected()
    this.#trouble = ''
    this.#logger.info({ peerAddress: this.address }, 'connected to peer')
    this.#options.observer?.event('linkOpened', { peerId: this.peerId, address: this.address })
    this.#options.onConnected(this.peerId)
  }

  #check(peer: PeerIdentity): PeerRefusal | undefined {
    if (peer.nodeId === this.peerId) return this.#options.checkPeer(peer)
    const message = `node ${peer.nodeId} answers at ${this.address}, where node ${this.peerId} is expected`
    return { reason: 'WRONG_NODE', message }
  }

  #onStreamEnd(end: StatusObject): void {
    const phase = this.#phase
    this.#hangUp()
    if (phase === 'closing') {
      this.#onEnded?.()
      return
    }
    const told = { peerAddress: this.address, code: end.code, details: end.details }
    if (phase === 'open') this.#onLost(told)
    else this.#logger.debug(told, 'peer does not answer')
    const refusal = refusalFromStatus(end)
    if (refusal !== undefined) return this.#onRefused({ ...refusal, ...this.#told }, 'peer')
    // The same address once more when it has just been the right one.
    this.#dialLater(end.details, { isNext: phase !== 'open', delayMsMax: REDIAL_DELAY_MS_MAX })
  }

  #onLost(told: { readonly peerAddress: string; readonly code: number; readonly details: string }): void {
    this.#logger.warn(told, 'lost the connection to peer')
    this.#options.observer?.event('linkLost', { peerId: this.peerId, address: told.peerAddress })
  }

  #onRefused(refusal: PeerRefusal, by: RefusedBy): void {
    const address = this.address
    this.#dialLater(refusal.message, { isNext: true, delayMsMax: REFUSED_DELAY_MS_MAX })
    this.#options.onRefused(this.peerId, refusal, by, address)
  }

  #onHandshakeTimeout(timeoutMs: number): void {
    this.#logger.debug({ peerAddress: this.address, timeoutMs }, 'peer does not answer in time')
    const cause = this.#whyNotConnected()
    this.#hangUp()
    // A connect attempt may hang for as long as the kernel lets it, and a client waits for its only one: so begin anew.
    this.#client?.client.close()
    this.#client = undefined
    this.#dialLater(cause, { isNext: true, delayMsMax: REDIAL_DELAY_MS_MAX })
  }

  #whyNotConnected(): string {
    const state = this.#client?.client.getChannel().getConnectivityState(false)
    if (state === connectivityState.READY) return 'connected, but it does not answer'
    return state === connectivityState.TRANSIENT_FAILURE ? 'nothing listens there' : 'no connection can be made'
  }

  #dialLater(trouble: string, { isNext, delayMsMax }: { readonly isNext: boolean; readonly delayMsMax: number }): void {
    this.#phase = 'waiting'
    this.#trouble = trouble
    if (isNext) this.#addresses.advance()
    const delayMs = REDIAL_DELAY_MS_MIN + Math.random() * (delayMsMax - REDIAL_DELAY_MS_MIN)
    this.#timer = setTimeout(() => this.#dial(), delayMs)
  }

  /** After a frame has been written, or when closing begins. */
  #continue(): void {
    this.flush()
    if (this.#phase === 'closing' && this.#stream?.isBusy === false) this.#stream.end()
  }

  /** Drops the stream and the messages queued for it. */
  #hangUp(): void {
    clearTimeout(this.#timer)
    this.#stream?.cancel()
    this.#stream = undefined
    this.#queue.clear()
  }
}

/** Returns undefined for a malformed roster; the refusal that follows it still counts. */
function wellFormed(roster: WireRoster): Roster | undefined {
  try {
    return rosterFromWire(roster, 'roster')
  } catch (error) {
    if (error instanceof PeerCodecError) return undefined
    throw error
  }
}
