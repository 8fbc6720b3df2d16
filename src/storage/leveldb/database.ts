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

export type LevelDatabase = Level<Buffer, Buffer>
type LevelBatch = ReturnType<LevelDatabase['batch']>

/** What `level` has on Node.js and does not declare. */
interface Compactable {
  compactRange(start: Buffer, end: Buffer): Promise<void>
}

/**
 * All that the storage asks of LevelDB. No snapshot, for LevelDB 1.20 may bring an old record back after one: where a snapshot keeps two
 * versions of a key, a compaction may write them to two tables, the next one takes only the table with the newer version a level down,
 * and reads find the older one above it. (Later versions take both, by AddBoundaryInputs; `level` has none of them.) Two versions are kept
 * only where a snapshot was taken before a write and let go of after it; and `level` takes one for each iterator, each getMany and each
 * asynchronous get. So there is no way to read here that does, but firstKeys, which no write may meet.
 */
export interface Database {
  /** Builds an atomic write. */
  batch(): Batch
  /** Resolves when all of it is on disk, if `sync`. */
  write(batch: Batch, options: { readonly sync: boolean }): Promise<void>
  getSync(key: Buffer): Buffer | undefined
  /** The records of many keys, each as it is at some time before the promise resolves. Others have their turn meanwhile. */
  getEach(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]>
  /** The first keys of a range. No write may be under way until it resolves. */
  firstKeys(range: KeyBounds, countMax: number): Promise<Buffer[]>
  /** Prepares a view. */
  beginView(): Promise<UnfinishedView>
  /** Gives back the room that removed records of the range take. */
  compactRange(start: Buffer, end: Buffer): Promise<void>
  /** Views end, too. */
  close(): Promise<void>
}

/** To be finished or closed. */
export interface UnfinishedView {
  /** The database as it is now, whatever is written later. No write may be under way until it resolves. */
  finish(): Promise<DatabaseView>
  close(): Promise<void>
}

export interface DatabaseView {
  /** In the order of their keys; views of bigger buffers: copy what is kept. @throws StorageError DAMAGED, and what node:fs throws */
  pages(range: ViewRange): AsyncIterable<[Buffer, Buffer][]>
  close(): Promise<void>
}

export interface ViewRange {
  /** The first bytes of the keys that are wanted. */
  readonly tags: readonly number[]
  /** Of the entries before it with the same first byte some may be left out: whoever does not want them is spared reading them. */
  readonly from: Buffer | undefined
}

/** To be handed back to the database that it is of. */
export interface Batch {
  put(key: Buffer, record: Buffer): unknown
  del(key: Buffer): unknown
}

/** LevelDB switches to another log past this; two may hold writes that stand nowhere else. */
export const WRITE_BUFFER_BYTES = 4 * 1_024 * 1_024
/**
 * Of a table: LevelDB's own default. Bigger ones make checkpoints no faster, and LevelDB writes more (a fifth with 8 MiB, two fifths with 64);
 * and a start, or a view, takes a table apart at once.
 */
const TABLE_BYTES_MAX = 2 * 1_024 * 1_024
const CACHE_BYTES = 16 * 1_024 * 1_024
/** What firstKeys reads at once. */
const READ_AHEAD_BYTES = 64 * 1_024
/** So many records are read in a turn: some 4 µs each, or a read of the disk. */
const TURN_RECORDS = 16
/** What LevelDB writes into its own journal, and nowhere else, when it leaves records out or meets bad ones. */
const LOSS_REPORT = /dropping \d+ bytes|corruption/i

/** Where a database is. */
export interface DatabasePaths {
  /** The data directory, for messages. */
  readonly directory: string
  /** LevelDB's own folder. */
  readonly database: string
  /** For the files of views: a folder on the same file system. */
  readonly views: string
}

/** LevelDB, as the storage asks for it. */
export class OpenDatabase implements Database {
  readonly #db: LevelDatabase
  readonly #paths: DatabasePaths
  /** Of writes, and of what no write may meet. */
  #underWay: 'nothing' | 'write' | 'read' = 'nothing'

  constructor(db: LevelDatabase, paths: DatabasePaths) {
    this.#db = db
    this.#paths = paths
  }

  batch(): Batch {
    return this.#db.batch()
  }

  write(batch: Batch, options: { readonly sync: boolean }): Promise<void> {
    return this.#alone('write', () => (batch as LevelBatch).write(options))
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
    return this.#alone('read', async () => {
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
        await this.#alone('read', () => copy.finish())
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

  async #alone<T>(what: 'write' | 'read', run: () => Promise<T>): Promise<T> {
    assert(this.#underWay === 'nothing', 'nothing is read by a snapshot while a write is under way')
    this.#underWay = what
    try {
      return await run()
    } finally {
      this.#underWay = 'nothing'
    }
  }
}

/** `path` is LevelDB's own folder; nothing but `create` ever makes a new database there. @throws whatever LevelDB throws */
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
    // leveldb-table.ts reads the table files, too.
    compression: false,
  })
  await db.open()
  return db
}

/**
 * Opens the database of a directory that has an identity, when its files have been found whole.
 *
 * LevelDB replays its logs into table files as it opens and then deletes them; records that it cannot read it leaves out, and says
 * so only in its journal, `LOG`. So the files are to be checked before LevelDB sees them (read-database.ts): what is refused is left as it
 * was found, for the next start to refuse again. The journal is read here, in case that LevelDB finds what we did not.
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

/** What a LevelDB error means for a directory that ought to be readable. */
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

/** Whether LevelDB says in its journal that it left something out. @throws StorageError DAMAGED */
export async function checkJournal(directory: string, journal: string): Promise<void> {
  if (!existsSync(journal)) return
  const lines = createInterface({ input: createReadStream(journal, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })
  for await (const line of lines) {
    if (LOSS_REPORT.test(line)) throw damaged(directory, `LevelDB lost records of its log (it says: ${line.trim()})`)
  }
}
