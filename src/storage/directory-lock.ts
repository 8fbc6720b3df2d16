import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { processExists, startOf } from './process-exists.js'
import { notWritable, StorageError, systemCodeOf } from './storage-error.js'

// LevelDB has a lock of its own, which the kernel drops with its process; but a process that opens one directory twice, or only
// reads that file, loses it. So this lock is taken first: a file that says who holds it.
//
// kill -9 leaves it behind. It is taken over only when its owner is surely dead: on this host, a process of that id does not exist,
// or (Linux, where /proc tells) started at another time or before the last boot, so that the id is somebody else's by now.
// Where /proc is missing, any living process of that id counts as the owner: a refusal too many, never one too few.
// Two nodes that take a dead one's lock over in the same instant can, in theory, both believe that they have it (a file
// system has no compare-and-swap); nothing is written before LevelDB's own lock has decided between them.

const LOCK_FILE = 'lock'
/** Takers of a dead owner's lock that lose against each other try again, this often at most. */
const ATTEMPTS_MAX = 10

interface LockOwner {
  readonly pid: number
  readonly hostname: string
  /** Of the boot; empty where unknown. */
  readonly bootId: string
  /** When the process started, in clock ticks after boot; empty where unknown. */
  readonly startedAt: string
  /** Tells two locks of one process apart. */
  readonly token: string
}

/** What this process holds: a lock with its pid that is not among these was left by an earlier process of that id. */
const heldTokens = new Set<string>()

export class DirectoryLock {
  readonly #path: string
  readonly #token: string

  private constructor(path: string, token: string) {
    this.#path = path
    this.#token = token
  }

  /** @throws StorageError LOCKED or NOT_WRITABLE */
  static acquire(directory: string): DirectoryLock {
    const path = join(directory, LOCK_FILE)
    const owner = thisProcess()
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (createLock(path, owner, directory)) {
        heldTokens.add(owner.token)
        return new DirectoryLock(path, owner.token)
      }
      const found = readIfThere(path)
      if (found === undefined) continue
      const holder = parseOwner(found)
      if (holder === undefined || isAlive(holder)) throw locked(directory, path, holder)
      removeStale(path, found)
    }
    throw locked(directory, path, undefined)
  }

  /** Gives the directory free. */
  release(): void {
    rmSync(this.#path, { force: true })
    heldTokens.delete(this.#token)
  }
}

/** Who holds a directory, or held it last and did not let go. */
export interface LockHolder {
  readonly pid: number
  readonly hostname: string
  /** It may still be alive. */
  readonly isAlive: boolean
}

/** Undefined when nobody does. Changes nothing. @throws what node:fs throws; StorageError LOCKED when the lock says nothing that we know */
export function lockHolder(directory: string): LockHolder | undefined {
  const path = join(directory, LOCK_FILE)
  const found = readIfThere(path)
  if (found === undefined) return undefined
  const owner = parseOwner(found)
  if (owner === undefined) throw locked(directory, path, undefined)
  return { pid: owner.pid, hostname: owner.hostname, isAlive: isAlive(owner) }
}

/** The lock appears with its contents or not at all. False when there is one. */
function createLock(path: string, owner: LockOwner, directory: string): boolean {
  const draft = `${path}.${owner.token}`
  try {
    writeFileSync(draft, `${JSON.stringify(owner)}\n`, { flag: 'wx', mode: 0o600 })
    linkSync(draft, path)
    return true
  } catch (cause) {
    if (systemCodeOf(cause) === 'EEXIST') return false
    throw notWritable(directory, cause)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Takes a dead owner's lock away. When a faster taker's living lock was caught by mistake, it is put back. */
function removeStale(path: string, found: string): void {
  const away = `${path}.${randomUUID()}`
  try {
    renameSync(path, away)
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return
    throw cause
  }
  try {
    if (readIfThere(away) !== found) linkSync(away, path)
  } finally {
    rmSync(away, { force: true })
  }
}

function thisProcess(): LockOwner {
  const { pid } = process
  return { pid, hostname: hostname(), bootId: bootId(), startedAt: startOf(pid) ?? '', token: randomUUID() }
}

/** Whether the owner may still live. */
function isAlive(owner: LockOwner): boolean {
  if (owner.hostname !== hostname()) return true
  const boot = bootId()
  if (boot !== '' && owner.bootId !== '' && boot !== owner.bootId) return false
  if (owner.pid === process.pid) return heldTokens.has(owner.token)
  if (!processExists(owner.pid)) return false
  const startedAt = startOf(owner.pid)
  return startedAt === undefined || owner.startedAt === '' || startedAt === owner.startedAt
}

function bootId(): string {
  return readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<LockOwner>
    const { pid, hostname, bootId, startedAt, token } = owner
    if (!Number.isSafeInteger(pid) || pid === undefined || pid < 1) return undefined
    if (hostname === undefined || bootId === undefined || startedAt === undefined || token === undefined) return undefined
    return { pid, hostname, bootId, startedAt, token }
  } catch {
    return undefined
  }
}

function locked(directory: string, path: string, holder: LockOwner | undefined): StorageError {
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.hostname}`
  return new StorageError(
    'LOCKED',
    `data directory ${directory} is in use by ${who}. Stop that node first, or name another directory; if it is surely gone, remove ${path}.`,
  )
}
