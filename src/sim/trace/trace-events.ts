import type { Message } from '../../paxos/messages.js'
import type { Phase } from '../../paxos/node.js'
import type { Ballot, DurableRecord, NodeId, Slot, Value } from '../../paxos/types.js'

/** The number of an event in the order in which the events of a run happen, from 1. 0 stands for none. */
export type TraceStep = number

/**
 * Any event of a simulated world, as it is passed to the EventTrace. An event is a plain literal that refers to existing objects
 * (messages, records). trace-words.ts turns it into words, only when they are read.
 */
export type TraceEvent = NetworkEvent | NodeEvent | CoreEvent | DiskEvent | ClientEvent | NemesisEvent | NoteEvent | VerdictEvent

/** An event with its number, and its time in µs of virtual time. */
export interface TracedEvent {
  readonly step: TraceStep
  readonly atUs: number
  readonly event: TraceEvent
}

// --- messages -----------------------------------------------------------------------------------------------------------------------

type NetworkEvent = MessageSent | MessageEnded

interface MessageSent {
  readonly kind: 'sent'
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Message
  /** The step of which this is a second copy; 0 for an original. */
  readonly copyOf: TraceStep
}

/**
 * The fate of a message. It was `delivered`, or `waits` because the receiver is paused. Or it never arrived: it was `lost` by
 * chance, the link was `cut`, the receiver `refused` its sender, or was `down`.
 */
export type Fate = 'delivered' | 'waits' | 'lost' | 'cut' | 'refused' | 'down'

interface MessageEnded {
  readonly kind: 'ended'
  readonly sentStep: TraceStep
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Message
  readonly fate: Fate
}

// --- nodes --------------------------------------------------------------------------------------------------------------------------

/** Events of a node as a whole. */
type NodeEvent =
  /** Its process runs, and reads its disk. */
  | { readonly kind: 'started'; readonly node: NodeId }
  /** It has read its disk, and its state machine has applied every slot that is known there to be decided. */
  | {
      readonly kind: 'recovered'
      readonly node: NodeId
      readonly promised: Ballot
      readonly decidedUpTo: Slot
      readonly appliedUpTo: Slot
    }
  /** Its process is gone, in the middle of its work. */
  | { readonly kind: 'crashed'; readonly node: NodeId }
  /** Its process stands still; with `clockStops` its monotonic clock, too. */
  | { readonly kind: 'paused'; readonly node: NodeId; readonly clockStops: boolean }
  | { readonly kind: 'woke'; readonly node: NodeId }
  | { readonly kind: 'handOverAsked'; readonly node: NodeId }
  | { readonly kind: 'stopAsked'; readonly node: NodeId }
  /** It stopped because it was asked to. */
  | { readonly kind: 'stopped'; readonly node: NodeId }
  /** It stopped by itself, for the given reason. */
  | { readonly kind: 'halted'; readonly node: NodeId; readonly code: string; readonly message: string }
  /** Its data directory is damaged: it is set aside, and a new, empty one takes its place. */
  | { readonly kind: 'directorySetAside'; readonly node: NodeId }
  /** It fetches a peer's checkpoint. */
  | {
      readonly kind: 'fetchBegun'
      readonly node: NodeId
      readonly peer: NodeId
      readonly minSlot: Slot
      /** It resumes an interrupted transfer. */
      readonly resumes: boolean
    }
  /** A number of records has arrived, or the header or the end. */
  | {
      readonly kind: 'fetchPart'
      readonly node: NodeId
      readonly peer: NodeId
      readonly part: 'header' | 'page' | 'end'
      readonly count: number
    }
  | { readonly kind: 'fetchEnded'; readonly node: NodeId; readonly peer: NodeId; readonly outcome: string }
  /** Its machine came back with an empty disk. */
  | { readonly kind: 'directoryLost'; readonly node: NodeId }

