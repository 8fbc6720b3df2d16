import type { Message } from '../paxos/messages.js'
import type { NodeId } from '../paxos/types.js'
import type { CheckpointPart, CheckpointRequest, CheckpointSink } from '../wire/checkpoint-transfer.js'
import type { Admission, CallerIdentity, LocalIdentity, PeerRefusal } from './admission.js'
import type { CallOff } from './runtime.js'

interface PeerAddress {
  readonly nodeId: NodeId
  /** host:port */
  readonly address: string
}

/** How a member reaches its peers: messages may be lost at any time, without a word. */
export interface PeerPort {
  /** Begins to listen. @throws PeerListenError */
  start(): Promise<void>
  /** Whom to connect to from now on; this node itself may be among them. */
  setPeers(peers: readonly PeerAddress[]): void
  /** Queues a message that leaves with the next flush. Never throws and never waits. */
  send(to: NodeId, message: Message): void
  flush(): void
  /**
   * Fetches a checkpoint from a peer: the sink is given its parts one after the other, none before it has taken the one before. It hears
   * of nothing before this returns, and of nothing after the transfer was called off.
   */
  fetchCheckpoint(from: NodeId, request: CheckpointRequest, sink: CheckpointSink): CallOff
  stop(): Promise<void>
}

/** What the way to the peers asks of the member, and brings it. */
export interface PeerPortHandlers {
  readonly identity: () => LocalIdentity
  readonly admit: (caller: CallerIdentity) => Admission
  /** Of a caller that was admitted; of one that may only join, those that isFromStranger allows. */
  readonly onMessages: (from: NodeId, messages: readonly Message[], caller: Pick<CallerIdentity, 'dataDirId'>) => void
  /** The parts of a checkpoint for a caller that was admitted. Rejects with a TransferError. */
  readonly serveCheckpoint: (caller: CallerIdentity, request: CheckpointRequest) => AsyncIterable<CheckpointPart>
  /** A peer does not let this node in. */
  readonly onRefused: (by: NodeId, refusal: PeerRefusal) => void
}
