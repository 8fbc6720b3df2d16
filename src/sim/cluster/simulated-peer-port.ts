import type { CallerIdentity, PeerRefusal } from '../../host/admission.js'
import type { PeerPort, PeerPortHandlers, PeerRoute } from '../../host/peers/peer-port.js'
import type { Message } from '../../paxos/messages.js'
import type { NodeId } from '../../paxos/types.js'
import {
  type CheckpointPart,
  type CheckpointRequest,
  type CheckpointSink,
  TransferError,
} from '../../protocol/checkpoint-transfer.js'
import { isFromStranger } from '../../protocol/strangers.js'
import type { Fate } from '../trace/trace-events.js'
import type { SentPacket } from './network.js'
import type { SimulatedNodeSettings } from './simulated-node-settings.js'
import type { SimulatedRuntime } from './simulated-runtime.js'
import { SimulatedTransfer, type TransferSource } from './simulated-transfer.js'

/** The identity of a process before it listens: nothing is sent then. */
const NOBODY: PeerPortHandlers['identity'] = () => ({ clusterId: '', dataDirId: '' })

/** The process that uses the port. */
interface PortUser {
  readonly runtime: SimulatedRuntime
  /** Passes an input to the process, as soon as it is awake; never, before it has read its disk. */
  readonly input: (run: () => void) => void
  /** Runs a check, and reports a violation. */
  readonly check: (run: () => void) => void
  /** Called with the progress of a directory that a peer reports. */
  readonly onMark: (dataDirId: string, writeNumber: number) => void
  /** Called when a message has been sent. */
  readonly onSent: () => void
  /** Called when the core has taken a step. */
  readonly afterStep: () => void
}

/** The connection of one process to its peers, over the simulated network. */
export class SimulatedPeerPort implements PeerPort {
  readonly #settings: SimulatedNodeSettings
  readonly #process: PortUser
  /** Absent while the process does not listen. */
  #handlers: PeerPortHandlers | undefined
  /** Kept while the process stops. */
  #identity = NOBODY
  /** The identity that each peer was given when it was first sent to. */
  readonly #introducedAs = new Map<NodeId, CallerIdentity>()
  /** The addresses at which the node looks for each peer. */
  readonly #routes = new Map<NodeId, readonly string[]>()

  constructor(settings: SimulatedNodeSettings, process: PortUser) {
    this.#settings = settings
    this.#process = process
  }

  async start(handlers: PeerPortHandlers): Promise<void> {
    this.#handlers = handlers
    this.#identity = handlers.identity
    this.#settings.onListening()
  }

  async stop(): Promise<void> {
    this.#handlers = undefined
  }

  setPeers(peers: readonly PeerRoute[]): void {
    this.#routes.clear()
    for (const { nodeId, addresses } of peers) this.#routes.set(nodeId, addresses)
  }

  redial(): void {
    // A simulated link is made again by itself.
  }

  links(): [] {
    return []
  }

  isOpen(to: NodeId): boolean {
    return this.#settings.peer(to) !== undefined
  }

  send(to: NodeId, message: Message): void {
    const { id, send } = this.#settings
    // A message to itself: the core gets it when its records are durable.
    if (this.#process.runtime.isOver || to === id || !this.#finds(to)) return
    this.#process.check(() => send({ from: id, to, message, caller: this.#introductionTo(to) }))
    this.#process.onSent()
  }

  flush(): void {
    this.#process.afterStep()
  }

  receive(packet: SentPacket): void {
    const { from, to, message, caller, sentStep } = packet
    let isTold = false
    const tellFate = (fate: Fate): void => {
      if (!isTold) this.#settings.trace.tell({ kind: 'ended', sentStep, from, to, message, fate })
      isTold = true
    }
    if (this.#process.runtime.isPaused) tellFate('waits')
    this.#process.runtime.whenAwake(() => {
      const handlers = this.#handlers
      if (handlers === undefined) return tellFate('down')
      const admission = handlers.admit(caller)
      if (admission === 'joinOnly' ? !isFromStranger(message) : admission !== undefined) {
        tellFate('refused')
        if (admission !== 'joinOnly' && admission !== undefined)
          this.#settings.onRefused({ by: to, peer: from, refusal: admission })
        return
      }
      tellFate('delivered')
      if (message.kind === 'mark')
        for (const { dataDirId, writeNumber } of message.marks) this.#process.onMark(dataDirId, writeNumber)
      handlers.onMessages(from, [message], caller)
      this.#process.afterStep()
    })
  }

  fetchCheckpoint(from: NodeId, request: CheckpointRequest, sink: CheckpointSink): () => void {
    const { id: to, peer, network, scheduler, totals, trace, onBug } = this.#settings
    const { runtime } = this.#process
    const source = (): TransferSource | undefined => (this.#finds(from) ? peer(from) : undefined)
    const caller = { nodeId: to, ...this.#identity() }
    const transfer = new SimulatedTransfer({
      to,
      from,
      source,
      runtime,
      caller,
      request,
      sink,
      network,
      scheduler,
      totals,
      trace,
      onBug,
    })
    return () => transfer.cancel()
  }

  serveCheckpoint(caller: CallerIdentity, request: CheckpointRequest): AsyncIterable<CheckpointPart> {
    const handlers = this.#handlers
    if (handlers === undefined) throw new TransferError('UNREACHABLE', `node ${this.#settings.id} does not listen`)
    const admission = handlers.admit(caller)
    if (admission === 'joinOnly')
      throw new TransferError('UNREACHABLE', `node ${caller.nodeId} is not known by its directory yet`)
    if (admission !== undefined) throw new TransferError('REFUSED', admission.message)
    return handlers.serveCheckpoint(caller, request)
  }

  /** The peer, or this node, is a new process: if they find each other their links are made anew. */
  onRelinked(peer: NodeId): void {
    if (this.#handlers !== undefined && this.#finds(peer)) this.#process.input(() => this.#handlers?.onConnected(peer))
  }

  /** A peer refuses this node. The stream has ended: the next one carries this node's new identity. */
  onRefused(by: NodeId, refusal: PeerRefusal): void {
    this.#introducedAs.delete(by)
    this.#process.input(() => this.#handlers?.onRefused(by, refusal, this.#settings.addressOf(by)))
  }

  /**
   * Returns true if the peer is at one of the addresses at which it is looked for: the link tries them in turn, and has reached
   * that one.
   */
  #finds(peer: NodeId): boolean {
    return this.#routes.get(peer)?.includes(this.#settings.addressOf(peer)) === true
  }

  #introductionTo(to: NodeId): CallerIdentity {
    const known = this.#introducedAs.get(to)
    if (known !== undefined) return known
    const caller = { nodeId: this.#settings.id, ...this.#identity() }
    this.#introducedAs.set(to, caller)
    return caller
  }
}
