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

/** The usable part of a directory that has lost its last writes. */
export interface Salvaged {
  readonly nodeId: NodeId
  /** The last write: every write up to it is there, and none after it. */
  readonly lastWrite: number
  /** The count of lost writes after it; undefined when it is unknown. */
  readonly lostWriteCount: number | undefined
}

/**
 * Repairs a damaged data directory up to some write and drops all later writes: promises, votes and decided slots among them. So no node
 * may ever start on it: it is for copies from which another cluster is made. LevelDB's log is cut off at the first damaged record. A
 * missing or unreadable identity.json and witness are made anew from the database. Tables hold the checkpoint; a damaged table cannot
 * be repaired.
 *
 * @throws StorageError DAMAGED when more than the end of the log is damaged
 */
export async function salvage(directory: string): Promise<Salvaged> {
  const paths = pathsIn(directory)
  const contents = await longestPrefix(directory, paths.database)
  const { owner, lastNumber } = contents
  const known = readableIdentity(directory)
  // LevelStorage.open refuses another node's identity.
  const identity = known ?? owner
  if (known === undefined) writeFileSync(paths.identity, formatIdentity(identity))
  const lastWritten = existsSync(paths.witness) ? readWitness(paths.witness, identity.dataDirId) : undefined
  writeFileSync(paths.witness, newWitness(identity.dataDirId, lastNumber))
  const lostWriteCount = lastWritten === undefined ? undefined : Math.max(0, lastWritten - lastNumber)
  return { nodeId: identity.nodeId, lastWrite: lastNumber, lostWriteCount }
}

/** Cuts LevelDB's logs off at the first damaged or incomplete record. Where the rest still has a hole, drops whole logs from the end. */
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

/** Returns the identity; undefined when it is missing or unreadable. @throws StorageError UNSUPPORTED_FORMAT */
function readableIdentity(directory: string): Identity | undefined {
  try {
    return identityIn(pathsIn(directory))
  } catch (error) {
    if (error instanceof StorageError && error.code === 'DAMAGED') return undefined
    throw error
  }
}
