import type { Observer } from '../observer/observer.js'
import { assert } from '../paxos/assert.js'
import type { Announcement, DurableRecord, LogEntry, RecoveredState, Slot } from '../paxos/types.js'
import type { RaisedLevel } from '../replication/levels.js'
import type { StateEntry } from '../replication/state-machine.js'
import { CheckpointStager } from './checkpoint/checkpoint-stager.js'
import { CheckpointViewer } from './checkpoint/checkpoint-viewer.js'
import { CheckpointWriter } from './checkpoint/checkpoint-writer.js'
import type { StatePages } from './checkpoint/state-pages.js'
import { rollBack } from './checkpoint/undo.js'
import { type OpenDirectory, type OpenOptions, openDirectory, storageErrorOf } from './directory/open-directory.js'
import { INTERNAL_WRITE, LinkedWriter } from './log/linked-writer.js'
import { LogReader } from './log/log-reader.js'
import type { WriteBatch } from './log/write-batch.js'
import { APPLY_FAILURE_KEY, entryKey, GENESIS_KEY, logKey, nameOfKey, UNSUPPORTED_LEVEL_KEY } from './record-keys.js'
import { checksumOf, sealApplyFailure, sealGenesis, sealLogEntry, sealUnsupportedLevel, unseal } from './records.js'
import {
  type ApplyFailure,
  type CheckpointHeader,
  type CheckpointInfo,
  type CheckpointView,
  DEFAULT_LOG_WINDOW,
  type IncomingCheckpoint,
  type LogWindow,
  type PreparedCheckpoint,
  type Storage,
  type UnfinishedCheckpoint,
} from './storage.js'
import { notWritable } from './storage-error.js'

export interface LevelStorageOptions {
  /** Bounds of the log that is kept behind the checkpoint. */
  readonly window?: LogWindow
  /** Approximate bytes of a piece: a checkpoint with more changes is written in several pieces. */
  readonly pieceBytes?: number
  /** Trimmed bytes of the log after which their range is compacted. */
  readonly reclaimBytes?: number
  readonly observer?: Observer | undefined
}

const PIECE_BYTES = 256 * 1_024
const RECLAIM_BYTES = 64 * 1_024 * 1_024

/**
 * Storage in LevelDB. LevelDB loses and changes some records without an error; this is detected at open, or when a record is read: see
 * records.ts, write-chain.ts, witness.ts and verify.ts.
 */
export class LevelStorage implements Storage {
  readonly dataDirId: string
  readonly recovered: RecoveredState
  readonly #directory: OpenDirectory
  readonly #writer: LinkedWriter
  readonly #logReader: LogReader
  readonly #checkpoints: CheckpointWriter
  readonly #receiver: CheckpointStager
  readonly #viewer: CheckpointViewer
  /** State entries read at the start, until they are taken. */
  #statePages: StatePages | undefined
  #replacesDataDirId: string
  #applyFailure: ApplyFailure | undefined
  #unsupportedLevel: RaisedLevel | undefined

  /**
   * Opens or makes a node's data directory, and reads all of it except the history.
   *
   * @throws StorageError LOCKED, NOT_WRITABLE, FOREIGN, UNSUPPORTED_FORMAT or DAMAGED; nothing is left open or locked then
   */
  static async open(options: OpenOptions & LevelStorageOptions): Promise<LevelStorage> {
    return LevelStorage.fromDirectory(await openDirectory(options), options)
  }

  /** Makes a storage of an open directory, and closes the directory when that fails. @throws StorageError */
  static async fromDirectory(directory: OpenDirectory, options: LevelStorageOptions = {}): Promise<LevelStorage> {
    let storage: LevelStorage
    try {
      storage = new LevelStorage(directory, options)
    } catch (error) {
      await directory.db.close()
      await directory.release()
      throw notWritable(directory.path, error)
    }
    try {
      await storage.#recoverFromCrash()
      return storage
    } catch (error) {
      await storage.close()
      throw storageErrorOf(directory.path, error)
    }
  }

