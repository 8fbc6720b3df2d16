import { SortedKeys } from '../machine/sorted-keys.js'
import { assert } from '../paxos/assert.js'
import type { DurableRecord, NodeId } from '../paxos/types.js'
import { FIRST_WRITE, firstRecords, type Identity } from '../storage/data-directory.js'
import { type KeyRange, scan } from '../storage/database.js'
import type { WriteSubject } from '../storage/linked-writer.js'
import { type OpenDirectory, readContents } from '../storage/open-directory.js'
import { DurableView } from './durable-view.js'
import type { EventTrace } from './event-trace.js'
import type { FaultTotals } from './faults.js'
import type { Random } from './random.js'
import type { Scheduler } from './scheduler.js'
import { type Change, type Platter, type PlatterSnapshot, type RecordFormat, SimulatedDatabase } from './simulated-database.js'
import type { Step, WriteOutcome } from './trace-events.js'

export interface DiskSettings {
  readonly nodeId: NodeId
  readonly random: Random
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
  readonly trace: EventTrace
  readonly syncMsMean: number
  /** Told of every write that has reached the disk. */
  readonly onWritten: (records: readonly DurableRecord[]) => void
}

/** The process that uses the disk: dead, it is told nothing any more; paused, later. */
export interface DiskUser {
  readonly isOver: boolean
  readonly whenAwake: (run: () => void) => void
}

interface Write {
  readonly step: Step
  readonly changes: readonly Change[]
  readonly subject: WriteSubject | undefined
  readonly sync: boolean
  /** It would be on the disk by now, if the disk did not stand still. */
  isDue: boolean
  readonly onEnd: () => void
}

/** A slow disk takes so many times as long. */
const SLOW_FACTOR = 60
const READ_MS_MAX = 0.3
/** How often a write that a crash interrupts, or that fails, is on the disk all the same. */
const KEPT_RATE = 0.3

/**
 * A node's disk with its data directory: the records of the database, the identity and the witness. A write takes virtual time, and is
 * on the disk at the end of it; a crash before that loses it as a whole or, drawn, keeps it as a whole, as LevelDB's batches are
 * atomic. What was written without a sync is lost from some write on. The disk outlives the node's crashes.
 */
export class SimulatedDisk {
  readonly #settings: DiskSettings
  readonly #identity: Identity
  readonly #records = new Map<string, Buffer>()
  readonly #keys = new SortedKeys()
  readonly #view = new DurableView()
  #lastWritten = FIRST_WRITE
  #writing: Write | undefined
  /** Written and answered, not synced: in memory only. */
  #unsynced: Write[] = []
  /** What the next write of the storage is about. */
  #nextSubject: WriteSubject | undefined
  #isStalled = false
  #failsNextWrite = false
  #hasFailed = false
  #isCorrupted = false
  isSlow = false
  /** Nothing more is written. */
  isFull = false

