import type { StateEntry } from '../machine/state-machine.js'
import type { DurableRecord, Genesis, LogEntry, MembershipRecord, RecoveredState, Slot } from '../paxos/types.js'

/** Where a checkpoint stands. */
export interface CheckpointInfo {
  /** The state is that after this slot; 0 before the first checkpoint. */
  readonly appliedUpTo: Slot
  /** The log's clock there, ms since 1970. */
  readonly timeMs: number
  /** The rolling digest of all results up to there. */
  readonly stateDigest: number
  /** Those that govern the slots above appliedUpTo, as known there; empty before the cluster is formed. */
  readonly memberships: readonly MembershipRecord[]
  /** Since the last checkpoint boundary. */
  readonly boundarySlots: number
  readonly boundaryCommands: number
}

/** What a checkpoint is, as it travels between nodes. */
export interface CheckpointHeader {
  readonly checkpointId: string
  readonly clusterId: string
  readonly slot: Slot
  readonly timeMs: number
  readonly stateDigest: number
  readonly genesis: Genesis
  readonly memberships: readonly MembershipRecord[]
  readonly boundarySlots: number
  readonly boundaryCommands: number
  readonly bytes: number
}

export interface CheckpointPage {
  readonly keys: readonly Uint8Array[]
  readonly records: readonly Uint8Array[]
}

export interface CheckpointEnd {
  readonly stateCount: number
  readonly stateSum: number
  readonly historyCount: number
  readonly historySum: number
}

export interface CheckpointView {
  readonly header: CheckpointHeader
  readonly end: CheckpointEnd
  pages(afterKey: Uint8Array | undefined, pageBytes: number): AsyncIterable<CheckpointPage>
  close(): Promise<void>
}

export interface IncomingCheckpoint {
  readonly lastKey: Uint8Array | undefined
  add(page: CheckpointPage): Promise<void>
  install(end: CheckpointEnd): Promise<void>
}

/**
 * A node's durable memory. One writer: the caller awaits each append, saveCheckpoint or commit before the next; reads, and the
 * preparation of a checkpoint, may go on meanwhile.
 * Whatever rejects, rejects with a StorageError, or with an InvariantError when the caller broke a rule; after a failed write every
 * call rejects. Implementations pass test/storage/conformance.ts.
 */
export interface Storage {
  /** This data directory's random id, a UUID made with the directory. */
  readonly dataDirId: string
  /** What was found at start. */
  readonly recovered: RecoveredState
  readonly checkpoint: CheckpointInfo
  readonly lastWrite: number
  readonly compactedUpTo: Slot
  readonly marks: ReadonlyMap<string, number>
  noteMarks(marks: ReadonlyMap<string, number>): void
  readHistory(key: string): Uint8Array | undefined
  viewCheckpoint(): Promise<CheckpointView | undefined>
  receiveCheckpoint(header: CheckpointHeader): Promise<IncomingCheckpoint>
  readonly unfinished: { readonly header: CheckpointHeader; readonly lastKey: Uint8Array } | undefined
  /** Resolves when every record is on disk (one synced write). A rejection is final: the node must stop without answering. */
  append(records: readonly DurableRecord[]): Promise<void>
  /**
   * Decided entries from fromSlot (at least 1) to toSlot or the durable decidedUpTo, whichever is lower, both inclusive: ascending
   * without a gap, cut after about maxBytes but never before the first entry. Each record's checksum is checked.
   */
  readLog(fromSlot: Slot, toSlot: Slot, maxBytes: number): Promise<LogEntry[]>
  /**
   * Prepares to merge the changed entries into the checkpoint, in short turns that let the node go on; one at a time. `changes` is
   * walked before the call returns, but its values may be asked for later. Nothing is on disk before the commit.
   */
  prepareCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<PreparedCheckpoint>
  /** Prepares a checkpoint and commits it. */
  saveCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<void>
  /** Every entry of the checkpoint. Each record's checksum is checked. */
  loadCheckpoint(): AsyncIterable<readonly StateEntry[]>
  /** Lets go of the directory. What was appended stays. */
  close(): Promise<void>
}

export interface PreparedCheckpoint {
  /**
   * Merges the changes into the checkpoint, atomically with its info; resolves when they are on disk. At most the durable decidedUpTo
   * is checkpointed, and appliedUpTo never goes back.
   */
  commit(): Promise<void>
}
