import type { StateEntry } from '../machine/state-machine.js'
import { assert } from '../paxos/assert.js'
import type { DurableRecord } from '../paxos/types.js'
import { MemoryDisk, MemoryStorage } from '../storage/memory-storage.js'
import type { CheckpointInfo } from '../storage/storage.js'
import type { FaultTotals } from './faults.js'
import type { Random } from './random.js'
import type { Scheduler } from './scheduler.js'

export interface DiskSettings {
  readonly random: Random
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
  readonly syncMsMean: number
  /** Told of every write that has reached the disk. */
  readonly onWritten: (records: readonly DurableRecord[]) => void
}

/** A slow disk takes so many times as long. */
const SLOW_FACTOR = 60

/**
 * A node's disk. A write takes virtual time, and is on the disk at the end of it; a crash before that loses it as a whole or, drawn,
 * keeps it as a whole: LevelDB's batches are atomic. The disk outlives the node's crashes; each start of the node opens it anew.
 */
export class SimulatedDisk {
  readonly #settings: DiskSettings
  readonly #disk: MemoryDisk
  #storage: MemoryStorage
  /** The write in flight: how it would reach the disk. */
  #writing: (() => void) | undefined
  isSlow = false

  constructor(dataDirId: string, settings: DiskSettings) {
    this.#settings = settings
    this.#disk = new MemoryDisk(dataDirId)
    this.#storage = MemoryStorage.open(this.#disk)
  }

  get isWriting(): boolean {
    return this.#writing !== undefined
  }

  /** What is on the disk now: for checkers. */
  get contents(): Readonly<MemoryDisk> {
    return this.#disk
  }

  /** What a starting node finds. */
  open(): MemoryStorage {
    this.#storage = MemoryStorage.open(this.#disk)
    return this.#storage
  }

  /** Calls `onSynced` when every record is on disk, unless the node crashes first. */
  append(records: readonly DurableRecord[], onSynced: () => void): void {
    const storage = this.#storage
    const write = (): void => {
      storage.appendNow(records)
      this.#settings.onWritten(records)
    }
    this.#write(write, onSynced)
  }

  /** As append, for a checkpoint. */
  saveCheckpoint(info: CheckpointInfo, changes: readonly StateEntry[], onSynced: () => void): void {
    const storage = this.#storage
    this.#write(() => storage.saveCheckpointNow(info, changes), onSynced)
  }

  /** The node is gone: what was not synced is lost, unless it had just reached the platter. */
  crash(): void {
    const writing = this.#writing
    if (writing === undefined) return
    this.#writing = undefined
    if (this.#settings.random.chance(0.3)) writing()
    else this.#settings.totals.count('unsyncedWriteLost')
  }

  #write(write: () => void, onSynced: () => void): void {
    assert(this.#writing === undefined, 'one write is in flight at a time')
    const { random, scheduler, syncMsMean, totals } = this.#settings
    let syncMs = 0.1 + random.exponential(syncMsMean)
    if (this.isSlow) {
      totals.count('slowDisk')
      syncMs *= SLOW_FACTOR
    }
    this.#writing = write
    scheduler.after(syncMs, () => {
      if (this.#writing !== write) return
      this.#writing = undefined
      write()
      onSynced()
    })
  }
}
