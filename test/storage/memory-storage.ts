import { randomUUID } from 'node:crypto'
import { assert } from '../../src/paxos/assert.js'
import type { Announcement, Ballot, DurableRecord, Genesis, LogEntry, RecoveredState, Slot } from '../../src/paxos/types.js'
import { sizeOf } from '../../src/paxos/value.js'
import type { StateEntry } from '../../src/replication/state-machine.js'
import { infoOf } from '../../src/storage/checkpoint/checkpoint-records.js'
import { LogIndex } from '../../src/storage/log/log-index.js'
import { SingleWriter } from '../../src/storage/log/single-writer.js'
import { recover, WriteRules } from '../../src/storage/log/write-rules.js'
import { entryKey, keyspaceOf, nameOfKey } from '../../src/storage/record-keys.js'
import { checksumOf, RecordError, seal, unseal } from '../../src/storage/records.js'
import {
  type ApplyFailure,
  type CheckpointEnd,
  type CheckpointHeader,
  type CheckpointInfo,
  type CheckpointPage,
  type CheckpointView,
  DEFAULT_LOG_WINDOW,
  type IncomingCheckpoint,
  type LogWindow,
  NO_CHECKPOINT,
  type PreparedCheckpoint,
  type Storage,
  type UnfinishedCheckpoint,
} from '../../src/storage/storage.js'

/** Entries of a checkpoint: sealed records by their keys of generation 0, in the form of a string with a character for each byte. */
type Records = ReadonlyMap<string, Buffer>

/** The disk of a simulated node, which survives its crashes. The newest MemoryStorage on it owns it. */
export class MemoryDisk {
  readonly dataDirId: string
  replacesDataDirId = ''
  genesis: Genesis | undefined = undefined
  promised: Ballot = 0
  decidedUpTo: Slot = 0
  compactedUpTo: Slot = 0
  readonly log = new Map<Slot, LogEntry>()
  checkpoint: CheckpointInfo = NO_CHECKPOINT
  /** Replaced as a whole, never changed. */
  entries: Records = new Map()
  marks: ReadonlyMap<string, number> = new Map()
  applyFailure: ApplyFailure | undefined
  unsupportedLevel: Storage['unsupportedLevel']
  announcements: readonly Announcement[] = []
  incoming: { readonly header: CheckpointHeader; readonly records: Records } | undefined
  /** Count of writes. */
  writeCount = 0

  /** `dataDirId`: a simulation draws it from its seed. */
  constructor(dataDirId: string = randomUUID()) {
    this.dataDirId = dataDirId
  }

  recover(): RecoveredState {
    const { genesis, promised, decidedUpTo, compactedUpTo } = this
    const accepted = [...this.log.values()].filter((entry) => entry.slot > decidedUpTo).toSorted((a, b) => a.slot - b.slot)
    return recover({ genesis, promised, decidedUpTo, accepted, compactedUpTo })
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
  readonly #window: LogWindow
  readonly #index: LogIndex
  readonly #held = new Map<symbol, Slot>()
  readonly #writer = new SingleWriter()
  readonly #newMarks = new Map<string, number>()
  #newAnnouncements: readonly Announcement[] | undefined
  #isPreparing = false
  #current: IncomingCheckpoint | undefined

  /** Starts from what the disk holds. */
  static open(disk: MemoryDisk, options: { readonly window?: LogWindow } = {}): MemoryStorage {
    return new MemoryStorage(disk, options.window ?? DEFAULT_LOG_WINDOW)
  }

  private constructor(disk: MemoryDisk, window: LogWindow) {
    this.#disk = disk
    this.#window = window
    this.recovered = disk.recover()
    this.#rules = new WriteRules(this.recovered)
    this.#index = new LogIndex(disk.compactedUpTo)
    for (const entry of disk.log.values()) this.#index.put(entry.slot, 0, sizeOf(entry.value))
    this.#index.decide(disk.decidedUpTo)
  }

  get dataDirId(): string {
    return this.#disk.dataDirId
  }

  get replacesDataDirId(): string {
    return this.#disk.replacesDataDirId
  }

  get checkpoint(): CheckpointInfo {
    return this.#disk.checkpoint
  }

  get lastWrite(): number {
    return this.#disk.writeCount
  }

  get compactedUpTo(): Slot {
    return this.#disk.compactedUpTo
  }

  get marks(): ReadonlyMap<string, number> {
    return this.#disk.marks
  }

  get unfinished(): UnfinishedCheckpoint | undefined {
    const { incoming } = this.#disk
    return incoming && { header: incoming.header, lastKey: lastKeyOf(incoming.records) ?? new Uint8Array() }
  }

  get applyFailure(): ApplyFailure | undefined {
    return this.#disk.applyFailure
  }

  async noteApplyFailure(failure: ApplyFailure): Promise<void> {
    assert(failure.slot <= this.#disk.decidedUpTo, 'a slot that was applied is decided')
    assert(failure.slot === 0 || failure.slot > this.checkpoint.appliedUpTo, 'a failed slot is above the checkpoint')
    await this.#writer.write('append', async () => {
      this.#disk.applyFailure = failure
      this.#wrote(0)
    })
  }

