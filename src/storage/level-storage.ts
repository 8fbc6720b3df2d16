import type { StateEntry } from '../machine/state-machine.js'
import { assert } from '../paxos/assert.js'
import type { DurableRecord, LogEntry, NodeId, RecoveredState, Slot } from '../paxos/types.js'
import { sizeOf } from '../paxos/value.js'
import { scan, WRITE_BUFFER_BYTES } from './database.js'
import { type OpenDirectory, openDirectory, storageErrorOf } from './open-directory.js'
import {
  CHECKPOINT_KEY,
  chainKey,
  checksumOf,
  GENESIS_KEY,
  logKey,
  nameOfStateKey,
  STATE_TAG,
  seal,
  sealCheckpoint,
  sealGenesis,
  sealLink,
  sealLogEntry,
  stateKey,
  unseal,
  unsealLogEntry,
} from './records.js'
import { SingleWriter } from './single-writer.js'
import type { CheckpointInfo, PreparedCheckpoint, Storage } from './storage.js'
import { notWritable, StorageError } from './storage-error.js'
import { Tally } from './tally.js'
import type { WriteWitness } from './witness.js'
import { WriteBatch } from './write-batch.js'
import { WriteChain } from './write-chain.js'
import { recover, WriteRules } from './write-rules.js'

/** Twice what LevelDB may have to replay at the next start: two logs of about one write buffer each. */
const CHAIN_BYTES_MIN = 4 * WRITE_BUFFER_BYTES
/** About what a link takes in LevelDB's log. */
const LINK_BYTES = 80
/** A checkpoint is prepared in steps of so many entries, or about so many bytes: between two of them others have their turn. */
const STEP_ENTRIES_MAX = 250
const STEP_BYTES_MAX = 256 * 1_024

/**
 * Storage in LevelDB. What LevelDB would lose or change without a word is noticed at open or when it is read: see records.ts,
 * write-chain.ts, witness.ts and verify.ts.
 */
export class LevelStorage implements Storage {
  readonly dataDirId: string
  readonly recovered: RecoveredState
  readonly #directory: OpenDirectory
  readonly #witness: WriteWitness
  readonly #writer = new SingleWriter()
  readonly #rules: WriteRules
  readonly #chain: WriteChain
  /** Of every entry of the log. */
  readonly #log: Tally
  /** The checksums of the log's records above decidedUpTo: those that may still be replaced. */
  readonly #openChecksums: Map<Slot, number>
  /** Of every entry of the checkpoint. */
  readonly #state: Tally
  /** Behind the rules' decidedUpTo while a write is in flight. */
  #durablyDecidedUpTo: Slot
  #checkpoint: CheckpointInfo
  #checkpointChecksum: number
  #genesisChecksum: number

  /**
   * Opens a node's data directory and reads all of it; makes it when it is not there.
   *
   * @throws StorageError LOCKED, NOT_WRITABLE, FOREIGN, UNSUPPORTED_FORMAT or DAMAGED; nothing is left open or locked then
   */
  static async open(options: { readonly directory: string; readonly nodeId: NodeId }): Promise<LevelStorage> {
    const directory = await openDirectory(options)
    try {
      return new LevelStorage(directory)
    } catch (error) {
      await directory.db.close()
      directory.release()
      throw notWritable(directory.path, error)
    }
  }

  /** Stands on a directory that is open. @throws when its witness cannot be opened */
  constructor(directory: OpenDirectory) {
    const { contents } = directory
    const { genesis, head, open } = contents
    this.dataDirId = directory.dataDirId
    this.recovered = recover({ genesis, promised: head.promised, decidedUpTo: head.decidedUpTo, accepted: open })
    this.#directory = directory
    this.#rules = new WriteRules(this.recovered)
    this.#durablyDecidedUpTo = head.decidedUpTo
    this.#chain = new WriteChain({ firstKept: head.firstKept, sizes: contents.writeSizes, keptBytesMin: CHAIN_BYTES_MIN })
    this.#log = contents.log
    this.#openChecksums = contents.openChecksums
    this.#state = contents.state
    const { appliedUpTo, timeMs, stateDigest } = contents.checkpoint ?? { appliedUpTo: 0, timeMs: 0, stateDigest: 0 }
    this.#checkpoint = { appliedUpTo, timeMs, stateDigest }
    this.#checkpointChecksum = head.checkpointChecksum
    this.#genesisChecksum = head.genesisChecksum
    this.#witness = directory.openWitness((error) => this.#writer.fail(error))
  }

