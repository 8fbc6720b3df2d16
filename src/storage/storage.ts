import type { StateEntry } from '../machine/state-machine.js'
import type { DurableRecord, LogEntry, RecoveredState, Slot } from '../paxos/types.js'

/** Where a checkpoint stands. */
export interface CheckpointInfo {
  /** The state is that after this slot; 0 before the first checkpoint. */
  readonly appliedUpTo: Slot
  /** The log's clock there, ms since 1970. */
  readonly timeMs: number
  /** The rolling digest of all results up to there. */
  readonly stateDigest: number
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
  loadCheckpoint(): AsyncIterable<StateEntry>
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
