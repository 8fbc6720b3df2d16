import { resolve } from 'node:path'
import type { NodeId } from '../../paxos/types.js'
import { type Contents, verify } from '../doctor/verify.js'
import { type Database, type LevelDatabase, OpenDatabase, openExistingDatabase, readFailure } from '../leveldb/database.js'
import type { OnProgress } from '../leveldb/database-files.js'
import { readDatabase } from '../leveldb/read-database.js'
import { Witness, type WriteWitness } from '../log/witness.js'
import { chainKey, entryTag } from '../record-keys.js'
import { RecordError, UnknownFormatError } from '../records.js'
import { damaged, notWritable, StorageError, systemCodeOf } from '../storage-error.js'
import { createContents, type Identity, pathsIn, readIdentity, readLastWritten } from './data-directory.js'
import { DirectoryLock } from './directory-lock.js'
import { makeDirectory } from './files.js'
import { finishSettingAside, forgetReplaced, removeViews } from './set-aside.js'

const HISTORY_TAGS: readonly number[] = [entryTag('history', 0), entryTag('history', 1)]

/** A data directory of this node: checked, complete and locked. */
export interface OpenDirectory {
  /** The path, for messages. */
  readonly path: string
  readonly dataDirId: string
  /** The id of the damaged directory that this one replaces, until it is forgotten; empty when there is none. */
  readonly replacesDataDirId: string
  readonly forgetReplaced: () => void
  readonly db: Database
  readonly contents: Contents
  /** Opens the witness. `onError` receives the error of a failed background sync. */
  readonly openWitness: (onError: (error: Error) => void) => WriteWitness
  /** Releases the lock. */
  readonly release: () => Promise<void>
}

export interface OpenOptions {
  readonly directory: string
  readonly nodeId: NodeId
  /** Receives the progress of reading the database, in bytes. */
  readonly onProgress?: OnProgress
}

/**
 * Opens a node's data directory, or makes it, and reads all of it except the history, of which only the blocks are checked.
 *
 * @throws StorageError LOCKED, NOT_WRITABLE, FOREIGN, UNSUPPORTED_FORMAT or DAMAGED; nothing is left open or locked then
 */
export async function openDirectory(options: OpenOptions): Promise<OpenDirectory> {
  const paths = pathsIn(resolve(options.directory))
  const { directory: path } = paths
  let lock: DirectoryLock | undefined
  try {
    makeDirectory(path)
    lock = await DirectoryLock.acquire(path)
    removeViews(paths)
    const replaces = finishSettingAside(paths)
    const identity = readIdentity(paths, options.nodeId) ?? (await createContents(paths, options.nodeId))
    const lastWritten = readLastWritten(paths, identity)
    const { onProgress } = options
    const wanted = (tag: number): boolean => !HISTORY_TAGS.includes(tag)
    const pages = readDatabase(path, paths.database, { wanted, ...(onProgress && { onProgress }) })
    const contents = await readContents({ path, identity, lastWritten, pages, skipsHistory: true })
    const db = await openExistingDatabase(path, paths.database)
    await checkSameEnd(path, db, contents)
    return {
      path,
      dataDirId: identity.dataDirId,
      replacesDataDirId: replaces?.dataDirId ?? '',
      forgetReplaced: () => forgetReplaced(paths),
      db: new OpenDatabase(db, paths),
      contents,
      openWitness: (onError) => Witness.open(paths.witness, identity.dataDirId, onError),
      release: async () => lock?.release(),
    }
  } catch (error) {
    await lock?.release()
    throw systemCodeOf(error) === '' || error instanceof StorageError ? error : notWritable(path, error)
  }
}

/** Reads and checks a database, and compares it with its directory's identity and witness. @throws StorageError */
export async function readContents(directory: {
  readonly path: string
  readonly identity: Identity
  /** The number in the witness. */
  readonly lastWritten: number
  readonly pages: AsyncIterable<[Buffer, Buffer][]>
  readonly skipsHistory: boolean
}): Promise<Contents> {
  const { path, identity, lastWritten, pages, skipsHistory } = directory
  try {
    const contents = await verify(pages, { skipsHistory })
    checkOwner(path, identity, contents)
    checkNothingLost(path, lastWritten, contents)
    return contents
  } catch (error) {
    if (systemCodeOf(error) !== '' && !(error instanceof StorageError)) throw error
    throw storageErrorOf(path, error)
  }
}

/** Checks that LevelDB finds the same last write as our reader did, and closes it otherwise. @throws StorageError DAMAGED */
async function checkSameEnd(path: string, db: LevelDatabase, { lastNumber }: Contents): Promise<void> {
  if (db.getSync(chainKey(lastNumber)) !== undefined && db.getSync(chainKey(lastNumber + 1)) === undefined) return
  await db.close()
  throw damaged(path, `LevelDB does not find the end of its database, write ${lastNumber}, where its files have it`)
}

/** Turns a failure to read a database into a StorageError. */
export function storageErrorOf(directory: string, error: unknown): StorageError {
  if (error instanceof StorageError) return error
  if (error instanceof UnknownFormatError) {
    const message = `data directory ${directory} was written by a newer version: ${error.message}. Start it with a newer Synod.`
    return new StorageError('UNSUPPORTED_FORMAT', message, { cause: error })
  }
  if (error instanceof RecordError) return damaged(directory, `in its database, ${error.message}`, { cause: error })
  return readFailure(directory, error)
}

function checkOwner(path: string, identity: Identity, { owner }: Contents): void {
  if (owner.dataDirId === identity.dataDirId && owner.nodeId === identity.nodeId) return
  throw new StorageError(
    'FOREIGN',
    `data directory ${path} holds a database of node ${owner.nodeId} (directory ${owner.dataDirId}) under the identity of ` +
      `node ${identity.nodeId} (directory ${identity.dataDirId}). Put back the files that belong together; never mix those of two nodes.`,
  )
}

/** Checks that the chain reaches the last durable write. The chain has no hole, so only its end can be lost. */
function checkNothingLost(path: string, lastWritten: number, { lastNumber }: Contents): void {
  if (lastWritten <= lastNumber) return
  throw damaged(
    path,
    `its database ends with write ${lastNumber}, but write ${lastWritten} was durable: LevelDB's log was cut or deleted, or the ` +
      'database is an older copy',
  )
}
