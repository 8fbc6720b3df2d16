import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { NO_BALLOT, nodeOf, roundOf } from '../../paxos/ballot.js'
import type { MembershipRecord, NodeId, Slot } from '../../paxos/types.js'
import type { RaisedLevel } from '../../replication/levels.js'
import { type DirectoryPaths, type Identity, identityIn, pathsIn, readLastWritten } from '../directory/data-directory.js'
import { type LockHolder, lockHolder } from '../directory/directory-lock.js'
import { ASIDE, type Replaced, type ReplacedNote, readReplaced } from '../directory/set-aside.js'
import type { OnProgress } from '../leveldb/database-files.js'
import { findDamagedFiles, readDatabase } from '../leveldb/read-database.js'
import { otherGeneration } from '../record-keys.js'
import { RecordError, UnknownFormatError } from '../records.js'
import { StorageError, systemCodeOf } from '../storage-error.js'
import { Census, type RecordCount } from './census.js'
import { type Finding, finding } from './findings.js'
import { type Contents, verify } from './verify.js'

/** What a data directory holds, as far as it could be read, and what is wrong with it. */
export interface Diagnosis {
  readonly directory: string
  readonly isHealthy: boolean
  readonly findings: readonly Finding[]
  readonly identity: Identity | undefined
  /** A process that lives, or was the last one and did not let go. */
  readonly holder: LockHolder | undefined
  /** The number of the last durable write that the witness knows of. */
  readonly lastWrite: number | undefined
  readonly replaces: Replaced | undefined
  readonly setAside: readonly SetAside[]
  /** Undefined when the database is not whole. */
  readonly contents: Inventory | undefined
}

/** A folder with what was found damaged earlier. */
interface SetAside {
  readonly name: string
  readonly bytes: number
  /** Undefined when it cannot be read. */
  readonly identity: Identity | undefined
}

export interface Inventory {
  /** Whose the database says that it is. */
  readonly owner: Identity
  /** Of the newest write in the database. */
  readonly lastWrite: number
  /** Undefined before there is a cluster. */
  readonly clusterId: string | undefined
  /** The newest that is decided, as far as this node knows. */
  readonly membership: MembershipRecord | undefined
  /** The acceptor's promise; undefined for none. */
  readonly promised: { readonly round: number; readonly nodeId: NodeId } | undefined
  readonly decidedUpTo: Slot
  /** Of the last checkpoint. */
  readonly appliedUpTo: Slot
  readonly compactedUpTo: Slot
  /** Of the log after appliedUpTo; 0 before there is a checkpoint. */
  readonly level: number
  /** Up to appliedUpTo, the last 1,024 that an operator has had skipped. */
  readonly skippedSlots: readonly Slot[]
  readonly log: RecordCount
  readonly state: RecordCount
  readonly history: RecordCount
  readonly checkpoint: { readonly timeMs: number; readonly stateDigest: number; readonly generation: 0 | 1 }
  /** A checkpoint from a peer that has not come in full. */
  readonly incoming: { readonly slot: Slot; readonly bytesTotal: number; readonly received: RecordCount } | undefined
  /** Entries of an earlier checkpoint that the node has not come round to delete. */
  readonly leftOver: RecordCount
}

/** A directory in use is read again when its files change meanwhile. */
const ATTEMPTS_MAX = 3

/**
 * Reads all of a node's data directory: every file, every record, and whether they belong together. Changes nothing, takes no lock and
 * never opens LevelDB, which would rewrite its files. What is wrong is in the findings.
 *
 * @throws what nobody could expect
 */
export async function diagnose(directory: string, onProgress: OnProgress = () => undefined): Promise<Diagnosis> {
  const doctor = new Doctor(pathsIn(resolve(directory)), onProgress)
  return doctor.diagnose()
}

class Doctor {
  readonly #paths: DirectoryPaths
  readonly #onProgress: OnProgress
  readonly #findings: Finding[] = []
  #identity: Identity | undefined
  /** What is wrong with identity.json. */
  #identityFault: string | undefined

  constructor(paths: DirectoryPaths, onProgress: OnProgress) {
    this.#paths = paths
    this.#onProgress = onProgress
  }