/** Changes of a node's core. */
type CoreEvent =
  /** `ballot`: the one in which it scouts or leads, otherwise the highest that it has promised. */
  | { readonly kind: 'phase'; readonly node: NodeId; readonly phase: Phase; readonly ballot: Ballot }
  | { readonly kind: 'promised'; readonly node: NodeId; readonly ballot: Ballot }
  /** It knows that every slot up to here is decided. */
  | { readonly kind: 'decided'; readonly node: NodeId; readonly upTo: Slot }
  /** Its state machine has applied a slot; `digest` is that of all results so far. */
  | { readonly kind: 'applied'; readonly node: NodeId; readonly slot: Slot; readonly value: Value; readonly digest: number }

// --- disks --------------------------------------------------------------------------------------------------------------------------

type DiskEvent = WriteBegun | WriteEnded

export interface WriteBegun {
  readonly kind: 'writeBegun'
  readonly node: NodeId
  /** Records of the core. Empty if the write is of another kind. */
  readonly records: readonly DurableRecord[]
  /** The slot of the checkpoint that the write completes; 0 for none. */
  readonly checkpointUpTo: Slot
  /** True if that checkpoint came from a peer. */
  readonly isInstall: boolean
  /** Number of database keys that change. */
  readonly changeCount: number
  /** True if the write cannot be lost any more once it has ended. */
  readonly isSynced: boolean
}

/**
 * `buffered`: written without a sync; a second event follows if a crash loses or keeps it. `kept`: the node crashed before the
 * write ended, but everything was on disk already.
 */
export type WriteOutcome = 'synced' | 'buffered' | 'failed' | 'lost' | 'kept'

interface WriteEnded {
  readonly kind: 'writeEnded'
  readonly begunStep: TraceStep
  readonly node: NodeId
  readonly outcome: WriteOutcome
}

// --- clients ------------------------------------------------------------------------------------------------------------------------

/** `request` numbers the requests of all clients: it is the same from the first try to the answer. */
type ClientEvent =
  | {
      readonly kind: 'asked'
      readonly client: string
      readonly request: number
      /** The node that is asked. */
      readonly node: NodeId
      /** Number of the try, from 1. */
      readonly attempt: number
      /** The request in words. Called only if the event is read. */
      readonly what: () => string
    }
  /** A try failed: an error, or a timeout. */
  | { readonly kind: 'tryFailed'; readonly client: string; readonly request: number; readonly reason: string }
  /** The client asks no more: another try could carry the request out twice. */
  | { readonly kind: 'gaveUp'; readonly client: string; readonly request: number }
  /** `slot` is the operation's place in the log; `node` is the node to which this try was sent. */
  | {
      readonly kind: 'answered'
      readonly client: string
      readonly request: number
      readonly node: NodeId
      readonly slot: Slot
      readonly result: Uint8Array
      /** The outcome in words. Called only if the event is read. */
      readonly outcome: () => string
    }
  | { readonly kind: 'sessionOpened'; readonly client: string; readonly node: NodeId; readonly clientId: number }
  /** Its process is gone. */
  | { readonly kind: 'clientDied'; readonly client: string }
  /** It makes no new requests for a while. */
  | { readonly kind: 'clientLeft'; readonly client: string }
  | { readonly kind: 'clientBack'; readonly client: string }

// --- what goes wrong, and what is said of it ----------------------------------------------------------------------------------------

type NemesisEvent = FaultBegun | FaultEnded

interface FaultBegun {
  readonly kind: 'faultBegun'
  /** A fault as in FaultTotals. */
  readonly fault: string
  /** The nodes that it strikes; empty for the whole cluster. */
  readonly nodes: readonly NodeId[]
  /** The fault in words: see tell-fault.ts. */
  readonly detail: string
  /** True if it is over at once: no end will be reported. */
  readonly isMomentary: boolean
}

interface FaultEnded {
  readonly kind: 'faultEnded'
  readonly begunStep: TraceStep
  readonly fault: string
}

/** Anything else, in words. */
interface NoteEvent {
  readonly kind: 'note'
  readonly text: string
}

/** The last event of a run. */
interface VerdictEvent {
  readonly kind: 'verdict'
  /** The violation in one sentence; undefined if everything held. */
  readonly failure: string | undefined
  /** The event at which it was found; 0 if everything held. */
  readonly atStep: TraceStep
}
