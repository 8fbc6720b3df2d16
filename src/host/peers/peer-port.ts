import type { Message, Roster } from '../../paxos/messages.js'
import type { NodeId } from '../../paxos/types.js'
import type { CheckpointPart, CheckpointRequest, CheckpointSink } from '../../protocol/checkpoint-transfer.js'
import type { Admission, CallerIdentity, LocalIdentity, PeerRefusal } from '../admission.js'
import type { CallOff } from '../runtime.js'

/** Where a peer may be found. */
export interface PeerRoute {
  readonly nodeId: NodeId
  /** host:port each, the likeliest first; at least one. */
  readonly addresses: readonly string[]
}

interface LinkState {
  readonly nodeId: NodeId
  readonly connected: boolean
  /** For people: why it is not connected; empty when it is, or was not tried yet. */
  readonly trouble: string
}

/** The connection of a member to its peers: messages may be lost at any time, without notice. */
export interface PeerPort {
  /** Begins to listen. The handlers are known from the first turn on. @throws PeerListenError */
  start(handlers: PeerPortHandlers): Promise<void>
  /** Sets the peers to connect to, and their addresses. */
  setPeers(peers: readonly PeerRoute[]): void
  /** Dials the peer's first address: it has announced that it is there now, so a connection to another one is stale. */
  redial(peer: NodeId): void
  /** The state of the link to each peer. */
  links(): readonly LinkState[]
  /** Queues a message that leaves with the next flush. Never throws and never waits. */
  send(to: NodeId, message: Message): void
  flush(): void
  /** Returns true when a message to that node would leave on an open connection. */
  isOpen(to: NodeId): boolean
  /**
   * Fetches a checkpoint from a peer: the sink is given its parts one after the other, none before it has taken the one before. It hears
   * of nothing before this returns, and of nothing after the transfer was called off.
   */
  fetchCheckpoint(from: NodeId, request: CheckpointRequest, sink: CheckpointSink): CallOff
  stop(): Promise<void>
}

/** The part of it that the host needs. */
export type Outlet = Pick<PeerPort, 'send' | 'flush'>

/** The member's side of a PeerPort: it answers questions and takes messages. */
export interface PeerPortHandlers {
  readonly identity: () => LocalIdentity
  readonly admit: (caller: CallerIdentity) => Admission
  /** The roster for a caller that looks for another node at this one's address. */
  readonly tell: (caller: CallerIdentity) => Roster | undefined
  /** Takes messages of a caller that was admitted; of one that may only join, those that isFromStranger allows. */
  readonly onMessages: (from: NodeId, messages: readonly Message[], caller: Pick<CallerIdentity, 'dataDirId'>) => void
  /** The parts of a checkpoint for a caller that was admitted. Rejects with a TransferError. */
  readonly serveCheckpoint: (caller: CallerIdentity, request: CheckpointRequest) => AsyncIterable<CheckpointPart>
  /** Messages to that peer are not dropped any more. */
  readonly onConnected: (peer: NodeId) => void
  /** A peer does not let this node in, at that address. */
  readonly onRefused: (by: NodeId, refusal: PeerRefusal, address: string) => void
}