  constructor(settings: DiskSettings) {
    this.#settings = settings
    this.#identity = { dataDirId: settings.random.uuid(), nodeId: settings.nodeId }
    for (const [key, record] of firstRecords(this.#identity)) this.#keep({ key: key.toString('latin1'), record })
  }

  get dataDirId(): string {
    return this.#identity.dataDirId
  }

  get isWriting(): boolean {
    return this.#writing !== undefined
  }

  /** What must be on the disk now: for checkers. */
  get contents(): DurableView {
    return this.#view
  }

  get isStalled(): boolean {
    return this.#isStalled
  }

  /** A write begun while the disk stands still ends when it does no more. */
  set isStalled(isStalled: boolean) {
    this.#isStalled = isStalled
    if (!isStalled && this.#writing?.isDue === true) this.#end(this.#writing)
  }

  /** A write has failed since the last crash or start. */
  get hasFailed(): boolean {
    return this.#hasFailed
  }

  get isCorrupted(): boolean {
    return this.#isCorrupted
  }

  /** The next write to end fails, and is on the disk or not. */
  failNextWrite(): void {
    this.#failsNextWrite = true
  }

  /** As good as new, but for what it has lost. */
  heal(): void {
    this.isSlow = false
    this.isFull = false
    this.#failsNextWrite = false
    this.isStalled = false
  }

  /** Flips one bit of a record. */
  corruptRecord(random: Random): void {
    const [key, record] = random.pick([...this.#records])
    const damaged = Buffer.from(record)
    const at = random.int(0, damaged.length - 1)
    damaged[at] = (damaged[at] ?? 0) ^ (1 << random.int(0, 7))
    this.#records.set(key, damaged)
    this.#isCorrupted = true
  }

  /** What a starting process finds. @throws StorageError when the disk does not hold what was written to it */
  async open(user: DiskUser, format: RecordFormat): Promise<OpenDirectory> {
    this.#hasFailed = false
    const path = `node ${this.#identity.nodeId}'s directory`
    const db = new SimulatedDatabase(this.#platterFor(user), format)
    const contents = await readContents({
      path,
      identity: this.#identity,
      lastWritten: this.#lastWritten,
      pages: scan(db, {}),
      skipsHistory: false,
    })
    return {
      path,
      dataDirId: this.#identity.dataDirId,
      replacesDataDirId: '',
      forgetReplaced: () => undefined,
      db,
      contents,
      openWitness: () => ({
        record: (number) => {
          this.#lastWritten = number
        },
        close: () => Promise.resolve(),
      }),
      release: () => undefined,
    }
  }

  /** What the write is about that the storage will begin before anything else happens. */
  expect(subject: WriteSubject): void {
    this.#nextSubject = subject
  }

  /** The process is gone: what was not synced is lost, unless it had just reached the platter. */
  crash(): void {
    const { random, totals } = this.#settings
    const lost = this.#writing === undefined ? this.#unsynced : [...this.#unsynced, this.#writing]
    this.#writing = undefined
    this.#unsynced = []
    this.#nextSubject = undefined
    this.#failsNextWrite = false
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
    return {
      write: (changes, sync) => new Promise((resolve, reject) => this.#begin({ changes, sync, user, resolve, reject })),
      read: (find) =>
        new Promise((resolve) => {
          scheduler.after(random.next() * READ_MS_MAX, () => user.whenAwake(() => resolve(find())))
        }),
      get: (key, snapshot) => (snapshot ?? this.#records).get(key),
      range: (options, snapshot) => (snapshot === undefined ? this.#range(options) : rangeOf(snapshot, options)),
      snapshot: () => new Map(this.#records),
    }
  }

  #begin(asked: {
    changes: readonly Change[]
    sync: boolean
    user: DiskUser
    resolve: () => void
    reject: (error: Error) => void
  }): void {
    if (asked.user.isOver) return
    assert(this.#writing === undefined, 'one write is in flight at a time')
    const { random, scheduler, syncMsMean, totals, trace, nodeId } = this.#settings
    const subject = this.#nextSubject
    const write: Write = {
      step: trace.tell({
        kind: 'writeBegun',
        node: nodeId,
        records: subject?.records ?? [],
        checkpointUpTo: subject?.checkpoint?.appliedUpTo ?? 0,
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

  #end(write: Write): void {
    this.#writing = undefined
    write.onEnd()
  }

  /** The error with which it ends, if it does with one; then it may be on the disk or not. */
  #outcomeOf(write: Write): Error | undefined {
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

  #apply({ changes, subject }: Write): void {
    for (const change of changes) this.#keep(change)
    if (subject === undefined) return
    this.#view.onWritten(subject.records)
    this.#settings.onWritten(subject.records)
    if (subject.checkpoint !== undefined) this.#view.checkpointUpTo = subject.checkpoint.appliedUpTo
  }

  #tellEnded({ step }: Write, outcome: WriteOutcome): void {
    this.#settings.trace.tell({ kind: 'writeEnded', begunStep: step, node: this.#settings.nodeId, outcome })
  }

  #keep({ key, record }: Change): void {
    const isKnown = this.#records.has(key)
    if (record === undefined) {
      this.#records.delete(key)
      if (isKnown) this.#keys.remove(key)
    } else {
      this.#records.set(key, record)
      if (!isKnown) this.#keys.insert(key)
    }
  }

  #range({ gt, gte, lte, lt }: KeyRange): [Buffer, Buffer][] {
    const [above, low, highest, bound] = [gt, gte, lte, lt].map((key) => key?.toString('latin1'))
    const from = this.#keys.position((key) => (low !== undefined && key < low) || (above !== undefined && key <= above))
    const to = this.#keys.position((key) => {
      if (highest !== undefined && key > highest) return false
      return bound === undefined || key < bound
    })
    return Array.from(this.#keys.ascending(from, to), (key) => [Buffer.from(key, 'latin1'), this.#records.get(key) as Buffer])
  }
}

function rangeOf(snapshot: PlatterSnapshot, { gt, gte, lte, lt }: KeyRange): [Buffer, Buffer][] {
  const [above, low, highest, bound] = [gt, gte, lte, lt].map((key) => key?.toString('latin1'))
  const isWithin = (key: string): boolean =>
    (low === undefined || key >= low) &&
    (above === undefined || key > above) &&
    (highest === undefined || key <= highest) &&
    (bound === undefined || key < bound)
  const within = [...snapshot].filter(([key]) => isWithin(key)).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return within.map(([key, record]) => [Buffer.from(key, 'latin1'), record])
}
