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

/** A checkpoint is prepared in steps of so many entries, or about so many bytes: between two of them others have their turn. */
const STEP_ENTRIES_MAX = 250
const STEP_BYTES_MAX = 256 * 1_024

/**
 * Writes a node's own checkpoints. One batch of a million entries would keep appends waiting for seconds, so a big one is written in
 * pieces, each with an undo page in the same write: until the commit removes these, the checkpoint before counts, and a start
 * takes the pieces back. Meanwhile whoever reads all entries reads the undo pages first.
 */
export class CheckpointWriter {
  readonly #writer: LinkedWriter
  readonly #pieceBytes: number
  #state: CheckpointState
  /** 'preparing' until the commit. */
  #phase: 'idle' | 'preparing' | 'installing' = 'idle'
  /** Of the checkpoint that is prepared and not committed. */
  #undoPageCount = 0
  /** The durable state with what peers have told since, while that is being written. */
  #withMarks: CheckpointState | undefined
  /** What peers have told that is not durable yet. */
  readonly #newMarks = new Map<string, number>()
  /** Where nodes are reached, if that is not durable yet. */
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
   * What peers have told goes into the batch of whatever is written next: they tell it once a second at most, and after a crash of
   * everybody nobody else would remember it. To be followed by onMarksDurable.
   */
  putMarks(batch: WriteBatch): void {
    const hasNews = this.#newMarks.size > 0 || this.#newAnnouncements !== undefined
    if (hasNews && this.#phase !== 'installing') this.#withMarks = this.put(batch, this.#state)
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
      // Part of it may be on disk, and the walk cannot be had again.
      this.#writer.fail(error)
      throw error
    }
  }

  /** A checkpoint from a peer is about to take the place of this one. */
  beginInstall(): void {
    assert(this.#phase === 'idle', 'one checkpoint is prepared or installed at a time')
    this.#phase = 'installing'
  }

  endInstall(state: CheckpointState): void {
    this.#phase = 'idle'
    this.#onDurable(state)
  }

  /** Has a checkpoint take the place of this one, in the batch that is being filled. */
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

  /** Seals the entries and looks up what they replace. Nobody else touches entries of this generation meanwhile. */
  async #draft(changes: Iterable<StateEntry>): Promise<Draft> {
    const { generation, tallies } = this.#state
    const draft = new Draft(generation, tallies)
    const entries = changes[Symbol.iterator]()
    while (!draft.isWhole) {
      if (draft.pieceBytes >= this.#pieceBytes) await this.#writePiece(draft)
      const step = draft.step(entries, Math.min(STEP_BYTES_MAX, this.#pieceBytes))
      // The first in any case: what the machine calls new is taken at its word, but not wholly, and others get a turn meanwhile.
      const looked = step.filter(({ isNew }, i) => !isNew || i === 0)
      const found = await this.#read(looked.map(({ key }) => key))
      assert(step[0]?.isNew !== true || found[0] === undefined, 'a new entry replaces nothing')
      let next = 0
      for (const [i, { key, record, isNew }] of step.entries()) {
        draft.add({ key, record, before: isNew && i > 0 ? undefined : found[next++] })
      }
    }
    return draft
  }

  /** What stands there now. @throws StorageError when it cannot be read, or is not what was written */
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

/** A checkpoint in the making. */
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

  /** All changes are in it. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** With it. */
  get tallies(): EntryTallies {
    return { state: this.#state, history: this.#history, bytes: this.#bytes }
  }

  /** Of what is not written yet. */
  get pieceBytes(): number {
    return this.#pieceBytes
  }

  takePiece(): EntryChange[] {
    const piece = this.#piece
    this.#piece = []
    this.#pieceBytes = 0
    return piece
  }

  /** Seals the next entries. */
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
