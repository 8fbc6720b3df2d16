import { assert } from '../../paxos/assert.js'
import type { Announcement } from '../../paxos/types.js'
import type { StateEntry } from '../../replication/state-machine.js'
import { storageErrorOf } from '../directory/open-directory.js'
import { INTERNAL_WRITE, type LinkedWriter } from '../log/linked-writer.js'
import type { WriteBatch } from '../log/write-batch.js'
import { CHECKPOINT_KEY, entryKey, type Generation, keyspaceOf } from '../record-keys.js'
import { RecordTally } from '../record-tally.js'
import { checksumOf, seal, unseal } from '../records.js'
import type { CheckpointInfo, PreparedCheckpoint } from '../storage.js'
import { type CheckpointState, type EntryTallies, sealCheckpointState } from './checkpoint-records.js'
import { deleteUndoPages, type EntryChange, putChanges, putUndoPage } from './undo.js'

/** Bounds of a step of the preparation. Between two steps the event loop takes a turn. */
const STEP_ENTRIES_MAX = 250
const STEP_BYTES_MAX = 256 * 1_024

/**
 * Writes a node's own checkpoints. One batch of a million entries would delay appends for seconds, so a big checkpoint is written in
 * pieces, each with an undo page in the same write. Until the commit removes the undo pages, the previous checkpoint is valid: a start
 * rolls the pieces back, and a reader of all entries applies the undo pages first.
 */
export class CheckpointWriter {
  readonly #writer: LinkedWriter
  readonly #pieceBytes: number
  #state: CheckpointState
  /** 'preparing' lasts until the commit. */
  #phase: 'idle' | 'preparing' | 'installing' = 'idle'
  /** Undo pages of the prepared checkpoint. */
  #undoPageCount = 0
  /** The durable state with the new marks and addresses, while these are being written. */
  #withMarks: CheckpointState | undefined
  /** Marks of peers that are not durable yet. */
  readonly #newMarks = new Map<string, number>()
  /** Addresses of nodes that are not durable yet. */
  #newAnnouncements: readonly Announcement[] | undefined

  constructor(writer: LinkedWriter, state: CheckpointState, options: { readonly pieceBytes: number }) {
    this.#writer = writer
    this.#state = state
    this.#pieceBytes = options.pieceBytes
  }

  /** The durable checkpoint. */
  get state(): CheckpointState {
    return this.#state
  }

  noteMarks(marks: ReadonlyMap<string, number>): void {
    for (const [dataDirId, number] of marks) {
      const known = this.#newMarks.get(dataDirId) ?? this.#state.marks.get(dataDirId) ?? 0
      if (number > known) this.#newMarks.set(dataDirId, number)
    }
  }

  noteAnnouncements(announcements: readonly Announcement[]): void {
    this.#newAnnouncements = announcements
  }

