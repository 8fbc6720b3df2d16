import type { Announcement, DurableRecord, LogEntry, RecoveredState, Slot } from '../paxos/types.js'
import type { CheckpointEnd, CheckpointHeader, CheckpointInfo, CheckpointPage } from '../protocol/checkpoint.js'
import type { RaisedLevel } from '../replication/levels.js'
import type { StateEntry } from '../replication/state-machine.js'

export type { CheckpointEnd, CheckpointHeader, CheckpointInfo, CheckpointPage } from '../protocol/checkpoint.js'

/** A slot at which the state machine threw. Nothing is applied until an operator has decided to skip or to retry it. */
export interface ApplyFailure {
  readonly slot: Slot
  /** Index of the command in the slot, from 0; -1 for the work that was due at the slot (such as expired deadlines). */
  readonly commandIndex: number
  /** The command and the error, for people. */
  readonly what: string
}

export const NO_CHECKPOINT: CheckpointInfo = Object.freeze({
  appliedUpTo: 0,
  timeMs: 0,
  stateDigest: 0,
  memberships: Object.freeze([]),
  boundarySlots: 0,
  boundaryCommands: 0,
  boundaryBytes: 0,
  skippedSlots: Object.freeze([]),
  level: 0,
  levelVersion: '',
})

/** Bounds of the log that is kept behind the checkpoint for lagging peers; both hold. */
export interface LogWindow {
  readonly slots: number
  /** Bytes of records with their keys. */
  readonly bytes: number
}

export const DEFAULT_LOG_WINDOW: LogWindow = Object.freeze({ slots: 16_384, bytes: 64 * 1_024 * 1_024 })

/**
 * A node's durable memory. Writes go to the disk one at a time: appends first, in the order of the calls, then commits of checkpoints,
 * then pages of checkpoints and cleaning up.
 * Every rejection is a StorageError, or an InvariantError when the caller broke a rule. After a failed write every call rejects.
 * Every implementation must pass test/storage/conformance.ts.
 */