  get checkpoint(): CheckpointInfo {
    return this.#checkpoint
  }

  async append(records: readonly DurableRecord[]): Promise<void> {
    if (records.length === 0) return this.#writer.assertUsable()
    await this.#writer.write(() => this.#append(records))
  }

  async readLog(fromSlot: Slot, toSlot: Slot, maxBytes: number): Promise<LogEntry[]> {
    this.#writer.assertUsable()
    assert(fromSlot >= 1, 'the log begins with slot 1')
    const lastSlot = Math.min(toSlot, this.#durablyDecidedUpTo)
    return fromSlot > lastSlot ? [] : this.#readLog(fromSlot, lastSlot, maxBytes)
  }

  async prepareCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<PreparedCheckpoint> {
    this.#writer.assertUsable()
    const draft = await this.#draftCheckpoint(latestOf(changes))
    return { commit: () => this.#writer.write(() => this.#commitCheckpoint(info, draft)) }
  }

  async saveCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<void> {
    const prepared = await this.prepareCheckpoint(info, changes)
    await prepared.commit()
  }

  async *loadCheckpoint(): AsyncGenerator<StateEntry> {
    this.#writer.assertUsable()
    const entries = scan(this.#directory.db, { gte: Buffer.from([STATE_TAG]), lt: Buffer.from([STATE_TAG + 1]) })
    try {
      for await (const page of entries) {
        for (const [key, record] of page) yield { key: nameOfStateKey(key), value: unseal(key, record) }
      }
    } catch (error) {
      throw this.#failedRead(error)
    }
  }

  async close(): Promise<void> {
    if (!(await this.#writer.close())) return
    try {
      await this.#directory.db.close()
      await this.#witness.close()
    } finally {
      this.#directory.release()
    }
  }

  async #append(records: readonly DurableRecord[]): Promise<void> {
    const { decidedUpTo } = this.#rules
    this.#rules.note(records)
    const batch = new WriteBatch(this.#directory.db)
    for (const record of records) {
      switch (record.kind) {
        case 'genesis':
          this.#genesisChecksum = checksumOf(batch.put(GENESIS_KEY, sealGenesis(record.genesis)))
          break
        case 'accepted':
        case 'learned':
          this.#putLogEntry(batch, record.entry)
          break
        case 'promised':
        case 'decidedUpTo':
          // They stand in the chain's link.
          break
      }
    }
    for (let slot = decidedUpTo + 1; slot <= this.#rules.decidedUpTo; slot++) this.#openChecksums.delete(slot)
    await this.#commit(batch)
    this.#durablyDecidedUpTo = this.#rules.decidedUpTo
  }

  #putLogEntry(batch: WriteBatch, entry: LogEntry): void {
    const key = logKey(entry.slot)
    const checksum = checksumOf(batch.put(key, sealLogEntry(key, entry)))
    const replaced = this.#openChecksums.get(entry.slot)
    if (replaced !== undefined) this.#log.remove(replaced)
    this.#log.add(checksum)
    this.#openChecksums.set(entry.slot, checksum)
  }

  /** Makes a batch durable as the next write of the chain. */
  async #commit(batch: WriteBatch): Promise<void> {
    const writeBytes = batch.bytes + LINK_BYTES
    const { trimFrom, trimCount } = this.#chain.extend(writeBytes)
    for (let number = trimFrom; number < trimFrom + trimCount; number++) batch.delete(chainKey(number))
    const number = this.#chain.lastNumber
    const key = chainKey(number)
    const link = {
      firstKept: this.#chain.firstKept,
      writeBytes,
      promised: this.#rules.promised,
      decidedUpTo: this.#rules.decidedUpTo,
      log: { count: this.#log.count, sum: this.#log.sum },
      genesisChecksum: this.#genesisChecksum,
      checkpointChecksum: this.#checkpointChecksum,
    }
    batch.put(key, sealLink(key, link))
    try {
      await batch.write()
      this.#witness.record(number)
    } catch (cause) {
      throw new StorageError('WRITE_FAILED', `write ${number} to ${this.#directory.path} failed: the node must stop`, {
        cause,
      })
    }
  }

  async #readLog(fromSlot: Slot, lastSlot: Slot, maxBytes: number): Promise<LogEntry[]> {
    const entries: LogEntry[] = []
    let bytes = 0
    try {
      for await (const page of scan(this.#directory.db, { gte: logKey(fromSlot), lte: logKey(lastSlot) })) {
        for (const [key, record] of page) {
          const entry = unsealLogEntry(key, record)
          entries.push(entry)
          bytes += sizeOf(entry.value)
          if (bytes >= maxBytes) return entries
        }
      }
    } catch (error) {
      throw this.#failedRead(error)
    }
    return entries
  }

  /** Seals the entries and looks up the checksums that they replace. Appends do not touch checkpoint entries: it stays right. */
  async #draftCheckpoint(changes: readonly StateEntry[]): Promise<CheckpointDraft> {
    const draft: CheckpointDraft = { batch: new WriteBatch(this.#directory.db), added: [], replaced: [] }
    for (let next = 0; next < changes.length; ) {
      const keys: Buffer[] = []
      const { bytes } = draft.batch
      while (next < changes.length && keys.length < STEP_ENTRIES_MAX && draft.batch.bytes - bytes < STEP_BYTES_MAX) {
        const { key: name, value } = changes[next++] as StateEntry
        const key = stateKey(name)
        keys.push(key)
        if (value === undefined) draft.batch.delete(key)
        else draft.added.push(checksumOf(draft.batch.put(key, seal(key, value))))
      }
      const old: readonly (Buffer | undefined)[] = await this.#directory.db.getMany(keys)
      for (const record of old) if (record !== undefined) draft.replaced.push(checksumOf(record))
    }
    return draft
  }

  async #commitCheckpoint(info: CheckpointInfo, { batch, added, replaced }: CheckpointDraft): Promise<void> {
    this.#rules.checkCheckpoint(this.#checkpoint, info)
    for (const checksum of replaced) this.#state.remove(checksum)
    for (const checksum of added) this.#state.add(checksum)
    const { appliedUpTo, timeMs, stateDigest } = info
    const state = { count: this.#state.count, sum: this.#state.sum }
    this.#checkpointChecksum = checksumOf(batch.put(CHECKPOINT_KEY, sealCheckpoint({ appliedUpTo, timeMs, stateDigest, state })))
    await this.#commit(batch)
    this.#checkpoint = { appliedUpTo, timeMs, stateDigest }
  }

  /** What was fine at the start cannot be read any more: no write may follow. */
  #failedRead(error: unknown): unknown {
    this.#writer.assertUsable()
    const failure = storageErrorOf(this.#directory.path, error)
    this.#writer.fail(failure)
    return failure
  }
}

/** A checkpoint that only needs to be written. */
interface CheckpointDraft {
  readonly batch: WriteBatch
  /** Of the entries that it writes. */
  readonly added: number[]
  /** Of the entries on disk that it replaces or removes. */
  readonly replaced: number[]
}

/** Of two changes of one key the later one counts. */
function latestOf(changes: Iterable<StateEntry>): StateEntry[] {
  const latest = new Map<string, StateEntry>()
  for (const entry of changes) latest.set(entry.key, entry)
  return [...latest.values()]
}
