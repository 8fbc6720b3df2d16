import type { Announcement, DurableRecord, LogEntry, RecoveredState, Slot } from '../paxos/types.js'
import type { CheckpointEnd, CheckpointHeader, CheckpointInfo, CheckpointPage } from '../protocol/checkpoint.js'
import type { RaisedLevel } from '../replication/levels.js'
import type { StateEntry } from '../replication/state-machine.js'

export type { CheckpointEnd, CheckpointHeader, CheckpointInfo, CheckpointPage } from '../protocol/checkpoint.js'

/** A slot that the state machine threw at: nothing is applied before an operator has said what is to become of it. */
export interface ApplyFailure {
  readonly slot: Slot
  /** Which command of the slot, from 0; -1: what was due when the slot came. */
  readonly commandIndex: number
  /** For people: the command, and what was thrown. */
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

/** How much of the log is kept behind the checkpoint, for peers that lag: less than this of both. */
export interface LogWindow {
  readonly slots: number
  /** Of records with their keys. */
  readonly bytes: number
}

export const DEFAULT_LOG_WINDOW: LogWindow = Object.freeze({ slots: 16_384, bytes: 64 * 1_024 * 1_024 })

/**
 * A node's durable memory. Writes go to the disk one at a time: appends first, in the order of the calls, then checkpoints' commits,
 * then pages of checkpoints and cleaning up.
 * Whatever rejects, rejects with a StorageError, or with an InvariantError when the caller broke a rule; after a failed write every
 * call rejects. Implementations pass test/storage/conformance.ts.
 */
export interface Storage {
  /** This data directory's random id, a UUID made with the directory. */
  readonly dataDirId: string
  /** The id of the damaged directory that this one takes the place of, until noteAdmitted; empty when there is none. */
  readonly replacesDataDirId: string
  /** The membership names this directory: it takes the place of none any more. @throws StorageError NOT_WRITABLE */
  noteAdmitted(): void
  /** What was found at start. */
  readonly recovered: RecoveredState
  readonly checkpoint: CheckpointInfo
  /** The number of the last durable write of this directory; ascends, also over restarts. */
  readonly lastWrite: number
  /** The level that noteUnsupportedLevel was last told of, until it is told of none. */
  readonly unsupportedLevel: RaisedLevel | undefined
  /** The log is at a level that the state machine does not know; or (undefined) it knows the level now. Resolves when it is on disk. */
  noteUnsupportedLevel(unsupported: RaisedLevel | undefined): Promise<void>
  /** What noteApplyFailure was last told of, until it is resolved. */
  readonly applyFailure: ApplyFailure | undefined
  /** Resolves when it is on disk. The slot is decided, as far as the disk knows (slot 0: the initial commands), and above the checkpoint. */
  noteApplyFailure(failure: ApplyFailure): Promise<void>
  /**
   * An operator's word on the failure that there is, on disk when it resolves. `skip`: the log holds its slot as one that is skipped from
   * now on (see BatchValue.skipped). `retry`: the slot is carried out again.
   */
  resolveApplyFailure(how: 'skip' | 'retry'): Promise<void>
  /** Slots up to here are no longer in the log; at most the checkpoint's. */
  readonly compactedUpTo: Slot
  /** How far peers' directories had got, by data-dir id, as far as that is durable. */
  readonly marks: ReadonlyMap<string, number>
  /** The next write keeps them, each where it is higher than what is known of that directory. */
  noteMarks(marks: ReadonlyMap<string, number>): void
  /** Where nodes are reached, as far as that is durable. */
  readonly announcements: readonly Announcement[]
  /** The next write keeps them in the place of those that there are. */
  noteAnnouncements(announcements: readonly Announcement[]): void
  /**
   * Resolves when every record is on disk (one synced write). A rejection is final: the node must stop without answering.
   * Trims the log, too, a little with each write.
   */
  append(records: readonly DurableRecord[]): Promise<void>
  /**
   * Decided entries from fromSlot (at least 1) to toSlot or the durable decidedUpTo, whichever is lower, both inclusive: ascending
   * without a gap, cut after about maxBytes but never before the first entry. None when fromSlot is no longer in the log. Each
   * record's checksum is checked.
   */
  readLog(fromSlot: Slot, toSlot: Slot, maxBytes: number): Promise<LogEntry[]>
  /**
   * Prepares to merge the changed entries into the checkpoint; one at a time, and not while one from a peer is installed. `changes` is
   * walked in steps of a few milliseconds, with turns for others between them, and names each key once at most. A big one may be on
   * disk in part before the commit; it counts for nothing until then, and if it is never committed.
   */
  prepareCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<PreparedCheckpoint>
  /** Prepares a checkpoint and commits it. */
  saveCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<void>
  /**
   * The 'state' entries of the checkpoint, in pages, ascending by the bytes of their keys. Values are views of bigger buffers: copy
   * what is kept. Each record's checksum is checked.
   */
  loadCheckpoint(): AsyncIterable<readonly StateEntry[]>
  /**
   * A 'history' entry of the last committed (or installed) checkpoint; one that a checkpoint under way changes may be as that has it
   * already. Its checksum is checked. Takes about 5 µs. @throws StorageError
   */
  readHistory(key: string): Uint8Array | undefined
  /** A view of the last committed checkpoint, unchanged by what follows; undefined when there is none yet. Close it. */
  viewCheckpoint(): Promise<CheckpointView | undefined>
  /** The log above the slot, as far as it is there, is kept until the function is called that comes back; as LinkedWriter bounds it. */
  holdLog(slot: Slot): () => void
  /**
   * Begins a checkpoint from a peer, or goes on with one that has the same id; what an earlier one left is discarded. It must stand
   * above this storage's. One at a time: an earlier one that is still in somebody's hands may not be used any more.
   *
   * @throws RecordError when it is of another cluster
   */
  receiveCheckpoint(header: CheckpointHeader): Promise<IncomingCheckpoint>
  /** What a transfer that broke off has left, before the last restart perhaps: receiveCheckpoint with this header goes on with it. */
  readonly unfinished: UnfinishedCheckpoint | undefined
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

export interface CheckpointView {
  readonly header: CheckpointHeader
  readonly end: CheckpointEnd
  /** The entries after that key (all of them without one) in pages of about so many bytes; each record's checksum is checked. */
  pages(afterKey: Uint8Array | undefined, pageBytes: number): AsyncIterable<CheckpointPage>
  close(): Promise<void>
}

export interface UnfinishedCheckpoint {
  readonly header: CheckpointHeader
  readonly lastKey: Uint8Array
}

export interface IncomingCheckpoint {
  /** It has come up to this key; undefined at the beginning. */
  readonly lastKey: Uint8Array | undefined
  /** Durable when it resolves. @throws RecordError on a page that is not the next one, or is damaged: nothing of it is kept */
  add(page: CheckpointPage): Promise<void>
  /**
   * Puts it in the place of the checkpoint that there is, atomically: after a crash there is the old one or the new. Slots up to its
   * own are decided and no longer in the log; the promise, and votes above, stay. No checkpoint may be prepared and not committed.
   *
   * @throws RecordError when it is not what the sender has sent: all of it is discarded
   */
  install(end: CheckpointEnd): Promise<void>
}
