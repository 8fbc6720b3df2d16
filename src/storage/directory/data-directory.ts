import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { NodeId } from '../../paxos/types.js'
import { openDatabase } from '../leveldb/database.js'
import { newWitness, readWitness } from '../log/witness.js'
import { chainKey, OWNER_KEY } from '../record-keys.js'
import { sealLink, sealOwner } from '../records.js'
import { damaged, StorageError } from '../storage-error.js'
import { makeDirectory, renameSynced, syncDirectory, writeFileSynced } from './files.js'

// A data directory:
//
//   identity.json   its owner: format, data-dir id, node id, checksum. Never changed
//   lock/           held by the process that uses the directory (directory-lock.ts)
//   witness         the number of the last durable write (witness.ts)
//   db/             LevelDB's (record-record-record-keys.ts)
//   views/          copies of the database files of a running node, for readers of checkpoints (database-copy.ts)
//   damaged-<n>/    earlier contents that were found damaged; replaces.json holds their data-dir id (set-aside.ts)
//
// The files are made in an order in which a crash leaves either a complete directory or one that is marked as unfinished: identity.new
// is written before all other files and is renamed to identity.json at the end. So a database that vanishes later is detected, and is
// never made anew under an identity that other members know.

const FORMAT = 2
/** The number of a new database's first write. */
export const FIRST_WRITE = 1

export interface Identity {
  /** A random UUID (docs/protocol.md, rule 5). */
  readonly dataDirId: string
  readonly nodeId: NodeId
}

export interface DirectoryPaths {
  readonly directory: string
  readonly identity: string
  readonly draft: string
  readonly witness: string
  readonly database: string
  readonly views: string
  readonly replaces: string
}

export function pathsIn(directory: string): DirectoryPaths {
  return {
    directory,
    identity: join(directory, 'identity.json'),
    draft: join(directory, 'identity.new'),
    witness: join(directory, 'witness'),
    database: join(directory, 'db'),
    views: join(directory, 'views'),
    replaces: join(directory, 'replaces.json'),
  }
}

/** Returns true when the directory holds a node's data, or data that was being made. */
export function hasIdentity(directory: string): boolean {
  const paths = pathsIn(directory)
  return [paths.identity, paths.draft, paths.database, paths.witness].some((path) => existsSync(path))
}

/**
 * Returns the directory's identity; undefined when it has none and needs none.
 *
 * @throws StorageError FOREIGN, DAMAGED or UNSUPPORTED_FORMAT
 */
export function readIdentity(paths: DirectoryPaths, nodeId: NodeId): Identity | undefined {
  const identity = identityIn(paths)
  if (identity !== undefined && identity.nodeId !== nodeId) {
    throw new StorageError(
      'FOREIGN',
      `data directory ${paths.directory} belongs to node ${identity.nodeId}, not to node ${nodeId}. Give each node its own directory.`,
    )
  }
  return identity
}

/** Returns the directory's identity, of any node. @throws StorageError DAMAGED or UNSUPPORTED_FORMAT */
export function identityIn(paths: DirectoryPaths): Identity | undefined {
  if (existsSync(paths.identity)) return parseIdentity(paths, readFileSync(paths.identity, 'utf8'))
  if (existsSync(paths.draft)) return undefined
  const orphan = [paths.database, paths.witness].find((path) => existsSync(path))
  if (orphan !== undefined) throw damaged(paths.directory, `${paths.identity} is missing beside ${orphan}`)
  return undefined
}

/** Returns the number of the last write that was certainly durable. @throws StorageError DAMAGED */
export function readLastWritten(paths: DirectoryPaths, identity: Identity): number {
  if (!existsSync(paths.witness)) throw damaged(paths.directory, `${paths.witness} is missing`)
  const number = readWitness(paths.witness, identity.dataDirId)
  if (number === undefined) throw damaged(paths.directory, `${paths.witness} is unreadable, or another directory's`)
  return number
}

/** Makes a new directory's contents; removes those of an unfinished attempt. The caller must hold the lock. */
export async function createContents(paths: DirectoryPaths, nodeId: NodeId): Promise<Identity> {
  rmSync(paths.database, { recursive: true, force: true })
  rmSync(paths.witness, { force: true })
  const identity = { dataDirId: randomUUID(), nodeId }
  for (const step of creationSteps(paths, identity)) await step()
  return identity
}

/** Returns the steps that make a directory. After a crash before the last step, createContents begins again. */
export function creationSteps(paths: DirectoryPaths, identity: Identity): readonly (() => void | Promise<void>)[] {
  return [
    () => {
      writeFileSynced(paths.draft, formatIdentity(identity))
      syncDirectory(paths.directory)
    },
    () => createDatabase(paths.database, identity),
    () => {
      writeFileSynced(paths.witness, newWitness(identity.dataDirId, FIRST_WRITE))
      syncDirectory(paths.directory)
    },
    () => renameSynced(paths.draft, paths.identity),
  ]
}

async function createDatabase(path: string, identity: Identity): Promise<void> {
  // LevelDB would make it readable for every user.
  makeDirectory(path)
  const db = await openDatabase(path, 'create')
  try {
    const batch = db.batch()
    for (const [key, record] of firstRecords(identity)) batch.put(key, record)
    await batch.write({ sync: true })
  } finally {
    await db.close()
  }
  syncDirectory(path)
}

/** Returns the records of a new database. */
export function firstRecords(identity: Identity): [Buffer, Buffer][] {
  const key = chainKey(FIRST_WRITE)
  const link = {
    firstKept: FIRST_WRITE,
    writeBytes: 0,
    promised: 0,
    decidedUpTo: 0,
    log: { count: 0, sum: 0 },
    genesisChecksum: 0,
    checkpointChecksum: 0,
    compactedUpTo: 0,
  }
  return [
    [OWNER_KEY, sealOwner(identity)],
    [key, sealLink(key, link)],
  ]
}

function checksumOfIdentity({ dataDirId, nodeId }: Identity): string {
  return crc32(JSON.stringify([FORMAT, dataDirId, nodeId]))
    .toString(16)
    .padStart(8, '0')
}

/** Returns the contents of identity.json. */
export function formatIdentity(identity: Identity): string {
  const { dataDirId, nodeId } = identity
  return `${JSON.stringify({ format: FORMAT, dataDirId, nodeId, checksum: checksumOfIdentity(identity) }, undefined, 2)}\n`
}

function parseIdentity(paths: DirectoryPaths, text: string): Identity {
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(text) as Record<string, unknown>
  } catch (cause) {
    throw damaged(paths.directory, `${paths.identity} is not JSON`, { cause })
  }
  const { format, dataDirId, nodeId, checksum } = fields ?? {}
  if (typeof format === 'number' && format > FORMAT) {
    throw new StorageError(
      'UNSUPPORTED_FORMAT',
      `data directory ${paths.directory} has format ${format}; this version knows format ${FORMAT} only. Start it with a newer Synod.`,
    )
  }
  if (typeof format === 'number' && format < FORMAT) {
    throw new StorageError(
      'UNSUPPORTED_FORMAT',
      `data directory ${paths.directory} has format ${format}, of a Synod that was never released; this version knows format ${FORMAT} only. ` +
        'Start the cluster anew in empty directories.',
    )
  }
  const isWhole = format === FORMAT && typeof dataDirId === 'string' && typeof nodeId === 'number'
  if (!isWhole || checksum !== checksumOfIdentity({ dataDirId, nodeId })) {
    throw damaged(paths.directory, `${paths.identity} does not match its checksum`)
  }
  return { dataDirId, nodeId }
}