  async resolveApplyFailure(how: 'skip' | 'retry'): Promise<void> {
    const disk = this.#disk
    const failure = disk.applyFailure
    assert(failure !== undefined, 'there is a failure to resolve')
    const entry = disk.log.get(failure.slot)
    await this.#writer.write('append', async () => {
      disk.applyFailure = undefined
      this.#wrote(0)
      if (how === 'retry') return
      assert(entry?.value.kind === 'batch', 'only a slot with commands is skipped')
      disk.log.set(entry.slot, { ...entry, value: { ...entry.value, skipped: true } })
    })
  }

  get unsupportedLevel(): Storage['unsupportedLevel'] {
    return this.#disk.unsupportedLevel
  }

  async noteUnsupportedLevel(unsupported: Storage['unsupportedLevel']): Promise<void> {
    await this.#writer.write('append', async () => {
      this.#disk.unsupportedLevel = unsupported
      this.#wrote(0)
    })
  }

  noteAdmitted(): void {
    this.#disk.replacesDataDirId = ''
  }

  noteMarks(marks: ReadonlyMap<string, number>): void {
    for (const [id, number] of marks) {
      if (number > (this.#newMarks.get(id) ?? this.#disk.marks.get(id) ?? 0)) this.#newMarks.set(id, number)
    }
  }

  get announcements(): readonly Announcement[] {
    return this.#disk.announcements
  }

  noteAnnouncements(announcements: readonly Announcement[]): void {
    this.#newAnnouncements = announcements
  }

  async append(records: readonly DurableRecord[]): Promise<void> {
    if (records.length === 0) return this.#writer.assertUsable()
    await this.#writer.write('append', async () => {
      this.appendNow(records)
      this.#disk.marks = new Map([...this.#disk.marks, ...this.#newMarks])
      this.#disk.announcements = this.#newAnnouncements ?? this.#disk.announcements
    })
  }

  async readLog(fromSlot: Slot, toSlot: Slot, maxBytes: number): Promise<LogEntry[]> {
    this.#writer.assertUsable()
    return this.readLogNow(fromSlot, toSlot, maxBytes)
  }

  async prepareCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<PreparedCheckpoint> {
    this.#writer.assertUsable()
    assert(!this.#isPreparing, 'one checkpoint is prepared or installed at a time')
    this.#isPreparing = true
    // The walk begins in another turn and is done in one, so that whoever counts on it all at once, or on none of it yet, is found out.
    await Promise.resolve()
    const entries = Array.from(changes, ({ key, value, keyspace }): StateEntry => ({ key, value, keyspace }))
    return {
      commit: async () => {
        await this.#writer.write('commit', async () => this.saveCheckpointNow(info, entries))
        this.#isPreparing = false
      },
    }
  }

  async saveCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<void> {
    const prepared = await this.prepareCheckpoint(info, changes)
    await prepared.commit()
  }

  async *loadCheckpoint(): AsyncGenerator<StateEntry[]> {
    this.#writer.assertUsable()
    yield this.loadCheckpointNow()
  }

  readHistory(key: string): Uint8Array | undefined {
    this.#writer.assertUsable()
    const bytes = entryKey('history', 0, key)
    const record = this.#disk.entries.get(bytes.toString('latin1'))
    return record && unseal(bytes, record)
  }

  holdLog(slot: Slot): () => void {
    const name = Symbol('hold')
    this.#held.set(name, slot)
    return () => void this.#held.delete(name)
  }

  async viewCheckpoint(): Promise<CheckpointView | undefined> {
    this.#writer.assertUsable()
    const { checkpoint, genesis, entries } = this.#disk
    if (checkpoint.appliedUpTo === 0 || genesis === undefined) return undefined
    const { appliedUpTo: slot, ...rest } = checkpoint
    const end = endOf(entries)
    const bytes = [...entries].reduce((sum, [key, record]) => sum + key.length + record.length, 0)
    const checkpointId = [slot, checkpoint.stateDigest, ...Object.values(end)].join('-')
    return {
      header: { checkpointId, clusterId: genesis.clusterId, slot, ...rest, genesis, bytes },
      end,
      pages: (afterKey, pageBytes) => pagesOf(entries, afterKey, pageBytes),
      close: () => Promise.resolve(),
    }
  }

  async receiveCheckpoint(header: CheckpointHeader): Promise<IncomingCheckpoint> {
    this.#writer.assertUsable()
    const disk = this.#disk
    if (disk.genesis !== undefined && disk.genesis.clusterId !== header.clusterId) {
      throw new RecordError(`the checkpoint belongs to cluster ${header.clusterId}, not to ${disk.genesis.clusterId}`)
    }
    assert(header.slot > disk.checkpoint.appliedUpTo, 'a checkpoint never goes back')
    if (disk.incoming?.header.checkpointId !== header.checkpointId) disk.incoming = undefined
    const incoming = this.#incoming(header)
    this.#current = incoming
    return incoming
  }

  async close(): Promise<void> {
    await this.#writer.close()
  }

  /** Does the work of `append` synchronously. @throws InvariantError */
  appendNow(records: readonly DurableRecord[]): void {
    const disk = this.#disk
    this.#rules.note(records)
    let addedCount = 0
    for (const record of records) {
      if (record.kind === 'genesis') disk.genesis = record.genesis
      else if (record.kind === 'accepted' || record.kind === 'learned') {
        disk.log.set(record.entry.slot, record.entry)
        this.#index.put(record.entry.slot, 0, sizeOf(record.entry.value))
        addedCount += 1
      }
    }
    this.#index.decide(this.#rules.decidedUpTo)
    this.#wrote(addedCount)
  }

  /** Does the work of `readLog` synchronously. @throws InvariantError */
  readLogNow(fromSlot: Slot, toSlot: Slot, maxBytes: number): LogEntry[] {
    assert(fromSlot >= 1, 'the log begins with slot 1')
    const entries: LogEntry[] = []
    const lastSlot = Math.min(toSlot, this.#rules.decidedUpTo)
    if (fromSlot <= this.#disk.compactedUpTo) return entries
    let bytes = 0
    for (let slot = fromSlot; slot <= lastSlot && (bytes === 0 || bytes < maxBytes); slot++) {
      const entry = this.#disk.log.get(slot)
      assert(entry !== undefined, 'the log holds every decided slot')
      entries.push(entry)
      bytes += sizeOf(entry.value)
    }
    return entries
  }

  /** Does the work of `saveCheckpoint` synchronously. @throws InvariantError */
  saveCheckpointNow(info: CheckpointInfo, changes: Iterable<StateEntry>): void {
    const disk = this.#disk
    this.#rules.checkCheckpoint(disk.checkpoint, info)
    const entries = new Map(disk.entries)
    for (const { key: name, value, keyspace } of changes) {
      const key = entryKey(keyspace, 0, name)
      if (value === undefined) entries.delete(key.toString('latin1'))
      else entries.set(key.toString('latin1'), seal(key, value))
    }
    this.#putCheckpoint(info, entries)
    this.#wrote(0)
  }

  /** Does the work of `loadCheckpoint` synchronously. */
  loadCheckpointNow(): StateEntry[] {
    const found: StateEntry[] = []
    for (const [name, record] of sorted(this.#disk.entries)) {
      const key = Buffer.from(name, 'latin1')
      if (keyspaceOf(key) === 'state') found.push({ key: nameOfKey(key), value: unseal(key, record), keyspace: 'state' })
    }
    return found
  }

  #putCheckpoint(info: CheckpointInfo, entries: Records): void {
    const disk = this.#disk
    disk.entries = entries
    disk.checkpoint = info
    disk.marks = new Map([...disk.marks, ...this.#newMarks])
    this.#newMarks.clear()
    disk.announcements = this.#newAnnouncements ?? disk.announcements
    this.#newAnnouncements = undefined
  }

  /** Ends a write: trims the log as it goes. */
  #wrote(addedCount: number): void {
    const disk = this.#disk
    const upTo = Math.min(disk.checkpoint.appliedUpTo, ...this.#held.values())
    const count = this.#index.trim(this.#window, { upTo, countMax: 2 * addedCount + 64 })
    for (let i = 0; i < count; i++) disk.log.delete(++disk.compactedUpTo)
    disk.promised = this.#rules.promised
    disk.decidedUpTo = this.#rules.decidedUpTo
    disk.writeCount += 1
  }

  #incoming(header: CheckpointHeader): IncomingCheckpoint {
    const disk = this.#disk
    const records = (): Records => disk.incoming?.records ?? new Map()
    const assertCurrent = (incoming: IncomingCheckpoint): void => {
      assert(this.#current === incoming, 'one checkpoint is received at a time')
    }
    const incoming: IncomingCheckpoint = {
      get lastKey() {
        return lastKeyOf(records())
      },
      add: async (page) => {
        assertCurrent(incoming)
        const next = withPage(records(), page)
        await this.#writer.write('background', async () => {
          disk.incoming = { header, records: next }
          disk.writeCount += 1
        })
      },
      install: async (end) => {
        assertCurrent(incoming)
        const found = records()
        this.#current = undefined
        if (JSON.stringify(endOf(found)) !== JSON.stringify(end)) {
          disk.incoming = undefined
          throw new RecordError('the entries of a received checkpoint differ from those that were sent')
        }
        assert(!this.#isPreparing, 'one checkpoint is prepared or installed at a time')
        await this.#writer.write('commit', async () => this.#installNow(header, found))
      },
    }
    return incoming
  }

  #installNow(header: CheckpointHeader, records: Records): void {
    const disk = this.#disk
    this.#rules.noteInstalled(disk.checkpoint, header.slot, header.genesis)
    disk.genesis ??= header.genesis
    for (const slot of this.#index.removeUpTo(header.slot)) disk.log.delete(slot)
    disk.compactedUpTo = header.slot
    disk.incoming = undefined
    this.#putCheckpoint(infoOf(header), records)
    this.#wrote(0)
  }
}

function sorted(records: Records): [string, Buffer][] {
  return [...records].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function lastKeyOf(records: Records): Uint8Array | undefined {
  const last = sorted(records).at(-1)
  return last && Buffer.from(last[0], 'latin1')
}

/** @throws RecordError */
function withPage(before: Records, page: CheckpointPage): Records {
  const records = new Map(before)
  let last = sorted(before).at(-1)?.[0] ?? ''
  if (page.keys.length !== page.records.length || page.keys.length === 0)
    throw new RecordError('a page has a record for each key')
  for (const [i, bytes] of page.keys.entries()) {
    const key = Buffer.from(bytes)
    const name = key.toString('latin1')
    const record = Buffer.from(page.records[i] ?? [])
    if (!/^[hs]/.test(name)) throw new RecordError('a page holds keys that are not checkpoint entries')
    if (name <= last) throw new RecordError('a page is not the next one')
    unseal(key, record)
    records.set(name, record)
    last = name
  }
  return records
}

async function* pagesOf(entries: Records, after: Uint8Array | undefined, pageBytes: number): AsyncGenerator<CheckpointPage> {
  let page: { keys: Buffer[]; records: Buffer[] } = { keys: [], records: [] }
  let bytes = 0
  for (const [name, record] of sorted(entries)) {
    if (after !== undefined && name <= Buffer.from(after).toString('latin1')) continue
    page.keys.push(Buffer.from(name, 'latin1'))
    page.records.push(record)
    bytes += name.length + record.length
    if (bytes < pageBytes) continue
    yield page
    page = { keys: [], records: [] }
    bytes = 0
  }
  if (page.keys.length > 0) yield page
}

function endOf(records: Records): CheckpointEnd {
  const end = { stateCount: 0, stateSum: 0, historyCount: 0, historySum: 0 }
  for (const [name, record] of records) {
    const keyspace = name.startsWith('s') ? 'state' : 'history'
    end[`${keyspace}Count`] += 1
    end[`${keyspace}Sum`] = (end[`${keyspace}Sum`] + checksumOf(record)) % 2 ** 48
  }
  return end
}
