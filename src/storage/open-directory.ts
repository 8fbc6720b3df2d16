import { resolve } from 'node:path'
import type { NodeId } from '../paxos/types.js'
import { createContents, type DirectoryPaths, type Identity, pathsIn, readIdentity, readLastWritten } from './data-directory.js'
import { type Database, openExistingDatabase, readFailure } from './database.js'
import { DirectoryLock } from './directory-lock.js'
import { makeDirectory } from './files.js'
import { RecordError } from './records.js'
import { damaged, notWritable, StorageError, systemCodeOf } from './storage-error.js'
import { type Contents, verify } from './verify.js'

/** A data directory that is ours, whole, and locked. */
export interface OpenDirectory {
  readonly paths: DirectoryPaths
  readonly identity: Identity
  readonly lock: DirectoryLock
  readonly db: Database
  readonly contents: Contents
}

/**
 * Takes a node's data directory, made now if there is none, and reads all of it.
 *
 * @throws StorageError LOCKED, NOT_WRITABLE, FOREIGN, UNSUPPORTED_FORMAT or DAMAGED; nothing is left open or locked then
 */
export async function openDirectory(options: { readonly directory: string; readonly nodeId: NodeId }): Promise<OpenDirectory> {
  const paths = pathsIn(resolve(options.directory))
  let lock: DirectoryLock | undefined
  try {
    makeDirectory(paths.directory)
    lock = DirectoryLock.acquire(paths.directory)
    const identity = readIdentity(paths, options.nodeId) ?? (await createContents(paths, options.nodeId))
    return { paths, identity, lock, ...(await openContents(paths, identity)) }
  } catch (error) {
    lock?.release()
    throw systemCodeOf(error) === '' || error instanceof StorageError ? error : notWritable(paths.directory, error)
  }
}

async function openContents(paths: DirectoryPaths, identity: Identity): Promise<{ db: Database; contents: Contents }> {
  const lastWritten = readLastWritten(paths, identity)
  const db = await openExistingDatabase(paths.directory, paths.database)
  try {
    const contents = await verify(db)
    checkOwner(paths, identity, contents)
    checkNothingLost(paths, lastWritten, contents)
    return { db, contents }
  } catch (error) {
    await db.close()
    throw storageErrorOf(paths.directory, error)
  }
}

/** A failure to read a database that opened well. */
export function storageErrorOf(directory: string, error: unknown): StorageError {
  if (error instanceof StorageError) return error
  if (error instanceof RecordError) return damaged(directory, `in its database, ${error.message}`, { cause: error })
  return readFailure(directory, error)
}

function checkOwner(paths: DirectoryPaths, identity: Identity, { owner }: Contents): void {
  if (owner.dataDirId === identity.dataDirId && owner.nodeId === identity.nodeId) return
  throw new StorageError(
    'FOREIGN',
    `data directory ${paths.directory} holds a database of node ${owner.nodeId} (directory ${owner.dataDirId}) under the identity of ` +
      `node ${identity.nodeId} (directory ${identity.dataDirId}). Put back the files that belong together; never mix those of two nodes.`,
  )
}

/** The chain has no hole, so whatever is lost is its end: a log cut or deleted, or an older copy of the database. */
function checkNothingLost(paths: DirectoryPaths, lastWritten: number, { lastNumber }: Contents): void {
  if (lastWritten <= lastNumber) return
  throw damaged(
    paths.directory,
    `its database ends with write ${lastNumber}, but write ${lastWritten} was durable: LevelDB's log was cut or deleted, or ${paths.database} is an older copy`,
  )
}
