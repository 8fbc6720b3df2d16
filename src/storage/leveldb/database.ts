import { createReadStream, existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import { Level } from 'level'
import { assert } from '../../paxos/assert.js'
import { descriptorShares } from '../directory/descriptors.js'
import { damaged, notWritable, StorageError, systemCodeOf } from '../storage-error.js'
import { DatabaseCopy } from './database-copy.js'
import type { DatabasePaths, DatabaseView } from './database-view.js'

export type LevelDatabase = Level<Buffer, Buffer>
type LevelBatch = ReturnType<LevelDatabase['batch']>

/** A method that `level` has on Node.js and does not declare. */
interface Compactable {
  compactRange(start: Buffer, end: Buffer): Promise<void>
}

/**
 * The operations of LevelDB that the storage uses. None of them reads by a snapshot while a write is in progress, because LevelDB 1.20
 * can bring an old record back after that. While a snapshot keeps two versions of a key, a compaction may write them to two tables; the
 * next compaction may move only the table with the newer version a level down; reads then find the older version above it. (Later
 * versions move both, by AddBoundaryInputs; `level` contains an older one.) Two versions are kept only when a snapshot is taken before
 * a write and released after it, and `level` takes a snapshot for each iterator, each getMany and each asynchronous get. So firstKeys
 * is the only read here that takes a snapshot, and it must never overlap a write.
 */
export interface Database {
  /** Returns an empty batch. */
  batch(): Batch
  /** Writes a batch atomically; with `sync`, resolves when all of it is on disk. */
  write(batch: Batch, options: { readonly sync: boolean }): Promise<void>
  getSync(key: Buffer): Buffer | undefined
  /** Returns the records of many keys, each as it is at some time before the promise resolves. The event loop takes turns meanwhile. */
  getEach(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]>
  /** Returns the first keys of a range. No write may be in progress until it resolves. */
  firstKeys(range: KeyBounds, countMax: number): Promise<Buffer[]>
  /** Begins a view. */
  beginView(): Promise<UnfinishedView>
  /** Frees the disk space of the removed records in the range. */
  compactRange(start: Buffer, end: Buffer): Promise<void>
  /** Closes the database; its views must not be used any more. */
  close(): Promise<void>
}

/** A view that the caller must finish or close. */
export interface UnfinishedView {
  /** Returns a view of the database as it is now; later writes do not change it. No write may be in progress until it resolves. */
  finish(): Promise<DatabaseView>
  close(): Promise<void>
}

/** A batch of operations; it must be written to the database that made it. */
export interface Batch {
  put(key: Buffer, record: Buffer): unknown
  del(key: Buffer): unknown
}

/** Size at which LevelDB begins another log. Up to two logs hold writes that are in no table yet. */
export const WRITE_BUFFER_BYTES = 4 * 1_024 * 1_024
/**
 * Most bytes of a table: LevelDB's own default. Bigger tables do not make checkpoints faster, and LevelDB writes more (a fifth more with
 * 8 MiB, two fifths more with 64 MiB). A start and a view decode a whole table in one turn.
 */
const TABLE_BYTES_MAX = 2 * 1_024 * 1_024
const CACHE_BYTES = 16 * 1_024 * 1_024
/** Bytes that firstKeys reads at once. */
const READ_AHEAD_BYTES = 64 * 1_024
/** Records that getEach reads in a turn. Each takes about 4 µs, or a read of the disk. */
const TURN_RECORDS = 16
/** The message in LevelDB's own journal when it drops records or finds damaged ones. It reports this nowhere else. */
const LOSS_REPORT = /dropping \d+ bytes|corruption/i

/** The open LevelDB database. */
export class OpenDatabase implements Database {
  readonly #db: LevelDatabase
  readonly #paths: DatabasePaths
  /** The operation in progress, of those that must not overlap. */
  #inProgress: 'nothing' | 'write' | 'read' = 'nothing'

  constructor(db: LevelDatabase, paths: DatabasePaths) {
    this.#db = db
    this.#paths = paths
  }

  batch(): Batch {
    return this.#db.batch()
  }

  write(batch: Batch, options: { readonly sync: boolean }): Promise<void> {
    return this.#exclusively('write', () => (batch as LevelBatch).write(options))
  }

  getSync(key: Buffer): Buffer | undefined {
    return this.#db.getSync(key)
  }

  async getEach(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    const records: (Buffer | undefined)[] = []
    for (const [i, key] of keys.entries()) {
      if (i > 0 && i % TURN_RECORDS === 0) await setImmediate()
      records.push(this.#db.getSync(key))
    }
    return records
  }

  firstKeys(range: KeyBounds, countMax: number): Promise<Buffer[]> {
    return this.#exclusively('read', async () => {
      const options = { highWaterMarkBytes: READ_AHEAD_BYTES, fillCache: false, values: false }
      const iterator = this.#db.iterator({ ...range, ...options })
      try {
        return (await iterator.nextv(countMax)).map(([key]) => key)
      } finally {
        await iterator.close()
      }
    })
  }

  async beginView(): Promise<UnfinishedView> {
    const { directory, database, views } = this.#paths
    const copy = await DatabaseCopy.begin({ directory, database, views })
    return {
      finish: async () => {
        await this.#exclusively('read', () => copy.finish())
        return copy
      },
      close: () => copy.close(),
    }
  }

  compactRange(start: Buffer, end: Buffer): Promise<void> {
    return (this.#db as unknown as Compactable).compactRange(start, end)
  }

  async close(): Promise<void> {
    await this.#db.close()
    await rm(this.#paths.views, { recursive: true, force: true })
  }

  async #exclusively<T>(kind: 'write' | 'read', run: () => Promise<T>): Promise<T> {
    assert(this.#inProgress === 'nothing', 'a read by a snapshot never overlaps a write')
    this.#inProgress = kind
    try {
      return await run()
    } finally {
      this.#inProgress = 'nothing'
    }
  }
}

/** Opens LevelDB's folder `path`. Only mode 'create' makes a new database. @throws errors of LevelDB */
export async function openDatabase(path: string, mode: 'create' | 'existing'): Promise<LevelDatabase> {
  const db: LevelDatabase = new Level<Buffer, Buffer>(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: mode === 'create',
    errorIfExists: mode === 'create',
    writeBufferSize: WRITE_BUFFER_BYTES,
    cacheSize: CACHE_BYTES,
    maxFileSize: TABLE_BYTES_MAX,
    maxOpenFiles: descriptorShares().tableFiles,
    // leveldb-table.ts also reads the table files and knows no compression.
    compression: false,
  })
  await db.open()
  return db
}

/**
 * Opens the database of a directory with an identity. The caller must have checked its files (read-database.ts).
 *
 * When LevelDB opens, it replays its logs into table files and deletes the logs. It drops records that it cannot read and reports this
 * only in its journal, `LOG`. Files that are checked and refused before that stay as they are, so that the next start refuses them
 * again. The journal is read here, in case LevelDB finds damage that we did not find.
 *
 * @throws StorageError DAMAGED, LOCKED or NOT_WRITABLE
 */
export async function openExistingDatabase(directory: string, path: string): Promise<LevelDatabase> {
  let db: LevelDatabase
  try {
    db = await openDatabase(path, 'existing')
  } catch (error) {
    throw readFailure(directory, error)
  }
  try {
    await checkJournal(directory, join(path, 'LOG'))
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}

/** Turns an error of LevelDB into a StorageError of the directory. */
export function readFailure(directory: string, error: unknown): StorageError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const reason = cause instanceof Error ? cause.message : String(cause)
  if (systemCodeOf(cause) === 'LEVEL_LOCKED') {
    return new StorageError(
      'LOCKED',
      `data directory ${directory} is in use by another process. Stop that node first, or name another directory.`,
      { cause },
    )
  }
  if (/permission denied|too many open files|no space left|read-only/i.test(reason)) return notWritable(directory, cause)
  return damaged(directory, `its database cannot be read (${reason})`, { cause })
}

export interface KeyBounds {
  readonly gte: Buffer
  readonly lt: Buffer
}

/** Checks that LevelDB's journal does not report dropped records. @throws StorageError DAMAGED when it does */
export async function checkJournal(directory: string, journal: string): Promise<void> {
  if (!existsSync(journal)) return
  const lines = createInterface({ input: createReadStream(journal, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })
  for await (const line of lines) {
    if (LOSS_REPORT.test(line)) throw damaged(directory, `LevelDB lost records of its log (it reports: ${line.trim()})`)
  }
}
