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
//   identity.json   whose it is: format, data-dir id, node id, checksum. Never changed
//   lock/           held by the process that uses it (directory-lock.ts)
//   witness         the number of the last durable write (witness.ts)
//   db/             LevelDB's (record-record-record-keys.ts)
//   views/          of a running node: its files as they were, for whoever reads a checkpoint (database-copy.ts)
//   damaged-<n>/    what stood here before it was found damaged, and replaces.json the id that it had (set-aside.ts)
//
// It is made in an order in which a crash at any moment leaves either a directory with an identity and all the rest, or one that
// says that it was never finished: identity.new stands there from before the first of the other files until it becomes
// identity.json. So a database that vanishes later is missed, and never made anew behind an identity that other members know.

const FORMAT = 2
/** The write that a new database begins with. */
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

/** Whether somebody's data is there, or is meant to be. */
export function hasIdentity(directory: string): boolean {
  const paths = pathsIn(directory)
  return [paths.identity, paths.draft, paths.database, paths.witness].some((path) => existsSync(path))
}

/** The directory's identity; undefined when it has none and nothing that would need one. @throws StorageError */
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

/** The same, whichever node's it is. @throws StorageError */
export function identityIn(paths: DirectoryPaths): Identity | undefined {
  if (existsSync(paths.identity)) return parseIdentity(paths, readFileSync(paths.identity, 'utf8'))
  if (existsSync(paths.draft)) return undefined
  const orphan = [paths.database, paths.witness].find((path) => existsSync(path))
  if (orphan !== undefined) throw damaged(paths.directory, `${paths.identity} is missing beside ${orphan}`)
  return undefined
}

/** The number of the last write that is known to have been durable. @throws StorageError DAMAGED */
export function readLastWritten(paths: DirectoryPaths, identity: Identity): number {
  if (!existsSync(paths.witness)) throw damaged(paths.directory, `${paths.witness} is missing`)
  const number = readWitness(paths.witness, identity.dataDirId)
  if (number === undefined) throw damaged(paths.directory, `${paths.witness} is unreadable, or another directory's`)
  return number
}

/** Makes a new directory's contents, over whatever an unfinished attempt has left. The caller holds the lock. */
export async function createContents(paths: DirectoryPaths, nodeId: NodeId): Promise<Identity> {
  rmSync(paths.database, { recursive: true, force: true })
  rmSync(paths.witness, { force: true })
  const identity = { dataDirId: randomUUID(), nodeId }
  for (const step of creationSteps(paths, identity)) await step()
  return identity
}

/** A crash between any two of these is mended by createContents, before the last; there is nothing to mend after it. */
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
  // LevelDB would make it for everybody to read.
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

/** What a new database holds. */
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

/** What stands in identity.json. */
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