  /**
   * Adds the new marks and addresses to the next write, whatever it is. They are new at most once a second, and after a crash of all
   * nodes no other copy would exist. The caller must call onMarksDurable after the write.
   */
  putMarks(batch: WriteBatch): void {
    const hasNew = this.#newMarks.size > 0 || this.#newAnnouncements !== undefined
    if (hasNew && this.#phase !== 'installing') this.#withMarks = this.put(batch, this.#state)
  }

  onMarksDurable(): void {
    if (this.#withMarks !== undefined) this.#onDurable(this.#withMarks)
    this.#withMarks = undefined
  }

  async prepare(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<PreparedCheckpoint> {
    this.#writer.assertUsable()
    assert(this.#phase === 'idle', 'one checkpoint is prepared or installed at a time')
    this.#phase = 'preparing'
    try {
      const draft = await this.#draft(changes)
      return { commit: () => this.#commit(info, draft) }
    } catch (error) {
      // A part may be on disk, and `changes` cannot be walked again.
      this.#writer.fail(error)
      throw error
    }
  }

  /** Begins the replacement of this checkpoint by a peer's. */
  beginInstall(): void {
    assert(this.#phase === 'idle', 'one checkpoint is prepared or installed at a time')
    this.#phase = 'installing'
  }

  endInstall(state: CheckpointState): void {
    this.#phase = 'idle'
    this.#onDurable(state)
  }

  /** Replaces the checkpoint record in the batch. */
  put(batch: WriteBatch, next: Omit<CheckpointState, 'marks' | 'announcements'>): CheckpointState {
    const marks = new Map([...this.#state.marks, ...this.#newMarks])
    const state = { ...next, marks, announcements: this.#newAnnouncements ?? this.#state.announcements }
    this.#writer.checkpointChecksum = checksumOf(batch.put(CHECKPOINT_KEY, sealCheckpointState(state)))
    return state
  }

  #onDurable(state: CheckpointState): void {
    this.#state = state
    this.#writer.trimUpTo = state.info.appliedUpTo
    if (state.announcements === this.#newAnnouncements) this.#newAnnouncements = undefined
    this.#writer.checkpointBytes = state.tallies.bytes
    for (const [dataDirId, number] of this.#newMarks) {
      if (number <= (state.marks.get(dataDirId) ?? 0)) this.#newMarks.delete(dataDirId)
    }
  }

  /** Seals the entries and looks up the records that they replace. No other write touches entries of this generation meanwhile. */
  async #draft(changes: Iterable<StateEntry>): Promise<Draft> {
    const { generation, tallies } = this.#state
    const draft = new Draft(generation, tallies)
    const entries = changes[Symbol.iterator]()
    while (!draft.isWhole) {
      if (draft.pieceBytes >= this.#pieceBytes) await this.#writePiece(draft)
      const step = draft.step(entries, Math.min(STEP_BYTES_MAX, this.#pieceBytes))
      // Entries that the machine calls new are not looked up, except the first of a step: as a check, and to give the event loop a turn.
      const lookedUp = step.filter(({ isNew }, i) => !isNew || i === 0)
      const found = await this.#read(lookedUp.map(({ key }) => key))
      assert(step[0]?.isNew !== true || found[0] === undefined, 'a new entry replaces nothing')
      let next = 0
      for (const [i, { key, record, isNew }] of step.entries()) {
        draft.add({ key, record, before: isNew && i > 0 ? undefined : found[next++] })
      }
    }
    return draft
  }

  /** Returns the records under the keys, checked. @throws StorageError when one cannot be read or is damaged */
  async #read(keys: Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    try {
      const records: readonly (Buffer | undefined)[] = await this.#writer.db.getEach(keys)
      for (const [i, key] of keys.entries()) {
        const record = records[i]
        if (record !== undefined) unseal(key, record)
      }
      return records
    } catch (error) {
      throw storageErrorOf(this.#writer.path, error)
    }
  }

  async #writePiece(draft: Draft): Promise<void> {
    const piece = draft.takePiece()
    await this.#writer.write('background', INTERNAL_WRITE, (batch) => {
      this.#undoPageCount += 1
      putUndoPage(batch, this.#undoPageCount, piece)
      putChanges(batch, piece)
    })
  }

  async #commit(info: CheckpointInfo, draft: Draft): Promise<void> {
    let state: CheckpointState | undefined
    await this.#writer.write('commit', { records: [], checkpoint: info }, (batch) => {
      this.#writer.rules.checkCheckpoint(this.#state.info, info)
      putChanges(batch, draft.takePiece())
      deleteUndoPages(batch, this.#undoPageCount)
      state = this.put(batch, { info, generation: draft.generation, tallies: draft.tallies })
    })
    if (state !== undefined) this.#onDurable(state)
    this.#phase = 'idle'
    this.#undoPageCount = 0
  }
}

interface SealedEntry {
  readonly key: Buffer
  readonly record: Buffer | undefined
  /** See StateEntry. */
  readonly isNew: boolean
}

/** A checkpoint that is being prepared. */
class Draft {
  readonly generation: Generation
  readonly #state: RecordTally
  readonly #history: RecordTally
  #bytes: number
  #piece: EntryChange[] = []
  #pieceBytes = 0
  #isWhole = false

  constructor(generation: Generation, before: EntryTallies) {
    this.generation = generation
    this.#state = new RecordTally(before.state)
    this.#history = new RecordTally(before.history)
    this.#bytes = before.bytes
  }

  /** True when all changes are in it. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** Tallies of the entries after this checkpoint. */
  get tallies(): EntryTallies {
    return { state: this.#state, history: this.#history, bytes: this.#bytes }
  }

  /** Bytes of the changes that are not written yet. */
  get pieceBytes(): number {
    return this.#pieceBytes
  }

  takePiece(): EntryChange[] {
    const piece = this.#piece
    this.#piece = []
    this.#pieceBytes = 0
    return piece
  }

  /** Takes and seals the next entries. */
  step(entries: Iterator<StateEntry>, bytesMax: number): SealedEntry[] {
    const step: SealedEntry[] = []
    let bytes = 0
    while (step.length < STEP_ENTRIES_MAX && bytes < bytesMax) {
      const next = entries.next()
      if (next.done === true) {
        this.#isWhole = true
        break
      }
      const { key: name, value, keyspace, isNew = false } = next.value
      const key = entryKey(keyspace, this.generation, name)
      const record = value === undefined ? undefined : seal(key, value)
      step.push({ key, record, isNew })
      bytes += key.length + (record?.length ?? 0)
    }
    return step
  }

  add(change: EntryChange): void {
    const { key, record, before } = change
    const tally = keyspaceOf(key) === 'state' ? this.#state : this.#history
    if (before !== undefined) {
      tally.remove(checksumOf(before))
      this.#bytes -= key.length + before.length
      this.#pieceBytes += before.length
    }
    if (record !== undefined) {
      tally.add(checksumOf(record))
      this.#bytes += key.length + record.length
      this.#pieceBytes += record.length
    }
    this.#piece.push(change)
    this.#pieceBytes += key.length
  }
}
