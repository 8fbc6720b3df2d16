import { randomUUID } from 'node:crypto'
import type { StateEntry } from '../../src/machine/state-machine.js'
import { assert } from '../../src/paxos/assert.js'
import type { Ballot, DurableRecord, Genesis, LogEntry, RecoveredState, Slot } from '../../src/paxos/types.js'
import { sizeOf } from '../../src/paxos/value.js'
import { SingleWriter } from '../../src/storage/single-writer.js'
import type { CheckpointInfo, PreparedCheckpoint, Storage } from '../../src/storage/storage.js'
import { recover, WriteRules } from '../../src/storage/write-rules.js'

/** What survives a crash of a simulated node. One MemoryStorage at a time stands on it; the newest one owns it. */
export class MemoryDisk {
  readonly dataDirId: string
  genesis: Genesis | undefined = undefined
  promised: Ballot = 0
  decidedUpTo: Slot = 0
  readonly log = new Map<Slot, LogEntry>()
  checkpoint: CheckpointInfo = {
    appliedUpTo: 0,
    timeMs: 0,
    stateDigest: 0,
    memberships: [],
    boundarySlots: 0,
    boundaryCommands: 0,
  }
  readonly state = new Map<string, Uint8Array>()
  readonly history = new Map<string, Uint8Array>()
  /** How many writes it has seen. */
  writeCount = 0

  /** `dataDirId`: a simulation draws it from its seed. */
  constructor(dataDirId: string = randomUUID()) {
    this.dataDirId = dataDirId
  }

  recover(): RecoveredState {
    const { genesis, promised, decidedUpTo } = this
    const accepted = [...this.log.values()].filter((entry) => entry.slot > decidedUpTo).toSorted((a, b) => a.slot - b.slot)
    return recover({ genesis, promised, decidedUpTo, accepted })
  }
}

/**
 * Storage on a MemoryDisk. A write is on the disk when its `…Now` method returns: a simulation calls it at the moment at which its
 * simulated sync ends, and drops a write by not calling it.
 */
export class MemoryStorage implements Storage {
  readonly recovered: RecoveredState
  readonly #disk: MemoryDisk
  readonly #rules: WriteRules
  readonly #writer = new SingleWriter()

  /** Starts from what the disk holds. */
  static open(disk: MemoryDisk): MemoryStorage {
    return new MemoryStorage(disk)
  }

  private constructor(disk: MemoryDisk) {
    this.#disk = disk
    this.recovered = disk.recover()
    this.#rules = new WriteRules(this.recovered)
  }

  get dataDirId(): string {
    return this.#disk.dataDirId
  }

  get checkpoint(): CheckpointInfo {
    return this.#disk.checkpoint
  }

  async append(records: readonly DurableRecord[]): Promise<void> {
    await this.#writer.write(async () => this.appendNow(records))
  }

  async readLog(fromSlot: Slot, toSlot: Slot, maxBytes: number): Promise<LogEntry[]> {
    this.#writer.assertUsable()
    return this.readLogNow(fromSlot, toSlot, maxBytes)
  }

  async prepareCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<PreparedCheckpoint> {
    this.#writer.assertUsable()
    const entries = [...changes]
    return { commit: () => this.saveCheckpoint(info, entries) }
  }

  async saveCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<void> {
    await this.#writer.write(async () => this.saveCheckpointNow(info, changes))
  }

  async *loadCheckpoint(): AsyncGenerator<StateEntry[]> {
    this.#writer.assertUsable()
    yield this.loadCheckpointNow()
  }

  readHistory(key: string): Uint8Array | undefined {
    return this.#disk.history.get(key)
  }

  async close(): Promise<void> {
    await this.#writer.close()
  }

  /** What `append` does, at once. @throws InvariantError */
  appendNow(records: readonly DurableRecord[]): void {
    const disk = this.#disk
    this.#rules.note(records)
    for (const record of records) {
      if (record.kind === 'genesis') disk.genesis = record.genesis
      else if (record.kind === 'accepted' || record.kind === 'learned') disk.log.set(record.entry.slot, record.entry)
    }
    disk.promised = this.#rules.promised
    disk.decidedUpTo = this.#rules.decidedUpTo
    disk.writeCount += 1
  }

  /** What `readLog` does, at once. @throws InvariantError */
  readLogNow(fromSlot: Slot, toSlot: Slot, maxBytes: number): LogEntry[] {
    assert(fromSlot >= 1, 'the log begins with slot 1')
    const entries: LogEntry[] = []
    const lastSlot = Math.min(toSlot, this.#rules.decidedUpTo)
    let bytes = 0
    for (let slot = fromSlot; slot <= lastSlot && (bytes === 0 || bytes < maxBytes); slot++) {
      const entry = this.#disk.log.get(slot)
      assert(entry !== undefined, 'the log holds every decided slot')
      entries.push(entry)
      bytes += sizeOf(entry.value)
    }
    return entries
  }

  /** What `saveCheckpoint` does, at once. @throws InvariantError */
  saveCheckpointNow(info: CheckpointInfo, changes: Iterable<StateEntry>): void {
    const disk = this.#disk
    this.#rules.checkCheckpoint(disk.checkpoint, info)
    for (const { key, value, keyspace } of changes) {
      const entries = keyspace === 'history' ? disk.history : disk.state
      if (value === undefined) entries.delete(key)
      else entries.set(key, value)
    }
    disk.checkpoint = info
    disk.writeCount += 1
  }

  /** What `loadCheckpoint` does, at once. */
  loadCheckpointNow(): StateEntry[] {
    return Array.from(this.#disk.state, ([key, value]) => ({ key, value, keyspace: 'state' }))
  }
}
