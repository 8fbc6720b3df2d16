import type { Message } from '../../paxos/messages.js'
import type { Phase } from '../../paxos/node.js'
import type { Ballot, DurableRecord, NodeId, Slot, Value } from '../../paxos/types.js'

/** Numbers the events of a run in the order in which they happen, from 1. 0 stands for none. */
export type Step = number

/**
 * Everything that can happen in a simulated world, as it is told to the EventTrace. An event is a plain literal that refers to what is
 * there anyway (messages, records); words are made of it by trace-words.ts, and only when somebody reads them.
 */
export type TraceEvent = NetworkEvent | NodeEvent | CoreEvent | DiskEvent | ClientEvent | NemesisEvent | NoteEvent | VerdictEvent

/** An event with its number and when it happened, in µs of virtual time. */
export interface TracedEvent {
  readonly step: Step
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
  readonly copyOf: Step
}

/**
 * What became of a message: it was `delivered`, or `waits` as the receiver is paused. Or it never got there: `lost` by chance, the link
 * was `cut`, the receiver `refused` its sender, or was `down`.
 */
export type Fate = 'delivered' | 'waits' | 'lost' | 'cut' | 'refused' | 'down'

interface MessageEnded {
  readonly kind: 'ended'
  readonly sentStep: Step
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Message
  readonly fate: Fate
}

// --- nodes --------------------------------------------------------------------------------------------------------------------------

/** What happens to a node as a whole. */
type NodeEvent =
  /** Its process runs, and reads its disk. */
  | { readonly kind: 'started'; readonly node: NodeId }
  /** It has read its disk, and its state machine has caught up with what is known there to be decided. */
  | {
      readonly kind: 'recovered'
      readonly node: NodeId
      readonly promised: Ballot
      readonly decidedUpTo: Slot
      readonly appliedUpTo: Slot
    }
  /** Its process is gone, in the middle of whatever it did. */
  | { readonly kind: 'crashed'; readonly node: NodeId }
  /** Its process stands still; with `clockStops` its monotonic clock, too. */
  | { readonly kind: 'paused'; readonly node: NodeId; readonly clockStops: boolean }
  | { readonly kind: 'woke'; readonly node: NodeId }
  | { readonly kind: 'handOverAsked'; readonly node: NodeId }
  | { readonly kind: 'stopAsked'; readonly node: NodeId }
  /** It stopped as it was asked to. */
  | { readonly kind: 'stopped'; readonly node: NodeId }
  /** It stopped by itself, and says why. */
  | { readonly kind: 'halted'; readonly node: NodeId; readonly code: string; readonly message: string }
  /** What it had on disk is damaged: it is set aside, and something new, in which nothing is, takes its place. */
  | { readonly kind: 'directorySetAside'; readonly node: NodeId }
  /** It wants the checkpoint of a peer. */
  | {
      readonly kind: 'fetchBegun'
      readonly node: NodeId
      readonly peer: NodeId
      readonly minSlot: Slot
      /** It goes on with one that broke off. */
      readonly resumes: boolean
    }
  /** So many records of it have arrived, or what it begins or ends with. */
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

/** How the core of a node changed. */
type CoreEvent =
  /** `ballot`: the one that it scouts or leads in, or else the highest that it has promised. */
  | { readonly kind: 'phase'; readonly node: NodeId; readonly phase: Phase; readonly ballot: Ballot }
  | { readonly kind: 'promised'; readonly node: NodeId; readonly ballot: Ballot }
  /** It knows every slot up to here to be decided. */
  | { readonly kind: 'decided'; readonly node: NodeId; readonly upTo: Slot }
  /** Its state machine has carried out a slot; `digest` is that of all results so far. */
  | { readonly kind: 'applied'; readonly node: NodeId; readonly slot: Slot; readonly value: Value; readonly digest: number }

// --- disks --------------------------------------------------------------------------------------------------------------------------

type DiskEvent = WriteBegun | WriteEnded

export interface WriteBegun {
  readonly kind: 'writeBegun'
  readonly node: NodeId
  /** What the core wanted on disk. Empty when the write is of another kind. */
  readonly records: readonly DurableRecord[]
  /** The slot of the checkpoint that it completes; 0 for none. */
  readonly checkpointUpTo: Slot
  /** That checkpoint came from a peer. */
  readonly isInstall: boolean
  /** So many keys of the database change. */
  readonly changeCount: number
  /** Whether it cannot be lost any more once it has ended. */
  readonly isSynced: boolean
}

/**
 * `buffered`: written without a sync, and told a second time if a crash loses or keeps it. `kept`: the node crashed before it heard, but
 * everything was on disk already.
 */
export type WriteOutcome = 'synced' | 'buffered' | 'failed' | 'lost' | 'kept'

interface WriteEnded {
  readonly kind: 'writeEnded'
  readonly begunStep: Step
  readonly node: NodeId
  readonly outcome: WriteOutcome
}

// --- clients ------------------------------------------------------------------------------------------------------------------------

/** `request` numbers the requests of all clients, and is the same from the first try to the answer. */
type ClientEvent =
  | {
      readonly kind: 'asked'
      readonly client: string
      readonly request: number
      /** Whom it asked. */
      readonly node: NodeId
      /** From 1. */
      readonly attempt: number
      /** Called only if somebody reads it. */
      readonly what: () => string
    }
  /** A try came to nothing: an error, or a timeout. */
  | { readonly kind: 'tryFailed'; readonly client: string; readonly request: number; readonly reason: string }
  /** It asks no more: to do so might be to do it twice. */
  | { readonly kind: 'gaveUp'; readonly client: string; readonly request: number }
  /** `slot` is where the operation stands; `node` is whom this try was sent to. */
  | {
      readonly kind: 'answered'
      readonly client: string
      readonly request: number
      readonly node: NodeId
      readonly slot: Slot
      readonly result: Uint8Array
      /** The result in words. Called only if somebody reads it. */
      readonly outcome: () => string
    }
  | { readonly kind: 'sessionOpened'; readonly client: string; readonly node: NodeId; readonly clientId: number }
  /** Its process is gone. */
  | { readonly kind: 'clientDied'; readonly client: string }
  /** It asks for nothing new for a while. */
  | { readonly kind: 'clientLeft'; readonly client: string }
  | { readonly kind: 'clientBack'; readonly client: string }

// --- what goes wrong, and what is said of it ----------------------------------------------------------------------------------------

type NemesisEvent = FaultBegun | FaultEnded

interface FaultBegun {
  readonly kind: 'faultBegun'
  /** As in FaultTotals. */
  readonly fault: string
  /** Whom it strikes; none for the whole cluster. */
  readonly nodes: readonly NodeId[]
  /** In words: see tell-fault.ts. */
  readonly detail: string
  /** It is over at once: no end will be told. */
  readonly isMomentary: boolean
}

interface FaultEnded {
  readonly kind: 'faultEnded'
  readonly begunStep: Step
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
  /** The broken promise in one sentence; undefined when all held. */
  readonly failure: string | undefined
  /** The event at which it was seen to be broken; 0 when all held. */
  readonly atStep: Step
}
