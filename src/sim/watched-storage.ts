import type { StateEntry } from '../machine/state-machine.js'
import type { DurableRecord, LogEntry, RecoveredState, Slot } from '../paxos/types.js'
import type { CheckpointInfo, PreparedCheckpoint, Storage } from '../storage/storage.js'
import type { WriteSubject } from './disk.js'

/** Told of each write before it begins and after it has ended well. */
export interface StorageWatcher {
  onWriting(subject: WriteSubject): void
  onWritten(): void
}

/** A storage, and somebody who watches what is written to it. */
export class WatchedStorage implements Storage {
  readonly #storage: Storage
  readonly #watcher: StorageWatcher

  constructor(storage: Storage, watcher: StorageWatcher) {
    this.#storage = storage
    this.#watcher = watcher
  }

  get dataDirId(): string {
    return this.#storage.dataDirId
  }

  get recovered(): RecoveredState {
    return this.#storage.recovered
  }

  get checkpoint(): CheckpointInfo {
    return this.#storage.checkpoint
  }

  append(records: readonly DurableRecord[]): Promise<void> {
    return this.#watched({ records }, () => this.#storage.append(records))
  }

  readLog(fromSlot: Slot, toSlot: Slot, maxBytes: number): Promise<LogEntry[]> {
    return this.#storage.readLog(fromSlot, toSlot, maxBytes)
  }

  async prepareCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<PreparedCheckpoint> {
    const prepared = await this.#storage.prepareCheckpoint(info, changes)
    return { commit: () => this.#watched({ records: [], checkpoint: info }, () => prepared.commit()) }
  }

  async saveCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<void> {
    const prepared = await this.prepareCheckpoint(info, changes)
    await prepared.commit()
  }

  loadCheckpoint(): AsyncIterable<StateEntry> {
    return this.#storage.loadCheckpoint()
  }

  close(): Promise<void> {
    return this.#storage.close()
  }

  async #watched(subject: WriteSubject, write: () => Promise<void>): Promise<void> {
    this.#watcher.onWriting(subject)
    await write()
    this.#watcher.onWritten()
  }
}