  async diagnose(): Promise<Diagnosis> {
    const { directory } = this.#paths
    const holder = this.#try(() => lockHolder(directory))
    if (holder !== undefined) this.#noteHolder(holder)
    const replaces = this.#try(() => readReplaced(this.#paths))
    if (replaces !== undefined) this.#noteReplaced(replaces)
    const setAside = this.#try(() => setAsideIn(directory)) ?? []
    for (const folder of setAside) this.#note(finding('SET_ASIDE', `${join(directory, folder.name)} holds damaged files`))
    const isThere = this.#lookForContents()
    const lastWrite = isThere ? this.#examineBesides() : undefined
    const contents = isThere ? await this.#examineDatabase(lastWrite, holder?.isAlive === true) : undefined
    if (this.#identityFault !== undefined) this.#noteNoIdentity(this.#identityFault, contents?.owner)
    return {
      directory,
      isHealthy: !this.#findings.some(({ kind }) => kind === 'fault'),
      findings: this.#findings,
      identity: this.#identity,
      holder,
      lastWrite,
      replaces,
      setAside,
      contents,
    }
  }

  #note(found: Finding): void {
    this.#findings.push(found)
  }

  #noteHolder({ pid, hostname, isAlive }: LockHolder): void {
    const process = `process ${pid} on ${hostname}`
    if (isAlive) this.#note(finding('IN_USE', `${process} holds the directory`))
    else this.#note(finding('UNCLEAN_STOP', `${process} has left its lock behind`))
  }

  #noteReplaced({ dataDirId, asideIn, isMoved }: ReplacedNote): void {
    const { directory } = this.#paths
    if (isMoved)
      this.#note(finding('REPLACING', `this directory takes the place of ${dataDirId}, which is in ${join(directory, asideIn)}`))
    else this.#note(finding('UNFINISHED', `damaged files are still to be moved to ${join(directory, asideIn)}`))
  }

  #noteNoIdentity(fault: string, owner: Identity | undefined): void {
    const says = owner === undefined ? '' : `; its database says that it is node ${owner.nodeId}'s (directory ${owner.dataDirId})`
    this.#note(finding('NO_IDENTITY', fault + says, owner?.nodeId))
  }

  /** False when there is nothing more to look at. */
  #lookForContents(): boolean {
    const { directory, identity, draft, witness, database } = this.#paths
    if ([identity, witness, database].some((path) => existsSync(path))) {
      if (existsSync(identity) || !existsSync(draft)) return true
    }
    if (existsSync(draft)) this.#note(finding('UNFINISHED', `${directory} was being made: ${draft} is still there`))
    else if (this.#findings.every(({ code }) => code !== 'UNFINISHED' && code !== 'REPLACING' && code !== 'UNREADABLE')) {
      const inFolders = foldersWithIdentity(directory)
      const instead = inFolders.length === 0 ? '' : `, but in ${inFolders.join(', ')} within it`
      this.#note(finding('MISSING', `there is no node's data in ${directory}${instead}`))
    }
    return false
  }

  /** The identity and the witness. Gives what the witness says. */
  #examineBesides(): number | undefined {
    try {
      this.#identity = identityIn(this.#paths)
    } catch (error) {
      const found = this.#findingOf(error)
      if (found.code === 'DAMAGED') this.#identityFault = found.what
      else this.#note(found)
      return undefined
    }
    const identity = this.#identity
    return identity === undefined ? undefined : this.#try(() => readLastWritten(this.#paths, identity))
  }

  async #examineDatabase(lastWrite: number | undefined, isInUse: boolean): Promise<Inventory | undefined> {
    for (let attempt = 1; ; attempt++) {
      const census = new Census()
      try {
        const contents = await this.#readContents(census)
        this.#checkBelonging(contents, lastWrite)
        const { applyFailure, unsupportedLevel } = contents
        if (applyFailure !== undefined)
          this.#note(finding('APPLY_FAILED', `slot ${applyFailure.slot} cannot be carried out: ${applyFailure.what}`))
        if (unsupportedLevel !== undefined) this.#note(finding('UNSUPPORTED_LEVEL', levelText(unsupportedLevel)))
        return inventoryOf(contents, census)
      } catch (error) {
        const faults = await this.#faultsOf(error)
        if (!isInUse) {
          for (const fault of faults) this.#note(fault)
          return undefined
        }
        if (attempt < ATTEMPTS_MAX) continue
        this.#note(finding('CHANGING', faults.map(({ what }) => what).join('; ')))
        return undefined
      }
    }
  }

  /** As a start does it, and the history, too. */
  #readContents(census: Census): Promise<Contents> {
    const { directory, database } = this.#paths
    return verify(census.of(readDatabase(directory, database, { onProgress: this.#onProgress })), { skipsHistory: false })
  }

  /** A start stops at the first damaged file; whoever looks into it wants to know of all. */
  async #faultsOf(error: unknown): Promise<Finding[]> {
    const first = this.#findingOf(error)
    if (first.code !== 'DAMAGED' || error instanceof RecordError) return [first]
    const faults: Finding[] = []
    for await (const fault of findDamagedFiles(this.#paths.directory, this.#paths.database)) faults.push(this.#findingOf(fault))
    return faults.length === 0 ? [first] : faults
  }

  #checkBelonging({ owner, lastNumber }: Contents, lastWrite: number | undefined): void {
    const { database, directory } = this.#paths
    const identity = this.#identity
    if (identity === undefined) return
    if (owner.dataDirId !== identity.dataDirId || owner.nodeId !== identity.nodeId) {
      const what = `${database} is node ${owner.nodeId}'s (directory ${owner.dataDirId}), but ${directory} is that of node ${identity.nodeId} (directory ${identity.dataDirId})`
      this.#note(finding('FOREIGN', what, identity.nodeId))
    } else if (lastWrite !== undefined && lastWrite > lastNumber) {
      const what = `${database} ends with write ${lastNumber}, but write ${lastWrite} was durable: LevelDB's log was cut or deleted, or the database is an older copy`
      this.#note(finding('LOST_WRITES', what, identity.nodeId))
    }
  }

  #try<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      this.#note(this.#findingOf(error))
      return undefined
    }
  }

  /** @throws what is not about the directory */
  #findingOf(error: unknown): Finding {
    const nodeId: NodeId | undefined = this.#identity?.nodeId
    if (error instanceof UnknownFormatError) return finding('UNSUPPORTED_FORMAT', `in the database, ${error.message}`, nodeId)
    if (error instanceof RecordError) return finding('DAMAGED', `in the database, ${error.message}`, nodeId)
    if (error instanceof StorageError && error.code === 'LOCKED') return finding('IN_USE', error.what, nodeId)
    if (error instanceof StorageError && (error.code === 'DAMAGED' || error.code === 'UNSUPPORTED_FORMAT')) {
      return finding(error.code, error.what, nodeId)
    }
    if (error instanceof Error && systemCodeOf(error) !== '') return finding('UNREADABLE', error.message, nodeId)
    throw error
  }
}

