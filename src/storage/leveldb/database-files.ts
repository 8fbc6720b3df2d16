import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { damaged, systemCodeOf } from '../storage-error.js'
import { FileFormatError } from './file-format-error.js'
import { type LevelRecord, readLevelLog } from './leveldb-log.js'
import { type LiveTable, readManifest } from './leveldb-manifest.js'
import { type DataBlock, readTable } from './leveldb-table.js'

/** A table file whose blocks match their checksums. */
export interface CheckedTable {
  readonly file: Buffer
  readonly blocks: readonly DataBlock[]
}

/** Ends of files, in bytes, by name. Bytes after an end are ignored: LevelDB has appended them since. */
export type Ends = ReadonlyMap<string, number>

/** Receives the bytes checked so far and the bytes of all files in use. */
export type OnProgress = (bytesDone: number, bytesTotal: number) => void

/**
 * The files that LevelDB would use at the next open. Nothing is ever changed. Other files, such as an unfinished table of a killed
 * process, are ignored.
 */
export class DatabaseFiles {
  readonly #directory: string
  readonly #path: string
  readonly #ends: Ends
  readonly #onProgress: OnProgress
  readonly tables: readonly LiveTable[]
  /** Names of the logs, the oldest first. */
  readonly logs: readonly string[]
  readonly #bytesTotal: number
  #bytesDone = 0

  private constructor(options: {
    readonly directory: string
    readonly path: string
    readonly ends: Ends
    readonly onProgress: OnProgress
    readonly tables: readonly LiveTable[]
    readonly logs: readonly string[]
    readonly bytesTotal: number
  }) {
    this.#directory = options.directory
    this.#path = options.path
    this.#ends = options.ends
    this.#onProgress = options.onProgress
    this.tables = options.tables
    this.logs = options.logs
    this.#bytesTotal = options.bytesTotal
  }

  /** Finds the files in use. `directory` is for messages. @throws StorageError DAMAGED that names the file */
  static async find(
    directory: string,
    path: string,
    options: { readonly onProgress?: OnProgress; readonly ends?: Ends } = {},
  ): Promise<DatabaseFiles> {
    const { onProgress = () => undefined, ends = new Map() } = options
    const names = await readdir(path).catch((error: unknown) => {
      throw systemCodeOf(error) === 'ENOENT' ? damaged(directory, `${path} is missing`) : error
    })
    const source = { directory, path, ends }
    const { firstLog, tables } = await readWhole(source, await readWhole(source, 'CURRENT', manifestIn), readManifest)
    const logs = logsFrom(firstLog, names)
    let bytesTotal = tables.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const name of logs) bytesTotal += (await stat(join(path, name)).catch(() => undefined))?.size ?? 0
    return new DatabaseFiles({ directory, path, ends, onProgress, tables, logs, bytesTotal })
  }

  /** Calls `take` with the records of a log. A FileFormatError of `take` counts as damage of the file. @throws StorageError DAMAGED */
  readLog(name: string, take: (records: Iterable<LevelRecord>) => Promise<void>): Promise<void> {
    return readWhole(this.#source, name, async (file) => {
      await take(readLevelLog(file))
      this.#count(file.length)
    })
  }

  /** Reads and checks a table. @throws StorageError DAMAGED */
  readTable(table: LiveTable): Promise<CheckedTable> {
    return readWhole(this.#source, fileName(table.number, 'ldb'), (file) => {
      if (file.length !== table.bytes) throw new FileFormatError(`it has ${file.length} bytes, not ${table.bytes}`)
      const blocks = readTable(file, table)
      this.#count(file.length)
      return { file, blocks }
    })
  }

  /** Turns a FileFormatError of a table into a StorageError; returns any other error as it is. */
  faultIn(table: LiveTable, error: unknown): unknown {
    return faultOf(this.#source, fileName(table.number, 'ldb'), error)
  }

  get #source(): Source {
    return { directory: this.#directory, path: this.#path, ends: this.#ends }
  }

  #count(bytes: number): void {
    this.#bytesDone += bytes
    this.#onProgress(this.#bytesDone, this.#bytesTotal)
  }
}

interface Source {
  readonly directory: string
  readonly path: string
  readonly ends: Ends
}

async function readWhole<T>(source: Source, name: string, parse: (file: Buffer) => T | Promise<T>): Promise<T> {
  const path = join(source.path, name)
  const handle = await open(path).catch((error: unknown) => {
    throw systemCodeOf(error) === 'ENOENT' ? damaged(source.directory, `${path} is missing`) : error
  })
  try {
    return await parse(await contentsOf(handle, source.ends.get(name)))
  } catch (error) {
    throw faultOf(source, name, error)
  } finally {
    await handle.close()
  }
}

async function contentsOf(handle: FileHandle, bytesMax = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const size = Math.min(bytesMax, (await handle.stat()).size)
  const contents = Buffer.allocUnsafeSlow(size)
  let end = 0
  while (end < size) {
    const { bytesRead } = await handle.read(contents, end, size - end, end)
    if (bytesRead === 0) break
    end += bytesRead
  }
  return contents.subarray(0, end)
}

function faultOf({ directory, path }: Source, name: string, error: unknown): unknown {
  if (!(error instanceof FileFormatError || error instanceof RangeError)) return error
  return damaged(directory, `${join(path, name)} is damaged: ${error.message}`, { cause: error })
}

/** Returns the name of the manifest, which CURRENT holds. */
function manifestIn(current: Buffer): string {
  const name = current.toString('latin1').trimEnd()
  if (!/^MANIFEST-\d+$/.test(name)) throw new FileFormatError('it does not name a manifest')
  return name
}

/** Returns the names of the logs in use. The first always exists; later ones exist when LevelDB has begun them. */
function logsFrom(first: number, names: readonly string[]): string[] {
  const numbers = names.map((name) => Number(/^(\d+)\.log$/.exec(name)?.[1] ?? 0)).filter((number) => number > first)
  return [first, ...numbers.toSorted((a, b) => a - b)].map((number) => fileName(number, 'log'))
}

function fileName(number: number, extension: string): string {
  return `${String(number).padStart(6, '0')}.${extension}`
}
