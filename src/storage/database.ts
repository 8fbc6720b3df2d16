import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Level } from 'level'
import { descriptorShares } from './descriptors.js'
import { damaged, notWritable, StorageError, systemCodeOf } from './storage-error.js'

export type LevelDatabase = Level<Buffer, Buffer>
type LevelSnapshot = ReturnType<LevelDatabase['snapshot']>

/** What `level` has on Node.js and does not declare. */
interface Compactable {
  compactRange(start: Buffer, end: Buffer): Promise<void>
}

const BUFFERS = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const

/** All that the storage asks of LevelDB. */
export interface Database {
  /** Builds an atomic write. */
  batch(): Batch
  /** `snapshot`: the record as it was then. */
  getSync(key: Buffer, options: { readonly snapshot: DatabaseSnapshot | undefined }): Buffer | undefined
  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]>
  iterator(options: KeyRange & IteratorOptions): EntryIterator
  /** A view of the database as it is now, for as long as it is not closed. */
  snapshot(): DatabaseSnapshot
  /** Gives back the room that removed records of the range take. */
  compactRange(start: Buffer, end: Buffer): Promise<void>
  close(): Promise<void>
}

/** To be handed back to the database that it is of. */
export interface DatabaseSnapshot {
  close(): Promise<void>
}

export interface IteratorOptions {
  /** Of the entries that one step reads ahead. */
  readonly highWaterMarkBytes: number
  readonly fillCache: boolean
  /** False: only keys are wanted. */
  readonly values?: boolean
  readonly snapshot: DatabaseSnapshot | undefined
}

export interface Batch {
  put(key: Buffer, record: Buffer): unknown
  del(key: Buffer): unknown
  /** Resolves when all of it is on disk, if `sync`. */
  write(options: { sync: boolean }): Promise<void>
}

/** Sees the database as it was when the iterator was made, or the snapshot that it was made on. */
export interface EntryIterator {
  /** The next entries, in the order of their keys; none at the end. */
  nextv(countMax: number): Promise<[Buffer, Buffer][]>
  close(): Promise<void>
}

/** LevelDB switches to another log past this; two may hold writes that stand nowhere else. */
export const WRITE_BUFFER_BYTES = 4 * 1_024 * 1_024
/**
 * Of a table. LevelDB 1.20 may bring an old record back: where a snapshot keeps two versions of a key, a compaction may write them to two
 * tables, the next one takes only the table with the newer version a level down, and reads find the older one above it. (Later versions take both,
 * by AddBoundaryInputs; `level` has none of them.) Tables of 2 MiB, its default, made that likely with records of some hundred KiB; the fewer
 * tables, the rarer it is, and what comes back is noticed as damage.
 */
const TABLE_BYTES_MAX = 64 * 1_024 * 1_024
const CACHE_BYTES = 16 * 1_024 * 1_024
/** How much one step of an iterator holds in memory. */
const ITERATOR_BYTES_MAX = 1_024 * 1_024
const ITERATOR_ENTRIES_MAX = 1_000
/** What LevelDB writes into its own journal, and nowhere else, when it leaves records out or meets bad ones. */
const LOSS_REPORT = /dropping \d+ bytes|corruption/i

/** LevelDB, as the storage asks for it. */
export function asDatabase(db: LevelDatabase): Database {
  return {
    batch: () => db.batch(),
    getSync: (key, { snapshot }) =>
      // Without options it is a third faster.
      snapshot === undefined ? db.getSync(key) : db.getSync(key, { ...BUFFERS, snapshot: snapshot as LevelSnapshot }),
    getMany: (keys) => db.getMany(keys),
    iterator: ({ snapshot, ...options }) => {
      return db.iterator(snapshot === undefined ? options : { ...options, snapshot: snapshot as LevelSnapshot })
    },
    snapshot: () => db.snapshot(),
    compactRange: (start, end) => (db as unknown as Compactable).compactRange(start, end),
    close: () => db.close(),
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

export interface KeyRange {
  readonly gt?: Buffer
  readonly gte?: Buffer
  readonly lte?: Buffer
  readonly lt?: Buffer
}

/** The entries of a range in the order of their keys, a page at a time. */
export async function* scan(db: Database, range: KeyRange, snapshot?: DatabaseSnapshot): AsyncGenerator<[Buffer, Buffer][]> {
  const iterator = db.iterator({ ...range, highWaterMarkBytes: ITERATOR_BYTES_MAX, fillCache: false, snapshot })
  try {
    for (;;) {
      const page = await iterator.nextv(ITERATOR_ENTRIES_MAX)
      if (page.length === 0) return
      yield page
    }
  } finally {
    await iterator.close()
  }
}

/** Whether LevelDB says in its journal that it left something out. @throws StorageError DAMAGED */
export async function checkJournal(directory: string, journal: string): Promise<void> {
  if (!existsSync(journal)) return
  const lines = createInterface({ input: createReadStream(journal, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })
  for await (const line of lines) {
    if (LOSS_REPORT.test(line)) throw damaged(directory, `LevelDB lost records of its log (it says: ${line.trim()})`)
  }
}
