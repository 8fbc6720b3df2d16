import type { Events } from '../../observer/names.js'
import type { Observer } from '../../observer/observer.js'
import type { DurableRecord, RecoveredState, Slot } from '../../paxos/types.js'
import type { OpenDirectory } from '../directory/open-directory.js'
import { type Database, type KeyBounds, WRITE_BUFFER_BYTES } from '../leveldb/database.js'
import type { DatabaseView } from '../leveldb/database-view.js'
import { chainKey, logKey } from '../record-keys.js'
import { sealLink } from '../records.js'
import type { LogWindow } from '../storage.js'
import { StorageError } from '../storage-error.js'
import type { LogIndex } from './log-index.js'
import { SingleWriter, type WritePriority } from './single-writer.js'
import { SpaceReclaimer } from './space-reclaimer.js'
import type { WriteWitness } from './witness.js'
import { WriteBatch } from './write-batch.js'
import { WriteChain } from './write-chain.js'
import { recover, WriteRules } from './write-rules.js'

/** Bytes of writes that the chain covers at least: twice what LevelDB may have to replay at a start (two logs of one write buffer each). */
const CHAIN_BYTES_MIN = 4 * WRITE_BUFFER_BYTES
/** Approximate size of a link in LevelDB's log. */
const LINK_BYTES = 80
/** A write trims at most TRIM_FACTOR times as many log records as it adds, plus TRIM_COUNT_MIN. */
const TRIM_FACTOR = 2
const TRIM_COUNT_MIN = 64
/**
 * The log after a checkpoint that is being read is kept, up to this many windows' bytes or as many bytes as the checkpoint has. Beyond
 * that the reader is too slow to catch up: the log grows faster than it takes the checkpoint.
 */
const HELD_WINDOWS_MAX = 16

/** Description of a write, for the observer. */
export type WriteDescription = Events['writeBegun']

export interface LinkedWriterOptions {
  readonly window: LogWindow
  readonly reclaimBytes: number
  readonly observer: Observer | undefined
}

const NO_RECORDS: readonly DurableRecord[] = []
/** A write with nothing to report: a part of a checkpoint, or cleaning up. */
export const INTERNAL_WRITE: WriteDescription = Object.freeze({ records: NO_RECORDS })

/**
 * Makes batches durable, one at a time, each with the next link of the chain of writes. Holds everything that a link contains: the
 * newest link describes the rest of the database. Each write also trims the chain and the log.
 */
export class LinkedWriter {
  readonly db: Database
  /** Path of the data directory, for messages. */
  readonly path: string
  /** The core's state as it was found at the start. */
  readonly recovered: RecoveredState
  readonly rules: WriteRules
  readonly log: LogIndex
  /** Checksums of the genesis and checkpoint records, for the next link; 0 when there is no such record. */
  genesisChecksum: number
  checkpointChecksum: number
  /** Last slot that may be trimmed: that of the durable checkpoint. */
  trimUpTo: Slot
  /** Bytes of the durable checkpoint's entries. */
  checkpointBytes: number
  readonly #options: LinkedWriterOptions
  /** Slots of the checkpoints that are being read. Their readers need the log after them. */
  readonly #held = new Map<symbol, Slot>()
  readonly #writer = new SingleWriter()
  readonly #chain: WriteChain
  readonly #witness: WriteWitness
  readonly #reclaimer: SpaceReclaimer
  #lastWrite: number
  /** Durable values; those in `rules` and `log` are ahead while a write is in flight. */
  #decidedUpTo: Slot
  #compactedUpTo: Slot

  /** @throws when the witness cannot be opened */
  constructor(directory: OpenDirectory, options: LinkedWriterOptions) {
    const { contents } = directory
    const { genesis, head, open, checkpoint, log } = contents
    const { promised, decidedUpTo, compactedUpTo } = head
    this.db = directory.db
    this.path = directory.path
    this.recovered = recover({ genesis, promised, decidedUpTo, accepted: open, compactedUpTo })
    this.rules = new WriteRules(this.recovered)
    this.log = log
    this.genesisChecksum = head.genesisChecksum
    this.checkpointChecksum = head.checkpointChecksum
    this.trimUpTo = checkpoint.info.appliedUpTo
    this.checkpointBytes = checkpoint.tallies.bytes
    this.#options = options
    this.#chain = new WriteChain({ firstKept: head.firstKept, sizes: contents.writeSizes, keptBytesMin: CHAIN_BYTES_MIN })
    this.#lastWrite = contents.lastNumber
    this.#decidedUpTo = decidedUpTo
    this.#compactedUpTo = compactedUpTo
    this.#reclaimer = new SpaceReclaimer(directory.db, (error) => this.fail(error))
    this.#witness = directory.openWitness((error) => this.fail(error))
  }

  /** The number of the last durable write. */
  get lastWrite(): number {
    return this.#lastWrite
  }

  get decidedUpTo(): Slot {
    return this.#decidedUpTo
  }

