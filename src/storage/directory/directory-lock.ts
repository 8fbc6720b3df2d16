import { mkdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { notWritable, StorageError, systemCodeOf } from '../storage-error.js'
import { processExists } from './process-exists.js'

// The kernel decides which process holds a directory. Its lock ends with the process in every case, and excludes every other process of
// the machine, in any container and by any mount or path. Node.js offers no such lock, but every LevelDB database takes one (fcntl, on
// its file LOCK). The lock of our own database would not be enough: a process loses it when it opens or reads that file once more. So
// each data directory has a folder `lock/` with an empty database, which is open as long as the directory is held. This process opens
// it only once: it checks its own list of held directories first.
//
// The folder also has a file for people, holder.json, that names the last holder. It decides nothing: it may be missing, empty or
// garbled.

/** The folder's name. */
export const LOCK_FOLDER = 'lock'
const HOLDER_FILE = 'holder.json'
/** LevelDB's own lock file. It must never be removed: the holder and all other processes must use the same file. */
const LEVELDB_LOCK = 'LOCK'
/** LevelDB's minimum. */
const WRITE_BUFFER_BYTES = 64 * 1_024

/**
 * The locks that this process holds, or is about to: real paths and inodes of LOCK files. The kernel's lock tells processes apart, not two uses by
 * one.
 */
const held = new Set<string>()

export class DirectoryLock {
  readonly #folder: string
  readonly #db: Level
  readonly #names: readonly string[]

  private constructor(folder: string, db: Level, names: readonly string[]) {
    this.#folder = folder
    this.#db = db
    this.#names = names
  }

  /** Locks an existing directory. @throws StorageError LOCKED or NOT_WRITABLE */
  static async acquire(directory: string): Promise<DirectoryLock> {
    const folder = join(directory, LOCK_FOLDER)
    try {
      makeFolder(folder)
      const name = realpathSync(folder)
      if (held.has(name) || held.has(inodeOf(folder))) throw locked(directory)
      held.add(name)
      try {
        const db = await openLock(folder)
        const inode = inodeOf(folder)
        held.add(inode)
        writeHolder(folder)
        return new DirectoryLock(folder, db, [name, inode])
      } catch (error) {
        held.delete(name)
        throw error
      }
    } catch (error) {
      if (error instanceof StorageError) throw error
      if (systemCodeOf(error) === 'LEVEL_LOCKED') throw locked(directory, error)
      throw notWritable(directory, error)
    }
  }

  /** Unlocks the directory. */
  async release(): Promise<void> {
    rmSync(join(this.#folder, HOLDER_FILE), { force: true })
    await this.#db.close()
    for (const name of this.#names) held.delete(name)
  }
}

/** The process that holds a directory, or that ended without releasing it. */
export interface LockHolder {
  readonly pid: number
  readonly hostname: string
  /** True when it holds the directory now. */
  readonly isAlive: boolean
}

/**
 * Returns the process that holds a directory, or that was killed while it held it; undefined when there is none. Changes nothing and
 * takes no lock: it reads the kernel's list of locks where there is one (Linux), and otherwise checks that the process exists.
 */
export function lockHolder(directory: string): LockHolder | undefined {
  const holder = readHolder(directory)
  if (holder === undefined) return undefined
  return { ...holder, isAlive: isListed(join(directory, LOCK_FOLDER), holder.pid) ?? processExists(holder.pid) }
}

/**
 * Returns whether the kernel lists a lock on the folder's LOCK file; undefined where there is no such list. Some file systems give it another
 * device number.
 */
function isListed(folder: string, pid: number): boolean | undefined {
  const stat = statSync(join(folder, LEVELDB_LOCK), { throwIfNoEntry: false })
  if (stat === undefined) return false
  let list: string
  try {
    list = readFileSync('/proc/locks', 'utf8')
  } catch {
    return undefined
  }
  const locks = list.split('\n').map((line) => /(-?\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line))
  return locks.some((lock) => lock?.[2] === String(stat.ino) && Number(lock[1]) === pid)
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error
    // A file of that name is of an older version, or was put there by hand.
    if (!statSync(folder).isDirectory()) rmSync(folder)
    else return
    mkdirSync(folder, { mode: 0o700 })
  }
}

/**
 * Opens the empty database. Its files other than LOCK do not matter: when a power cut has damaged them, they are made anew. When another
 * process has made them anew and taken the lock meanwhile, this process is refused.
 */
async function openLock(folder: string): Promise<Level> {
  try {
    return await open(folder)
  } catch (error) {
    if (systemCodeOf(error) === 'LEVEL_LOCKED' || !isDamage(error)) throw error
    rmSync(join(folder, 'CURRENT'), { force: true })
    return open(folder)
  }
}

async function open(folder: string): Promise<Level> {
  const db = new Level(folder, { writeBufferSize: WRITE_BUFFER_BYTES, cacheSize: 0 })
  try {
    await db.open()
    return db
  } catch (error) {
    // The cause has the reason; the error itself only states that the database is not open.
    throw error instanceof Error && error.cause instanceof Error ? error.cause : error
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof Error && !/permission denied|too many open files|no space left|read-only/i.test(error.message)
}

/** Returns device and inode of LOCK; empty while there is none. Calling stat keeps the lock; reading the file would lose it. */
function inodeOf(folder: string): string {
  const stat = statSync(join(folder, LEVELDB_LOCK), { throwIfNoEntry: false, bigint: true })
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`
}

/** Writes holder.json. It is only for people, so a failure is ignored. */
function writeHolder(folder: string): void {
  try {
    writeFileSync(join(folder, HOLDER_FILE), `${JSON.stringify({ pid: process.pid, hostname: hostname() })}\n`, { mode: 0o600 })
  } catch {}
}

function readHolder(directory: string): Pick<LockHolder, 'pid' | 'hostname'> | undefined {
  try {
    const { pid, hostname } = JSON.parse(readFileSync(join(directory, LOCK_FOLDER, HOLDER_FILE), 'utf8')) as Partial<LockHolder>
    return typeof pid === 'number' && typeof hostname === 'string' ? { pid, hostname } : undefined
  } catch {
    return undefined
  }
}

function locked(directory: string, cause?: unknown): StorageError {
  const holder = readHolder(directory)
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.hostname}`
  return new StorageError(
    'LOCKED',
    `data directory ${directory} is in use by ${who}. Stop that node first, or name another directory.`,
    { cause },
  )
}
