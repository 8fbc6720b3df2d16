import type { Phase } from '../paxos/node.js'
import type { Ballot, DurableRecord, LogEntry, NodeId, Slot } from '../paxos/types.js'
import type { CheckpointInfo } from '../protocol/checkpoint.js'

/*
 * Everything that a node reports, by name: a closed list. Each name says its unit and its meaning. Metrics, traces and recordings are
 * built on these, so a name keeps its meaning once it is released.
 */

/** Counters: each report adds to the sum since the start. */
export interface Counters {
  /** Commands handed to a leader for the first time. */
  readonly commandsProposed: number
  /** Commands handed to a leader again, as no decision had shown. */
  readonly commandsRepeated: number
  /** Slots carried out on the state machine, those replayed at the start included. */
  readonly slotsApplied: number
  /** Commands in these slots. */
  readonly commandsApplied: number
  /** Bytes of a write to the database, keys and records, as it begins. */
  readonly bytesWritten: number
  /** Slots removed from the log on disk. */
  readonly slotsTrimmed: number
  /** Bytes of a frame sent to a peer. */
  readonly frameBytesSent: number
  /** Bytes of a frame that came from a peer. */
  readonly frameBytesReceived: number
  /** Messages to peers that were dropped, for want of a connection or of room in the queue. */
  readonly messagesDropped: number
  /** Bytes of a checkpoint sent to a peer, keys and records. */
  readonly checkpointBytesSent: number
  /** Bytes of a checkpoint that came from a peer, keys and records. */
  readonly checkpointBytesReceived: number
}

/** Gauges: each report is the value now, about once a second. */
export interface Gauges {
  /** Commands that clients of this node wait for. */
  readonly commandsPending: number
  /** Slots that are decided and not applied yet. */
  readonly slotsQueued: number
  /** The last slot that this node knows to be decided, with all before it. */
  readonly decidedUpTo: number
  /** The last slot that is applied here. */
  readonly appliedUpTo: number
  /** Bytes of memory that the replicated state takes, as the machine counts it. */
  readonly stateBytes: number
}

/** Durations, in ms. */
export interface Durations {
  /** From the beginning of a synced write of the core's records to its end. */
  readonly write: number
  /** From the proposal of a command to its being carried out here, of commands that were proposed once. */
  readonly decision: number
  /** One drain of the host: everything that it does in one turn of the event loop. */
  readonly drain: number
  /** The part of a drain that applied slots. */
  readonly apply: number
}

/** Events, each with its fields. */
export interface Events {
  /** The node has read its disk, and its state machine has caught up with what is known there to be decided. */
  readonly recovered: { readonly promised: Ballot; readonly decidedUpTo: Slot; readonly appliedUpTo: Slot }
  /** The core follows, polls, scouts or leads now. `ballot`: the one that it leads in, or else the highest that it has promised. */
  readonly phaseChanged: { readonly phase: Phase; readonly ballot: Ballot }
  /** The acceptor has promised a higher ballot. */
  readonly ballotPromised: { readonly ballot: Ballot }
  /** Every slot up to this one is known to be decided. */
  readonly slotsDecided: { readonly upTo: Slot }
  /** Another leader is heard; 0: none any more. */
  readonly leaderChanged: { readonly leaderId: NodeId }
  /** A newer membership is known, or another one governs the first open slot. */
  readonly membershipChanged: { readonly epoch: number; readonly fromSlot: Slot; readonly memberIds: readonly NodeId[] }
  /** All commands of a slot have been carried out. `stateDigest`: of all results so far. */
  readonly slotApplied: { readonly entry: LogEntry; readonly stateDigest: number }
  /** A write to the database begins: of records, of a checkpoint that it commits (`isInstall`: a peer's), or of neither. */
  readonly writeBegun: {
    readonly records: readonly DurableRecord[]
    readonly checkpoint?: CheckpointInfo
    readonly isInstall?: boolean
  }
  /** That write is on disk. It is the one with this number. */
  readonly writeEnded: { readonly number: number }
  /** This node's own checkpoint of a slot is on disk. */
  readonly checkpointCommitted: { readonly slot: Slot }
  /** A checkpoint is asked for at a peer, of that slot at least. */
  readonly checkpointFetchBegun: { readonly peerId: NodeId; readonly minSlot: Slot }
  /** It did not come, or was of no use. `code`: that of a TransferError. */
  readonly checkpointFetchFailed: { readonly peerId: NodeId; readonly code: string }
  /** A peer's checkpoint stands in the place of this node's state, on disk and in memory. */
  readonly checkpointInstalled: { readonly checkpoint: CheckpointInfo }
  /** Messages to that peer leave from now on. */
  readonly linkOpened: { readonly peerId: NodeId; readonly address: string }
  /** The connection to that peer has ended. */
  readonly linkLost: { readonly peerId: NodeId; readonly address: string }
  /** This node does not talk to that one (`by`: 'us'), or is not let in there ('peer'). `reason`: that of a PeerRefusal. */
  readonly linkRefused: { readonly peerId: NodeId; readonly by: 'us' | 'peer'; readonly reason: string }
  /** Something is wrong that the node can live with: see MemberStatus.alarms. */
  readonly alarmRaised: { readonly code: string }
  /** It is over. */
  readonly alarmCleared: { readonly code: string }
  /** A call of a member ended with a MemberError. `call`: the name of the method. */
  readonly callRefused: { readonly call: string; readonly code: string }
  /** A unary call of a client was answered. `method`: its gRPC path; `statusCode`: as gRPC numbers them; `durationMs`: from its arrival. */
  readonly callAnswered: { readonly method: string; readonly statusCode: number; readonly durationMs: number }
  /** A client has opened a stream, of a session or for a backup. `method`: its gRPC path. */
  readonly streamOpened: { readonly method: string }
  /** That stream has ended. */
  readonly streamClosed: { readonly method: string }
  /** The node has stopped by itself. */
  readonly halted: { readonly error: Error }
}
