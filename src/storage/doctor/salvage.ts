import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeId } from '../../paxos/types.js'
import { formatIdentity, type Identity, identityIn, pathsIn } from '../directory/data-directory.js'
import { storageErrorOf } from '../directory/open-directory.js'
import { DatabaseFiles } from '../leveldb/database-files.js'
import { intactLength } from '../leveldb/leveldb-log.js'
import { readDatabase } from '../leveldb/read-database.js'
import { newWitness, readWitness } from '../log/witness.js'
import { StorageError } from '../storage-error.js'
import { type Contents, verify } from './verify.js'

/** What a directory is good for that has lost its end. */
export interface Salvaged {
  readonly nodeId: NodeId
  /** It holds every write up to this one, and none after it. */
  readonly lastWrite: number
  /** So many writes after it were durable once; undefined when nothing tells how many. */
  readonly lostWriteCount: number | undefined
}

/**
 * Makes a damaged data directory whole up to some write, giving up what came after: promises, votes and decided slots among it. So no
 * node may ever start on it: it is for the copies that another cluster is made from. What is lost at the end of LevelDB's log is given
 * up, from the first damaged record on, and so are identity.json and the witness, which the database itself can name. Tables hold the
 * checkpoint and cannot be had in part.
 *
 * @throws StorageError DAMAGED when it is not the end alone that is damaged
 */
export async function salvage(directory: string): Promise<Salvaged> {
  const paths = pathsIn(directory)
  const contents = await longestPrefix(directory, paths.database)
  const { owner, lastNumber } = contents
  const known = readableIdentity(directory)
  // LevelStorage.open refuses what is another node's.
  const identity = known ?? owner
  if (known === undefined) writeFileSync(paths.identity, formatIdentity(identity))
  const lastWritten = existsSync(paths.witness) ? readWitness(paths.witness, identity.dataDirId) : undefined
  writeFileSync(paths.witness, newWitness(identity.dataDirId, lastNumber))
  const lostWriteCount = lastWritten === undefined ? undefined : Math.max(0, lastWritten - lastNumber)
  return { nodeId: identity.nodeId, lastWrite: lastNumber, lostWriteCount }
}

/** Cuts LevelDB's logs off at the first record that is damaged or not whole; from the end a whole log, where a hole is before it. */
async function longestPrefix(directory: string, database: string): Promise<Contents> {
  const files = await DatabaseFiles.find(directory, database)
  const logs = files.logs.map((name) => join(database, name))
  let isSound = true
  for (const log of logs) {
    const isThere = existsSync(log)
    const file: Buffer = isSound && isThere ? readFileSync(log) : Buffer.alloc(0)
    const length = intactLength(file)
    if (isThere) truncateSync(log, length)
    else writeFileSync(log, '')
    isSound &&= isThere && length === file.length
  }
  let failure: unknown
  for (const log of [undefined, ...logs.toReversed()]) {
    if (log !== undefined) truncateSync(log, 0)
    try {
      return await verify(readDatabase(directory, database), { skipsHistory: false })
    } catch (error) {
      failure ??= error
    }
  }
  throw storageErrorOf(directory, failure)
}

/** Undefined when it is missing or unreadable. @throws StorageError UNSUPPORTED_FORMAT */
function readableIdentity(directory: string): Identity | undefined {
  try {
    return identityIn(pathsIn(directory))
  } catch (error) {
    if (error instanceof StorageError && error.code === 'DAMAGED') return undefined
    throw error
  }
}
