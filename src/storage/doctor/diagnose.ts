import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { NodeId } from '../../paxos/types.js'
import type { RaisedLevel } from '../../replication/levels.js'
import { type DirectoryPaths, type Identity, identityIn, pathsIn, readLastWritten } from '../directory/data-directory.js'
import { type LockHolder, lockHolder } from '../directory/directory-lock.js'
import { ASIDE, type Replaced, type ReplacedNote, readReplaced } from '../directory/set-aside.js'
import type { OnProgress } from '../leveldb/database-files.js'
import { findDamagedFiles, readDatabase } from '../leveldb/read-database.js'
import { RecordError, UnknownFormatError } from '../records.js'
import { StorageError, systemCodeOf } from '../storage-error.js'
import { Census } from './census.js'
import { type Finding, finding } from './findings.js'
import { type Inventory, inventoryOf } from './inventory.js'
import { type Contents, verify } from './verify.js'

/** The readable contents of a data directory, and the problems found. */
export interface Diagnosis {
  readonly directory: string
  readonly isHealthy: boolean
  readonly findings: readonly Finding[]
  readonly identity: Identity | undefined
  /** The process that holds the directory, or that ended without releasing it. */
  readonly holder: LockHolder | undefined
  /** The number of the last durable write, from the witness. */
  readonly lastWrite: number | undefined
  readonly replaces: Replaced | undefined
  readonly setAside: readonly SetAside[]
  /** Undefined when the database is damaged. */
  readonly contents: Inventory | undefined
}

/** A folder with contents that were found damaged earlier. */
interface SetAside {
  readonly name: string
  readonly bytes: number
  /** Undefined when it cannot be read. */
  readonly identity: Identity | undefined
}

/** Most attempts to read a directory in use whose files change meanwhile. */
const ATTEMPTS_MAX = 3

/**
 * Reads and checks all of a node's data directory: every file, every record, and that they belong together. Changes nothing, takes no
 * lock and never opens LevelDB, which would rewrite its files. Problems are in the findings.
 *
 * @throws unexpected errors that are not about the directory
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
  /** The problem with identity.json, if any. */
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
    const lastWrite = isThere ? this.#examineIdentityAndWitness() : undefined
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
    else this.#note(finding('UNCLEAN_STOP', `${process} ended without releasing the directory`))
  }

  #noteReplaced({ dataDirId, asideIn, isMoved }: ReplacedNote): void {
    const { directory } = this.#paths
    if (isMoved)
      this.#note(finding('REPLACING', `this directory replaces ${dataDirId}, whose files are in ${join(directory, asideIn)}`))
    else this.#note(finding('UNFINISHED', `damaged files are still to be moved to ${join(directory, asideIn)}`))
  }

  #noteNoIdentity(fault: string, owner: Identity | undefined): void {
    const says = owner === undefined ? '' : `; its database says that it is node ${owner.nodeId}'s (directory ${owner.dataDirId})`
    this.#note(finding('NO_IDENTITY', fault + says, owner?.nodeId))
  }

  /** Returns false when there are no contents to examine. */
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

  /** Reads the identity and the witness; returns the number in the witness. */
  #examineIdentityAndWitness(): number | undefined {
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

  /** Reads and checks the database as a start does, with the history in addition. */
  #readContents(census: Census): Promise<Contents> {
    const { directory, database } = this.#paths
    return verify(census.of(readDatabase(directory, database, { onProgress: this.#onProgress })), { skipsHistory: false })
  }

  /** Returns a finding for each damaged file. (A start stops at the first one.) */
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

  /** Turns an error into a finding. @throws the error when it is not about the directory */
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

function levelText({ level, levelVersion }: RaisedLevel): string {
  return `the log is at level ${level}${levelVersion === '' ? '' : `, which version ${levelVersion} has raised`}: the version that ran here last does not know it`
}

function setAsideIn(directory: string): SetAside[] {
  if (!existsSync(directory)) return []
  const names = readdirSync(directory).filter((name) => ASIDE.test(name))
  return names.map((name) => {
    const path = join(directory, name)
    return { name, bytes: bytesIn(path), identity: identityOrNothing(path) }
  })
}

/** Returns the subfolders that hold a node's data, as those of `synod dev` do. */
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
