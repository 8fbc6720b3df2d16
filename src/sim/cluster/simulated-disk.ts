import { assert } from '../../paxos/assert.js'
import type { DurableRecord, NodeId, Slot } from '../../paxos/types.js'
import { FIRST_WRITE, firstRecords, type Identity } from '../../storage/directory/data-directory.js'
import { type OpenDirectory, readContents } from '../../storage/directory/open-directory.js'
import { CHAIN_TAG, logKey, numberOfKey } from '../../storage/record-keys.js'
import type { CheckpointInfo } from '../../storage/storage.js'
import type { FaultTotals } from '../plan/faults.js'
import type { Random } from '../random.js'
import type { EventTrace } from '../trace/event-trace.js'
import type { TraceStep, WriteOutcome } from '../trace/trace-events.js'
import { DurableView } from './durable-view.js'
import { RecordTable } from './record-table.js'
import type { Scheduler } from './scheduler.js'
import { type Platter, type RecordChange, type RecordFormat, SimulatedDatabase } from './simulated-database.js'

export interface DiskSettings {
  readonly nodeId: NodeId
  readonly random: Random
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
  readonly trace: EventTrace
  readonly syncMsMean: number
  /** Called with every write that has reached the disk. */
  readonly onWritten: (records: readonly DurableRecord[]) => void
}

/** The process that uses the disk. A dead process hears nothing any more; a paused one, later. */
export interface DiskUser {
  readonly isOver: boolean
  readonly whenAwake: (run: () => void) => void
}

/** The subject of a write, for the checkers' view of the disk. */
export interface WriteSubject {
  readonly records: readonly DurableRecord[]
  /** The checkpoint that the write is part of. */
  readonly checkpoint?: CheckpointInfo
  /** True if the checkpoint came from a peer. */
  readonly isInstall?: boolean
}

interface DiskWrite {
  readonly step: TraceStep
  readonly changes: readonly RecordChange[]
  readonly subject: WriteSubject | undefined
  readonly sync: boolean
  /** True if only the stalled disk keeps the write from completing. */
  isDue: boolean
  readonly onEnd: () => void
}

/** A copy of a data directory. */
export interface DirectoryCopy {
  readonly dataDirId: string
  /** The last write by the witness. */
  readonly lastWritten: number
  /** The last write in the database: one more than the witness has, if a crash came between the two. */
  readonly lastWrite: number
  readonly records: ReadonlyMap<string, Buffer>
  readonly view: DurableView
}

/** Factor of the duration of writes on a slow disk. */
const SLOW_FACTOR = 60
const READ_MS_MAX = 0.3
/** Share of interrupted or failed writes that are on the disk nevertheless. */
const KEPT_RATE = 0.3

/**
 * A node's disk with its data directory: the records of the database, the identity and the witness. A write takes virtual time,
 * and is on the disk at the end of it. A crash before that loses the write as a whole or, by chance, keeps it as a whole, as
 * LevelDB's batches are atomic. Of the writes without a sync, a crash loses all from some point on. The disk outlives the node's
 * crashes.
 */
export class SimulatedDisk {
  readonly #settings: DiskSettings
  #identity: Identity
  /** The damaged directory that this one replaces. */
  #replacesDataDirId = ''
  #records = new RecordTable()
  #view = new DurableView()
  #lastWritten = FIRST_WRITE
  #writing: DiskWrite | undefined
  /** Writes that are reported as done, but not synced: in memory only. */
  #unsynced: DiskWrite[] = []
  /** The subject of the storage's next write. */
  #nextSubject: WriteSubject | undefined
  #isStalled = false
  #failsNextWrite = false
  #hasFailed = false
  /** The record that was damaged, as it was written. */
  #damaged: { readonly key: string; readonly record: Buffer } | undefined
  #wasCorrupted = false
  #isOlderCopy = false
  isSlow = false
  /** True if no further write succeeds. */
  isFull = false

  constructor(settings: DiskSettings) {
    this.#settings = settings
    this.#identity = { dataDirId: settings.random.uuid(), nodeId: settings.nodeId }
    this.#fill()
  }

  get dataDirId(): string {
    return this.#identity.dataDirId
  }

  get isWriting(): boolean {
    return this.#writing !== undefined
  }

  /** The records that must be on the disk now, for checkers. */
  get contents(): DurableView {
    return this.#view
  }

  /** A slot whose vote is missing on the disk, though it must be there as the slot is open. */
  get missingVote(): Slot | undefined {
    const { log, decidedUpTo } = this.#view
    const isMissing = (slot: Slot): boolean => this.#records.get(logKey(slot).toString('latin1')) === undefined
    return [...log.keys()].find((slot) => slot > decidedUpTo && isMissing(slot))
  }