export interface Storage {
  /** The random id of this data directory: a UUID, made with the directory. */
  readonly dataDirId: string
  /** The id of the damaged directory that this one replaces, until noteAdmitted is called; empty when there is none. */
  readonly replacesDataDirId: string
  /** Records that the membership names this directory: from now on it replaces no other. @throws StorageError NOT_WRITABLE */
  noteAdmitted(): void
  /** The core's state as it was found at the start. */
  readonly recovered: RecoveredState
  readonly checkpoint: CheckpointInfo
  /** The number of the last durable write of this directory. It ascends, also over restarts. */
  readonly lastWrite: number
  /** The level that noteUnsupportedLevel recorded last; undefined once it was called with undefined. */
  readonly unsupportedLevel: RaisedLevel | undefined
  /**
   * Records a level of the log that the state machine does not know, or (undefined) that it knows the level now. Durable when it
   * resolves.
   */
  noteUnsupportedLevel(unsupported: RaisedLevel | undefined): Promise<void>
  /** The unresolved failure that noteApplyFailure recorded last. */
  readonly applyFailure: ApplyFailure | undefined
  /**
   * Records a failure; resolves when it is on disk. The slot must be durably decided and above the checkpoint; slot 0 stands for the
   * initial commands.
   */
  noteApplyFailure(failure: ApplyFailure): Promise<void>
  /**
   * Carries out an operator's decision on the recorded failure; durable when it resolves. `skip` marks the slot in the log as skipped
   * (see BatchValue.skipped). `retry` lets the slot be applied again.
   */
  resolveApplyFailure(how: 'skip' | 'retry'): Promise<void>
  /** The last slot that is no longer in the log; never above the checkpoint's slot. */
  readonly compactedUpTo: Slot
  /** Durable write numbers of peers' directories, by data-dir id. */
  readonly marks: ReadonlyMap<string, number>
  /** Adds write numbers of peers' directories to the next write. A number that is not above the known one is ignored. */
  noteMarks(marks: ReadonlyMap<string, number>): void
  /** The durable addresses of nodes. */
  readonly announcements: readonly Announcement[]
  /** Replaces the addresses of nodes with the next write. */
  noteAnnouncements(announcements: readonly Announcement[]): void
  /**
   * Appends records in one synced write; resolves when all are on disk. A rejection is final: the node must stop without answering.
   * Each append also trims a bounded part of the log.
   */
  append(records: readonly DurableRecord[]): Promise<void>
  /**
   * Returns the decided entries from fromSlot (at least 1) to toSlot or the durable decidedUpTo, whichever is lower, both inclusive.
   * They ascend without a gap. The result ends after about maxBytes, but has at least one entry, if any. It is empty when fromSlot is
   * no longer in the log. Each record's checksum is checked.
   */
  readLog(fromSlot: Slot, toSlot: Slot, maxBytes: number): Promise<LogEntry[]>
  /**
   * Prepares to merge the changed entries into the checkpoint. One checkpoint is prepared or installed at a time. `changes` must name
   * each key at most once; it is walked in steps of a few milliseconds, with a turn of the event loop between steps. A big checkpoint
   * may be on disk in part before its commit; until then that part has no effect.
   */
  prepareCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<PreparedCheckpoint>
  /** Prepares a checkpoint and commits it. */
  saveCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<void>
  /**
   * Returns the 'state' entries of the checkpoint in pages, ascending by the bytes of their keys. Values are views of bigger buffers:
   * a caller that keeps one must copy it. Each record's checksum is checked.
   */
  loadCheckpoint(): AsyncIterable<readonly StateEntry[]>
  /**
   * Returns a 'history' entry of the last committed or installed checkpoint. An entry that a prepared checkpoint changes may already
   * have the new value. The checksum is checked. Takes about 5 µs. @throws StorageError
   */
  readHistory(key: string): Uint8Array | undefined
  /**
   * Returns a view of the last committed checkpoint, which later writes do not change; undefined when there is none. The caller must
   * close it.
   */
  viewCheckpoint(): Promise<CheckpointView | undefined>
  /** Keeps the log above the slot until the returned function is called, within the bounds of LinkedWriter. */
  holdLog(slot: Slot): () => void
  /**
   * Begins to receive a checkpoint from a peer, or resumes the one with the same id; an unfinished one with another id is discarded.
   * Its slot must be above that of this storage's checkpoint. One is received at a time: the result of an earlier call must not be used any more.
   *
   * @throws RecordError when the checkpoint belongs to another cluster
   */
  receiveCheckpoint(header: CheckpointHeader): Promise<IncomingCheckpoint>
  /** An interrupted transfer, also from before a restart. Calling receiveCheckpoint with its header resumes it. */
  readonly unfinished: UnfinishedCheckpoint | undefined
  /** Releases the directory. Appended records stay. */
  close(): Promise<void>
}

export interface PreparedCheckpoint {
  /**
   * Merges the changes into the checkpoint, atomically with its info; resolves when they are on disk. appliedUpTo must not be above
   * the durable decidedUpTo and never goes back.
   */
  commit(): Promise<void>
}

export interface CheckpointView {
  readonly header: CheckpointHeader
  readonly end: CheckpointEnd
  /** Returns the entries after that key (all entries without a key), in pages of about pageBytes; each record's checksum is checked. */
  pages(afterKey: Uint8Array | undefined, pageBytes: number): AsyncIterable<CheckpointPage>
  close(): Promise<void>
}

export interface UnfinishedCheckpoint {
  readonly header: CheckpointHeader
  readonly lastKey: Uint8Array
}

export interface IncomingCheckpoint {
  /** The last key received; undefined at the beginning. */
  readonly lastKey: Uint8Array | undefined
  /**
   * Adds the next page; durable when it resolves.
   *
   * @throws RecordError when the page is damaged or not the next one: nothing of it is kept
   */
  add(page: CheckpointPage): Promise<void>
  /**
   * Replaces this storage's checkpoint atomically: after a crash there is the old one or the new one. Slots up to the new one's are
   * then decided and no longer in the log; the promise and the votes above stay. No prepared checkpoint may be uncommitted.
   *
   * @throws RecordError when its entries differ from those that the sender counted: all of it is discarded
   */
  install(end: CheckpointEnd): Promise<void>
}