  private constructor(directory: OpenDirectory, options: LevelStorageOptions) {
    const { contents } = directory
    this.dataDirId = directory.dataDirId
    this.#replacesDataDirId = directory.replacesDataDirId
    this.#applyFailure = contents.applyFailure
    this.#unsupportedLevel = contents.unsupportedLevel
    this.#directory = directory
    this.#writer = new LinkedWriter(directory, {
      window: options.window ?? DEFAULT_LOG_WINDOW,
      reclaimBytes: options.reclaimBytes ?? RECLAIM_BYTES,
      observer: options.observer,
    })
    this.recovered = this.#writer.recovered
    this.#logReader = new LogReader(this.#writer, (error) => this.#failedRead(error))
    this.#checkpoints = new CheckpointWriter(this.#writer, contents.checkpoint, { pieceBytes: options.pieceBytes ?? PIECE_BYTES })
    this.#receiver = new CheckpointStager(this.#writer, this.#checkpoints, contents.incoming)
    this.#viewer = new CheckpointViewer(this.#writer, {
      stateNow: () => this.#checkpoints.state,
      failed: (error) => this.#damagedState(error),
    })
    this.#statePages = contents.statePages
  }

  get replacesDataDirId(): string {
    return this.#replacesDataDirId
  }

  get checkpoint(): CheckpointInfo {
    return this.#checkpoints.state.info
  }

  get lastWrite(): number {
    return this.#writer.lastWrite
  }

  get compactedUpTo(): Slot {
    return this.#writer.compactedUpTo
  }

  get marks(): ReadonlyMap<string, number> {
    return this.#checkpoints.state.marks
  }

  get unfinished(): UnfinishedCheckpoint | undefined {
    return this.#receiver.unfinished
  }

  noteAdmitted(): void {
    if (this.#replacesDataDirId === '') return
    this.#directory.forgetReplaced()
    this.#replacesDataDirId = ''
  }

  noteMarks(marks: ReadonlyMap<string, number>): void {
    this.#checkpoints.noteMarks(marks)
  }

  get announcements(): readonly Announcement[] {
    return this.#checkpoints.state.announcements
  }

  noteAnnouncements(announcements: readonly Announcement[]): void {
    this.#checkpoints.noteAnnouncements(announcements)
  }

  async append(records: readonly DurableRecord[]): Promise<void> {
    if (records.length === 0) return this.#writer.assertUsable()
    await this.#writer.write('append', { records }, (batch) => {
      this.#append(batch, records)
      this.#checkpoints.putMarks(batch)
    })
    this.#checkpoints.onMarksDurable()
  }

  get unsupportedLevel(): RaisedLevel | undefined {
    return this.#unsupportedLevel
  }

  async noteUnsupportedLevel(unsupported: RaisedLevel | undefined): Promise<void> {
    await this.#writer.write('append', INTERNAL_WRITE, (batch) => {
      if (unsupported === undefined) batch.delete(UNSUPPORTED_LEVEL_KEY)
      else batch.put(UNSUPPORTED_LEVEL_KEY, sealUnsupportedLevel(unsupported))
    })
    this.#unsupportedLevel = unsupported
  }

  get applyFailure(): ApplyFailure | undefined {
    return this.#applyFailure
  }

  async noteApplyFailure(failure: ApplyFailure): Promise<void> {
    await this.#writer.write('append', INTERNAL_WRITE, (batch) => {
      const { slot } = failure
      assert(slot <= this.#writer.rules.decidedUpTo, 'a slot that was applied is decided')
      assert(slot === 0 || slot > this.checkpoint.appliedUpTo, 'a failed slot is above the checkpoint')
      batch.put(APPLY_FAILURE_KEY, sealApplyFailure(failure))
    })
    this.#applyFailure = failure
  }

  async resolveApplyFailure(how: 'skip' | 'retry'): Promise<void> {
    const failure = this.#applyFailure
    assert(failure !== undefined, 'there is a failure to resolve')
    const [entry] = how === 'skip' ? await this.readLog(failure.slot, failure.slot, 0) : []
    assert(how === 'retry' || entry?.value.kind === 'batch', 'only a slot with commands is skipped')
    await this.#writer.write('append', INTERNAL_WRITE, (batch) => {
      batch.delete(APPLY_FAILURE_KEY)
      if (entry?.value.kind !== 'batch') return
      const key = logKey(entry.slot)
      const sealed = batch.put(key, sealLogEntry(key, { ...entry, value: { ...entry.value, skipped: true } }))
      this.#writer.log.mark(entry.slot, checksumOf(sealed), key.length + sealed.length)
    })
    this.#applyFailure = undefined
  }

  readLog(fromSlot: Slot, toSlot: Slot, maxBytes: number): Promise<LogEntry[]> {
    return this.#logReader.read(fromSlot, toSlot, maxBytes)
  }

  prepareCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<PreparedCheckpoint> {
    this.#statePages = undefined
    return this.#checkpoints.prepare(info, changes)
  }

  async saveCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<void> {
    const prepared = await this.prepareCheckpoint(info, changes)
    await prepared.commit()
  }

  async *loadCheckpoint(): AsyncGenerator<StateEntry[]> {
    this.#writer.assertUsable()
    const found = this.#statePages
    this.#statePages = undefined
    if (found !== undefined) yield* found.take()
    else yield* this.#scanState()
  }

  readHistory(key: string): Uint8Array | undefined {
    this.#writer.assertUsable()
    const bytes = entryKey('history', this.#checkpoints.state.generation, key)
    try {
      const record = this.#directory.db.getSync(bytes)
      return record && unseal(bytes, record)
    } catch (error) {
      throw this.#damagedState(error)
    }
  }

  async viewCheckpoint(): Promise<CheckpointView | undefined> {
    this.#writer.assertUsable()
    return this.#viewer.view()
  }

  holdLog(slot: Slot): () => void {
    return this.#writer.hold(slot)
  }

  async receiveCheckpoint(header: CheckpointHeader): Promise<IncomingCheckpoint> {
    this.#statePages = undefined
    return this.#receiver.receive(header)
  }

  async close(): Promise<void> {
    if (!(await this.#writer.close())) return
    try {
      await this.#directory.db.close()
      await this.#writer.closeWitness()
    } finally {
      await this.#directory.release()
    }
  }

  /** Rolls back or removes what a crash has left unfinished. */
  async #recoverFromCrash(): Promise<void> {
    const { db, contents } = this.#directory
    await rollBack(db, contents.undoPageCount, (build) => this.#writer.write('background', INTERNAL_WRITE, build))
    await this.#receiver.sweepLeftovers()
  }

  #append(batch: WriteBatch, records: readonly DurableRecord[]): void {
    const { rules, log } = this.#writer
    rules.note(records)
    for (const record of records) {
      switch (record.kind) {
        case 'genesis':
          this.#writer.genesisChecksum = checksumOf(batch.put(GENESIS_KEY, sealGenesis(record.genesis)))
          break
        case 'accepted':
        case 'learned': {
          const key = logKey(record.entry.slot)
          const sealed = batch.put(key, sealLogEntry(key, record.entry))
          log.put(record.entry.slot, checksumOf(sealed), key.length + sealed.length)
          break
        }
        case 'promised':
        case 'decidedUpTo':
          // These are in the chain's link.
          break
      }
    }
    log.decide(rules.decidedUpTo)
  }

  async *#scanState(): AsyncGenerator<StateEntry[]> {
    try {
      for await (const page of this.#viewer.state()) {
        yield page.map(([key, record]): StateEntry => ({ key: nameOfKey(key), value: unseal(key, record), keyspace: 'state' }))
      }
    } catch (error) {
      throw this.#failedRead(error)
    }
  }

  /**
   * Returns the error of a damaged entry that is only on disk. It does not fail the writer: the caller decides whether the node stops. A
   * client's read must not stop it, and its votes are in other records.
   */
  #damagedState(error: unknown): unknown {
    this.#writer.assertUsable()
    return storageErrorOf(this.#directory.path, error)
  }

  /** Returns the error of a record that was intact at the start. It fails the writer: no write may follow. */
  #failedRead(error: unknown): unknown {
    this.#writer.assertUsable()
    const failure = storageErrorOf(this.#directory.path, error)
    this.#writer.fail(failure)
    return failure
  }
}
