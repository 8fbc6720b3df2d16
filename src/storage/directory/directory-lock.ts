import { mkdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { notWritable, StorageError, systemCodeOf } from '../storage-error.js'
import { processExists } from './process-exists.js'

// The kernel decides who holds a directory: its lock ends with its process, however that ends, and holds against every other process
// of the machine, whatever container, mount or name it comes by. Node.js offers no such lock, but each LevelDB takes one (fcntl, on its
// file LOCK). The lock of the database itself would not do: it is lost as soon as this process opens, or only reads, that file once
// more. So a data directory has a folder of its own with a database that holds nothing, `lock/`, open as long as the directory is held.
// Nobody else opens what is in there: this process looks at its own list first.
//
// The folder also has a file for people, holder.json, that says who held the directory last. It decides nothing: it may be missing,
// empty or garbled.

/** The folder's name. */
export const LOCK_FOLDER = 'lock'
const HOLDER_FILE = 'holder.json'
/** LevelDB's own lock file. It is never removed: processes that hold it and those that ask must look at the same file. */
const LEVELDB_LOCK = 'LOCK'
/** The smallest that LevelDB takes. */
const WRITE_BUFFER_BYTES = 64 * 1_024

/**
 * What this process holds, or is about to: real paths and inodes of LOCK files. The kernel's lock tells processes apart, not two uses by
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

  /** Takes a directory that exists. @throws StorageError LOCKED or NOT_WRITABLE */
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

  /** Gives the directory free. */
  async release(): Promise<void> {
    rmSync(join(this.#folder, HOLDER_FILE), { force: true })
    await this.#db.close()
    for (const name of this.#names) held.delete(name)
  }
}

/** The process that holds a directory, or held it last and did not let go. */
export interface LockHolder {
  readonly pid: number
  readonly hostname: string
  /** It holds the directory now. */
  readonly isAlive: boolean
}

/**
 * The process that holds a directory, or was killed while it did; undefined when neither is so. Changes nothing, and takes no lock: the
 * kernel's own list of locks is looked at where there is one (Linux), and otherwise whether a process of that number lives.
 */
export function lockHolder(directory: string): LockHolder | undefined {
  const holder = readHolder(directory)
  if (holder === undefined) return undefined
  return { ...holder, isAlive: isListed(join(directory, LOCK_FOLDER), holder.pid) ?? processExists(holder.pid) }
}

/**
 * Whether the kernel lists a lock on the folder's LOCK file; undefined where there is no such list. Some file systems give it another
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
    // What is no folder stood there before, or was put there by hand.
    if (!statSync(folder).isDirectory()) rmSync(folder)
    else return
    mkdirSync(folder, { mode: 0o700 })
  }
}

/**
 * Opens the database that holds nothing. What a power cut has left of its other files does not matter: they are made anew, without LOCK
 * being touched. When another process has made them anew and taken the lock meanwhile, this one is refused; that one reads them no more.
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
    // The reason is in the cause: the error itself only says that the database is not open.
    throw error instanceof Error && error.cause instanceof Error ? error.cause : error
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof Error && !/permission denied|too many open files|no space left|read-only/i.test(error.message)
}

/** Empty while there is no LOCK. Looking at it with stat does not cost the lock, as reading it would. */
function inodeOf(folder: string): string {
  const stat = statSync(join(folder, LEVELDB_LOCK), { throwIfNoEntry: false, bigint: true })
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`
}

/** For people only: that it cannot be written is no reason to refuse. */
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