  get isStalled(): boolean {
    return this.#isStalled
  }

  /** A write that began on a stalled disk ends when the disk recovers. */
  set isStalled(isStalled: boolean) {
    this.#isStalled = isStalled
    if (!isStalled && this.#writing?.isDue === true) this.#end(this.#writing)
  }

  /** True if a write has failed since the last crash or start. */
  get hasFailed(): boolean {
    return this.#hasFailed
  }

  /** True if a record was damaged at some time since its user started. */
  get wasCorrupted(): boolean {
    return this.#wasCorrupted
  }

  /** True if a record on the disk is damaged. */
  get isCorrupted(): boolean {
    return this.#damaged !== undefined && this.#records.get(this.#damaged.key) === this.#damaged.record
  }

  /** True if the disk was put back to an earlier state, and lacks what was written since. */
  get isOlderCopy(): boolean {
    return this.#isOlderCopy
  }

  /** Returns a copy of everything on the disk, for putBack. */
  copy(): DirectoryCopy {
    const { dataDirId } = this
    const records = new Map(this.#records.entries())
    return { dataDirId, lastWritten: this.#lastWritten, lastWrite: this.#lastWrite, records, view: this.#view.copy() }
  }

  /** Puts the disk back to an earlier copy. Only while no process uses it. */
  putBack({ lastWritten, lastWrite, records, view }: DirectoryCopy): void {
    if (lastWrite < this.#lastWrite) this.#isOlderCopy = true
    this.#records = new RecordTable()
    for (const [key, record] of records) this.#records.set(key, record)
    this.#lastWritten = lastWritten
    this.#view = view.copy()
    this.#damaged = undefined
  }

  get #lastWrite(): number {
    const keys = [...this.#records.entries()].map(([key]) => Buffer.from(key, 'latin1'))
    return Math.max(...keys.filter(([tag]) => tag === CHAIN_TAG).map((key) => numberOfKey(key) ?? 0))
  }

  /** True if the next write to end will fail. */
  get isFailing(): boolean {
    return this.#failsNextWrite
  }

  /** Makes the next write to end fail; its data may be on the disk or not. */
  failNextWrite(): void {
    this.#failsNextWrite = true
  }

  /** Ends all faults of the disk; lost data stays lost. */
  heal(): void {
    this.isSlow = false
    this.isFull = false
    this.#failsNextWrite = false
    this.isStalled = false
  }

  /** Flips one bit of a record. */
  corruptRecord(random: Random): void {
    const [key, record] = random.pick([...this.#records.entries()])
    const damaged = Buffer.from(record)
    const at = random.int(0, damaged.length - 1)
    damaged[at] = (damaged[at] ?? 0) ^ (1 << random.int(0, 7))
    this.#records.damage(key, damaged)
    this.#damaged = { key, record: damaged }
    this.#wasCorrupted = true
  }

  /** Sets the damaged directory aside, and makes a new one in its place. Only while no process uses it. */
  setAside(): void {
    this.#replacesDataDirId ||= this.dataDirId
    this.#identity = { dataDirId: this.#settings.random.uuid(), nodeId: this.#identity.nodeId }
    this.#records = new RecordTable()
    this.#view = new DurableView()
    this.#lastWritten = FIRST_WRITE
    this.#damaged = undefined
    this.#isOlderCopy = false
    this.#fill()
  }

  #fill(): void {
    for (const [key, record] of firstRecords(this.#identity)) this.#records.set(key.toString('latin1'), record)
  }

  /** Opens the directory for a starting process. @throws StorageError if the disk does not hold what was written to it */
  async open(user: DiskUser, format: RecordFormat): Promise<OpenDirectory> {
    this.#hasFailed = false
    this.#wasCorrupted = this.isCorrupted
    const path = `node ${this.#identity.nodeId}'s directory`
    const db = new SimulatedDatabase(this.#platterFor(user), format)
    const contents = await readContents({
      path,
      identity: this.#identity,
      lastWritten: this.#lastWritten,
      pages: db.everything(),
      skipsHistory: false,
    })
    return {
      path,
      dataDirId: this.#identity.dataDirId,
      replacesDataDirId: this.#replacesDataDirId,
      forgetReplaced: () => {
        this.#replacesDataDirId = ''
      },
      db,
      contents,
      openWitness: () => ({
        record: (number) => {
          this.#lastWritten = number
        },
        close: () => Promise.resolve(),
      }),
      release: () => Promise.resolve(),
    }
  }

  /** Sets the subject of the write that the storage will begin before anything else happens. */
  expect(subject: WriteSubject): void {
    this.#nextSubject = subject
  }

  /** The process is gone: writes without a sync are lost, except those that had just reached the disk. */
  crash(): void {
    const { random, totals } = this.#settings
    const lost = this.#writing === undefined ? this.#unsynced : [...this.#unsynced, this.#writing]
    this.#writing = undefined
    this.#unsynced = []
    this.#nextSubject = undefined
    this.#failsNextWrite = false
    this.#records.releaseAll()
    // LevelDB's log is read up to its first hole.
    const kept = lost.findIndex(() => !random.chance(KEPT_RATE))
    for (const [i, write] of lost.entries()) {
      const isKept = kept === -1 || i < kept
      this.#tellEnded(write, isKept ? 'kept' : 'lost')
      if (isKept) this.#apply(write)
    }
    if (kept !== -1) totals.count('unsyncedWriteLost', lost.length - kept)
  }

  #platterFor(user: DiskUser): Platter {
    const { random, scheduler } = this.#settings
    const isWriting = (): boolean => this.isWriting
    return {
      get isWriting() {
        return isWriting()
      },
      write: (changes, sync) => new Promise((resolve, reject) => this.#begin({ changes, sync, user, resolve, reject })),
      read: (find) =>
        new Promise((resolve) => {
          scheduler.after(random.next() * READ_MS_MAX, () => user.whenAwake(() => resolve(find())))
        }),
      get: (key) => this.#records.get(key),
      range: (options) => this.#records.range(options),
      freeze: () => this.#records.freeze(),
    }
  }

  #begin(asked: {
    changes: readonly RecordChange[]
    sync: boolean
    user: DiskUser
    resolve: () => void
    reject: (error: Error) => void
  }): void {
    if (asked.user.isOver) return
    assert(this.#writing === undefined, 'one write is in flight at a time')
    const { random, scheduler, syncMsMean, totals, trace, nodeId } = this.#settings
    const subject = this.#nextSubject
    const write: DiskWrite = {
      step: trace.tell({
        kind: 'writeBegun',
        node: nodeId,
        records: subject?.records ?? [],
        checkpointUpTo: subject?.checkpoint?.appliedUpTo ?? 0,
        isInstall: subject?.isInstall ?? false,
        changeCount: asked.changes.length,
        isSynced: asked.sync,
      }),
      changes: asked.changes,
      subject,
      sync: asked.sync,
      isDue: false,
      onEnd: () => {
        const error = this.#outcomeOf(write)
        asked.user.whenAwake(() => (error === undefined ? asked.resolve() : asked.reject(error)))
      },
    }
    this.#nextSubject = undefined
    this.#writing = write
    let writeMs = asked.sync ? 0.1 + random.exponential(syncMsMean) : 0.05
    if (this.isSlow) {
      totals.count('slowDisk')
      writeMs *= SLOW_FACTOR
    }
    scheduler.after(writeMs, () => {
      if (this.#writing !== write) return
      write.isDue = true
      if (!this.#isStalled) this.#end(write)
    })
  }

  #end(write: DiskWrite): void {
    this.#writing = undefined
    write.onEnd()
  }

  /** Returns the error with which the write ends, if any; its data may be on the disk or not. */
  #outcomeOf(write: DiskWrite): Error | undefined {
    const { random } = this.#settings
    const isFailing = this.isFull || this.#failsNextWrite
    this.#tellEnded(write, isFailing ? 'failed' : write.sync ? 'synced' : 'buffered')
    if (isFailing) this.#hasFailed = true
    if (this.isFull) return new Error('no space left on the simulated device')
    if (this.#failsNextWrite) {
      this.#failsNextWrite = false
      if (random.chance(KEPT_RATE)) this.#apply(write)
      return new Error('input/output error of the simulated device')
    }
    if (!write.sync) {
      this.#unsynced.push(write)
      return undefined
    }
    for (const earlier of this.#unsynced.splice(0)) this.#apply(earlier)
    this.#apply(write)
    return undefined
  }

  #apply({ changes, subject }: DiskWrite): void {
    for (const { key, record } of changes) this.#records.set(key, record)
    if (subject === undefined) return
    this.#view.onWritten(subject.records)
    this.#settings.onWritten(subject.records)
    if (subject.checkpoint === undefined) return
    const { appliedUpTo } = subject.checkpoint
    this.#view.checkpointUpTo = appliedUpTo
    if (subject.isInstall === true) this.#view.onInstalled(appliedUpTo)
  }

  #tellEnded({ step }: DiskWrite, outcome: WriteOutcome): void {
    this.#settings.trace.tell({ kind: 'writeEnded', begunStep: step, node: this.#settings.nodeId, outcome })
  }
}
