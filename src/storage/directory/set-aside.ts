import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import type { NodeId } from '../../paxos/types.js'
import { damaged, notWritable, StorageError, systemCodeOf } from '../storage-error.js'
import { type DirectoryPaths, identityIn, pathsIn } from './data-directory.js'
import { DirectoryLock } from './directory-lock.js'
import { makeDirectory, renameSynced, syncDirectory, writeFileSynced } from './files.js'

// Damaged contents are kept in a folder beside the new contents:
//
//   1. replaces.json is written, with the id of the damaged directory, the folder's name, and the mark that the move is not complete
//   2. everything is moved there, except the lock, replaces.json and the folders of earlier damage
//   3. replaces.json is written again, with the mark that the move is complete
//   4. the next start makes new contents with a new id; replaces.json stays until the members know that id
//
// After a crash between two steps, the next start or another call completes the move, so that the old id is never lost.

const FORMAT = 1
/** Names of the folders with damaged contents. */
export const ASIDE = /^damaged-(\d+)$/
/** The name of the lock's folder. */
const LOCK = /^lock$/

export interface Replaced {
  /** The data-dir id of the damaged contents. */
  readonly dataDirId: string
  readonly nodeId: NodeId
  /** The folder within the directory that keeps them. */
  readonly asideIn: string
}

export interface ReplacedNote extends Replaced {
  /** False when the move is not complete: the next start completes it. */
  readonly isMoved: boolean
}

/**
 * Moves the contents of a damaged directory aside, so that the next start makes new ones. The returned `dataDirId` is the one that the
 * members know: when a replacement is damaged before they know it, the id of the directory that it replaced.
 *
 * @throws StorageError LOCKED or NOT_WRITABLE; DAMAGED when the identity cannot be read: nothing was changed then
 */
export async function setAsideDamaged(directory: string): Promise<Replaced> {
  const paths = pathsIn(resolve(directory))
  let lock: DirectoryLock | undefined
  try {
    lock = await DirectoryLock.acquire(paths.directory)
    const earlier = readReplaced(paths)
    if (earlier?.isMoved === false) return finish(paths, earlier)
    const identity = identityIn(paths)
    if (identity === undefined) throw damaged(paths.directory, `${paths.identity} is missing`)
    const dataDirId = earlier?.dataDirId ?? identity.dataDirId
    const note = { dataDirId, nodeId: identity.nodeId, asideIn: nextFolder(paths), isMoved: false }
    writeNote(paths, note)
    return finish(paths, note)
  } catch (error) {
    throw systemCodeOf(error) === '' || error instanceof StorageError ? error : notWritable(paths.directory, error)
  } finally {
    await lock?.release()
  }
}

/** Completes an interrupted move and returns what the directory replaces. The caller must hold the lock. @throws StorageError */
export function finishSettingAside(paths: DirectoryPaths): Replaced | undefined {
  const note = readReplaced(paths)
  return note === undefined || note.isMoved ? note : finish(paths, note)
}

/** Removes replaces.json, once the members know the directory. @throws StorageError NOT_WRITABLE */
export function forgetReplaced(paths: DirectoryPaths): void {
  try {
    rmSync(paths.replaces, { force: true })
    syncDirectory(paths.directory)
  } catch (error) {
    throw notWritable(paths.directory, error)
  }
}

/** Removes the views of an earlier process. The caller must hold the lock. */
export function removeViews({ views }: DirectoryPaths): void {
  rmSync(views, { recursive: true, force: true })
}

function finish(paths: DirectoryPaths, note: ReplacedNote): ReplacedNote {
  removeViews(paths)
  const folder = join(paths.directory, note.asideIn)
  makeDirectory(folder)
  for (const name of readdirSync(paths.directory)) {
    if (LOCK.test(name) || ASIDE.test(name) || join(paths.directory, name).startsWith(paths.replaces)) continue
    renameSync(join(paths.directory, name), join(folder, name))
  }
  syncDirectory(folder)
  syncDirectory(paths.directory)
  const moved = { ...note, isMoved: true }
  writeNote(paths, moved)
  return moved
}

function nextFolder(paths: DirectoryPaths): string {
  const numbers = readdirSync(paths.directory).map((name) => Number(ASIDE.exec(name)?.[1] ?? 0))
  return `damaged-${Math.max(0, ...numbers) + 1}`
}

function writeNote(paths: DirectoryPaths, note: ReplacedNote): void {
  const draft = `${paths.replaces}.new`
  writeFileSynced(draft, `${JSON.stringify({ format: FORMAT, ...note, checksum: checksumOf(note) }, undefined, 2)}\n`)
  renameSynced(draft, paths.replaces)
}

/** Reads replaces.json; undefined when there is none. Changes nothing. @throws StorageError DAMAGED */
export function readReplaced(paths: DirectoryPaths): ReplacedNote | undefined {
  if (!existsSync(paths.replaces)) return undefined
  const { dataDirId, nodeId, asideIn, isMoved, checksum } = parse(paths)
  const isWhole =
    typeof dataDirId === 'string' && typeof nodeId === 'number' && typeof asideIn === 'string' && typeof isMoved === 'boolean'
  if (!isWhole || !ASIDE.test(asideIn) || checksum !== checksumOf({ dataDirId, nodeId, asideIn, isMoved })) {
    throw damaged(paths.directory, `${paths.replaces} does not match its checksum`)
  }
  return { dataDirId, nodeId, asideIn, isMoved }
}

function parse(paths: DirectoryPaths): Record<string, unknown> {
  try {
    return (JSON.parse(readFileSync(paths.replaces, 'utf8')) ?? {}) as Record<string, unknown>
  } catch (cause) {
    if (systemCodeOf(cause) !== '') throw cause
    throw damaged(paths.directory, `${paths.replaces} is not JSON`, { cause })
  }
}

function checksumOf({ dataDirId, nodeId, asideIn, isMoved }: ReplacedNote): string {
  return crc32(JSON.stringify([FORMAT, dataDirId, nodeId, asideIn, isMoved]))
    .toString(16)
    .padStart(8, '0')
}