  get compactedUpTo(): Slot {
    return this.#compactedUpTo
  }

  /** Keeps the log above the slot until the returned function is called. */
  hold(slot: Slot): () => void {
    const name = Symbol('hold')
    this.#held.set(name, slot)
    return () => {
      this.#held.delete(name)
    }
  }

  get isUsable(): boolean {
    return this.#writer.isUsable
  }

  get reclaimer(): SpaceReclaimer {
    return this.#reclaimer
  }

  /** @throws StorageError after a failed write or after close */
  assertUsable(): void {
    this.#writer.assertUsable()
  }

  /** Refuses every write from now on. */
  fail(cause: unknown): void {
    this.#writer.fail(cause)
  }

  /**
   * Calls `build` to fill a batch when the write's turn comes, reports `subject`, and makes the batch durable.
   *
   * @throws StorageError, and any error of `build`; no write follows then
   */
  async write(priority: WritePriority, subject: WriteDescription, build: (batch: WriteBatch) => void): Promise<void> {
    await this.#writer.write(priority, () => {
      const batch = new WriteBatch(this.db)
      const { count } = this.log
      build(batch)
      return this.#commit(batch, subject, Math.max(0, this.log.count - count))
    })
  }

  /** Returns the first keys of a range. @throws StorageError after a failed write or after close */
  firstKeys(range: KeyBounds, countMax: number): Promise<Buffer[]> {
    return this.#writer.pause(() => this.db.firstKeys(range, countMax))
  }

  /**
   * Makes a view of the database between two writes and calls `onView` before the next one.
   *
   * @throws StorageError after a failed write or after close, and any error of node:fs, which fails no write
   */
  async view<T>(onView: (view: DatabaseView) => T): Promise<T> {
    const unfinished = await this.db.beginView()
    try {
      return await this.#writer.pause(async () => onView(await unfinished.finish()))
    } catch (error) {
      await unfinished.close()
      throw error
    }
  }

  /** Refuses every write from now on and waits for the work in progress. Returns false when it was closed before. */
  async close(): Promise<boolean> {
    if (!(await this.#writer.close())) return false
    await this.#reclaimer.finish()
    return true
  }

  closeWitness(): Promise<void> {
    return this.#witness.close()
  }

  async #commit(batch: WriteBatch, subject: WriteDescription, addedCount: number): Promise<void> {
    this.#trimLog(batch, addedCount)
    const writeBytes = batch.bytes + LINK_BYTES
    const { trimFrom, trimCount } = this.#chain.extend(writeBytes)
    for (let number = trimFrom; number < trimFrom + trimCount; number++) batch.delete(chainKey(number))
    const number = this.#chain.lastNumber
    const { decidedUpTo } = this.rules
    const { compactedUpTo } = this.log
    const key = chainKey(number)
    const link = {
      firstKept: this.#chain.firstKept,
      writeBytes,
      promised: this.rules.promised,
      decidedUpTo,
      log: { count: this.log.count, sum: this.log.sum },
      genesisChecksum: this.genesisChecksum,
      checkpointChecksum: this.checkpointChecksum,
      compactedUpTo,
    }
    batch.put(key, sealLink(key, link))
    const { observer } = this.#options
    observer?.event('writeBegun', subject)
    observer?.count('bytesWritten', batch.bytes)
    try {
      await batch.write()
      this.#witness.record(number)
    } catch (cause) {
      throw new StorageError('WRITE_FAILED', `write ${number} to ${this.path} failed: the node must stop`, { cause })
    }
    this.#lastWrite = number
    this.#decidedUpTo = decidedUpTo
    this.#compactedUpTo = compactedUpTo
    observer?.event('writeEnded', { number })
    if (this.log.claimTrimmed(this.#options.reclaimBytes)) this.#reclaimTrimmed()
  }

  /** Reclaims from the very first slot and link on, because an earlier run of the node may have trimmed without reclaiming. */
  #reclaimTrimmed(): void {
    this.#reclaimer.reclaim(logKey(0), logKey(this.#compactedUpTo))
    this.#reclaimer.reclaim(chainKey(0), chainKey(this.#chain.firstKept - 1))
  }

  #trimLog(batch: WriteBatch, addedCount: number): void {
    const from = this.log.compactedUpTo + 1
    const heldBytesMax = Math.max(HELD_WINDOWS_MAX * this.#options.window.bytes, this.checkpointBytes)
    const isTooMuchHeld = this.log.decidedBytes > heldBytesMax
    const upTo = isTooMuchHeld ? this.trimUpTo : Math.min(this.trimUpTo, ...this.#held.values())
    const limits = { upTo, countMax: TRIM_FACTOR * addedCount + TRIM_COUNT_MIN }
    const count = this.log.trim(this.#options.window, limits)
    for (let slot = from; slot < from + count; slot++) batch.delete(logKey(slot))
    if (count > 0) this.#options.observer?.count('slotsTrimmed', count)
  }
}
