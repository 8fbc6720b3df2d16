import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import type { NodeId } from '../../paxos/types.js'
import { damaged, notWritable, StorageError, systemCodeOf } from '../storage-error.js'
import { type DirectoryPaths, identityIn, pathsIn } from './data-directory.js'
import { DirectoryLock } from './directory-lock.js'
import { makeDirectory, renameSynced, syncDirectory, writeFileSynced } from './files.js'

// What is found damaged is kept, in a folder beside the new contents:
//
//   1. replaces.json is written: the id that the damaged directory had, where it goes, and that it is not all there yet
//   2. everything goes there but the lock, replaces.json and what was set aside earlier
//   3. replaces.json is written again: it is all there
//   4. new contents are made at the next start, with a new id; replaces.json stays until the members know that id
//
// A crash between any two steps is mended by the next start, or by setting aside again, so that the old id is never lost.

const FORMAT = 1
/** Of the folders with what was damaged. */
export const ASIDE = /^damaged-(\d+)$/
/** The lock, with the drafts of those who try to take it. */
const LOCK = /^lock$/

export interface Replaced {
  /** The id of the directory that was damaged. */
  readonly dataDirId: string
  readonly nodeId: NodeId
  /** The folder, within the directory, that it is kept in. */
  readonly asideIn: string
}

export interface ReplacedNote extends Replaced {
  /** False: the next start goes on with moving it. */
  readonly isMoved: boolean
}

/**
 * Moves the contents of a damaged directory aside, so that the next start makes new ones. `dataDirId` is the one that the members know:
 * that of the first directory, when its replacement is damaged before they have come to know that.
 *
 * @throws StorageError LOCKED, NOT_WRITABLE; DAMAGED when its identity cannot be read: then nothing was changed
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

/** What the contents of the directory replace, once all of that has been moved aside. The caller holds the lock. @throws StorageError */
export function finishSettingAside(paths: DirectoryPaths): Replaced | undefined {
  const note = readReplaced(paths)
  return note === undefined || note.isMoved ? note : finish(paths, note)
}

/** The members know this directory: it takes the place of none. @throws StorageError NOT_WRITABLE */
export function forgetReplaced(paths: DirectoryPaths): void {
  try {
    rmSync(paths.replaces, { force: true })
    syncDirectory(paths.directory)
  } catch (error) {
    throw notWritable(paths.directory, error)
  }
}

/** Of an earlier process, which did not come to do it. The caller holds the lock. */
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

/** What the directory takes the place of. Changes nothing. @throws StorageError DAMAGED */
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