function inventoryOf(contents: Contents, census: Census): Inventory {
  const { owner, head, genesis, checkpoint, incoming, lastNumber } = contents
  const { generation } = checkpoint
  const { appliedUpTo, timeMs, stateDigest, memberships } = checkpoint.info
  const { decidedUpTo, promised, compactedUpTo } = head
  const other = otherGeneration(generation)
  const besides = sumOf(census.entries('state', other), census.entries('history', other))
  return {
    owner: { nodeId: owner.nodeId, dataDirId: owner.dataDirId },
    lastWrite: lastNumber,
    clusterId: genesis?.clusterId,
    membership: census.latestMembership({ genesis, memberships, appliedUpTo, decidedUpTo }),
    promised: promised === NO_BALLOT ? undefined : { round: roundOf(promised), nodeId: nodeOf(promised) },
    decidedUpTo,
    appliedUpTo,
    compactedUpTo,
    level: checkpoint.info.level,
    skippedSlots: checkpoint.info.skippedSlots,
    log: census.log,
    state: census.entries('state', generation),
    history: census.entries('history', generation),
    checkpoint: { timeMs, stateDigest, generation },
    incoming: incoming && { slot: incoming.header.slot, bytesTotal: incoming.header.bytes, received: besides },
    leftOver: incoming === undefined ? besides : { count: 0, bytes: 0 },
  }
}

function levelText({ level, levelVersion }: RaisedLevel): string {
  return `the log is at level ${level}${levelVersion === '' ? '' : `, which version ${levelVersion} has raised`}: the version that ran here last does not know it`
}

function sumOf(a: RecordCount, b: RecordCount): RecordCount {
  return { count: a.count + b.count, bytes: a.bytes + b.bytes }
}

function setAsideIn(directory: string): SetAside[] {
  if (!existsSync(directory)) return []
  const names = readdirSync(directory).filter((name) => ASIDE.test(name))
  return names.map((name) => {
    const path = join(directory, name)
    return { name, bytes: bytesIn(path), identity: identityOrNothing(path) }
  })
}

/** As `synod dev` keeps those of its nodes. */
function foldersWithIdentity(directory: string): string[] {
  if (!existsSync(directory) || !lstatSync(directory).isDirectory()) return []
  return readdirSync(directory).filter((name) => !ASIDE.test(name) && existsSync(pathsIn(join(directory, name)).identity))
}

function identityOrNothing(directory: string): Identity | undefined {
  try {
    return identityIn(pathsIn(directory))
  } catch {
    return undefined
  }
}

function bytesIn(path: string): number {
  const status = lstatSync(path)
  if (!status.isDirectory()) return status.size
  return readdirSync(path).reduce((sum, name) => sum + bytesIn(join(path, name)), 0)
}
