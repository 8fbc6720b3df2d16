import { setImmediate } from 'node:timers/promises'
import { StorageError } from '../storage-error.js'
import { type CheckedTable, DatabaseFiles, type Ends, type OnProgress } from './database-files.js'
import { BlockReader } from './leveldb-block.js'
import { compareInternalKeys, compareKeys, type Entries, TRAILER_BYTES } from './leveldb-entries.js'
import type { LiveTable } from './leveldb-manifest.js'
import { MemTable } from './leveldb-memtable.js'
import { mergeRuns, SortedRun } from './leveldb-merge.js'
import type { TableBounds } from './leveldb-table.js'

// LevelDB checks almost nothing that it reads, and reading a million entries through it takes 4.6 s. So a start reads the files itself,
// once: it checks every byte that LevelDB will use, and decodes the entries that LevelDB's iterator would return.

export interface DatabaseReadOptions {
  /** Tells whether keys with this first byte are wanted; the other entries are only checked. All are wanted by default. */
  readonly wanted?: (firstByte: number) => boolean
  /** Lower bound: blocks of entries before it with the same first byte may be left out. */
  readonly from?: Buffer | undefined
  /** Skips the check of tables without wanted entries. */
  readonly skipsUnwanted?: boolean
  readonly ends?: Ends
  readonly onProgress?: OnProgress
}

/**
 * Reads the live entries of a database that no process has open, in pages, in the order of their keys. Every file that LevelDB would
 * use is checked, wanted or not. Keys and records are views of bigger buffers: a caller that keeps one must copy it. One or two tables
 * of each level are in memory (all tables of level 0). The event loop takes a turn after each page and each file.
 *
 * `directory` is for messages, `path` is LevelDB's own folder. Nothing is changed.
 *
 * @throws StorageError DAMAGED that names the file and the place in it; errors of node:fs
 */
export async function* readDatabase(
  directory: string,
  path: string,
  options: DatabaseReadOptions = {},
): AsyncGenerator<[Buffer, Buffer][]> {
  const { wanted: isWanted = () => true, from, skipsUnwanted = false } = options
  const files = await DatabaseFiles.find(directory, path, options)
  const memTable = new MemTable((key) => key.length === 0 || isWanted(key[0] as number))
  for (const name of files.logs) await files.readLog(name, (records) => memTable.add(records))
  const tables = new TableReader(files, { isWanted, from })
  if (!skipsUnwanted) await tables.check()
  for await (const page of mergeRuns([new SortedRun(only(memTable.entries())), ...tables.runs()])) {
    yield page
    await setImmediate()
  }
}

/** Returns a StorageError DAMAGED for each damaged file that LevelDB would use. @throws errors of node:fs */
export async function* findDamagedFiles(directory: string, path: string): AsyncGenerator<StorageError> {
  try {
    const files = await DatabaseFiles.find(directory, path)
    for (const name of files.logs) {
      yield* damageOf(() => files.readLog(name, (records) => new MemTable(() => false).add(records)))
    }
    for (const table of files.tables) yield* damageOf(() => files.readTable(table))
  } catch (error) {
    if (!isDamage(error)) throw error
    yield error
  }
}

async function* damageOf(read: () => Promise<unknown>): AsyncGenerator<StorageError> {
  try {
    await read()
  } catch (error) {
    if (!isDamage(error)) throw error
    yield error
  }
}

function isDamage(error: unknown): error is StorageError {
  return error instanceof StorageError && error.code === 'DAMAGED'
}

const NOTHING = Buffer.alloc(0)

class TableReader {
  readonly #files: DatabaseFiles
  readonly #isWanted: (firstByte: number) => boolean
  readonly #from: Buffer
  readonly #blocks: BlockReader

  constructor(
    files: DatabaseFiles,
    { isWanted, from = NOTHING }: { readonly isWanted: (firstByte: number) => boolean; readonly from: Buffer | undefined },
  ) {
    this.#files = files
    this.#isWanted = isWanted
    this.#from = from
    this.#blocks = new BlockReader(isWanted)
  }

  /** Checks the tables without wanted entries. */
  async check(): Promise<void> {
    const tables = this.#files.tables.filter((table) => !this.#mayHoldWanted(table))
    for await (const _ of this.#read(tables));
  }

  /** Returns the runs of the other tables. */
  runs(): SortedRun[] {
    const levels: LiveTable[][] = []
    const runs: LiveTable[][] = []
    for (const table of this.#files.tables) {
      if (!this.#mayHoldWanted(table)) continue
      if (table.level === 0) runs.push([table])
      else (levels[table.level] ??= []).push(table)
    }
    for (const tables of levels)
      if (tables !== undefined) runs.push(tables.toSorted((a, b) => compareInternalKeys(a.smallest, b.smallest)))
    return runs.map((tables) => new SortedRun(this.#entriesOf(tables)))
  }

  async *#entriesOf(tables: readonly LiveTable[]): AsyncGenerator<Iterable<Entries>> {
    for await (const [table, contents] of this.#read(tables)) yield this.#entriesIn(table, contents)
  }

  *#entriesIn(table: LiveTable, { file, blocks }: CheckedTable): Generator<Entries> {
    let { smallest } = table
    try {
      for (const block of blocks) {
        if (this.#mayHoldWanted({ smallest, largest: block.separator })) yield this.#blocks.read(file, block)
        smallest = block.separator
      }
    } catch (error) {
      throw this.#files.faultIn(table, error)
    }
  }

  /** Reads the tables in sequence; the next table is read while the current one is used. */
  async *#read(tables: readonly LiveTable[]): AsyncGenerator<[LiveTable, CheckedTable]> {
    let ahead = this.#readAhead(tables[0])
    for (const [i, table] of tables.entries()) {
      const contents = (await ahead) as CheckedTable
      ahead = this.#readAhead(tables[i + 1])
      yield [table, contents]
    }
  }

  #readAhead(table: LiveTable | undefined): Promise<CheckedTable | undefined> {
    const reading = table === undefined ? Promise.resolve(undefined) : this.#files.readTable(table)
    // The error reaches the reader that awaits the promise. When another table fails first, no reader awaits it.
    reading.catch(() => undefined)
    return reading
  }

  /** Returns true when a wanted key can be within the bounds, which are internal keys. The empty key counts as wanted. */
  #mayHoldWanted({ smallest, largest }: TableBounds): boolean {
    if (smallest.length <= TRAILER_BYTES) return true
    for (let byte = smallest[0] as number; byte < (largest[0] as number); byte++) if (this.#isWanted(byte)) return true
    if (!this.#isWanted(largest[0] as number)) return false
    const isBefore = largest[0] === this.#from[0] && compareKeys(largest.subarray(0, -TRAILER_BYTES), this.#from) < 0
    return !isBefore
  }
}

async function* only<T>(item: T): AsyncGenerator<T> {
  yield item
}
