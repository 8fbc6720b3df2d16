import { constants } from 'node:fs'
import { copyFile, link, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { systemCodeOf } from '../storage-error.js'
import type { DatabasePaths, DatabaseView, ViewRange } from './database-view.js'
import { readDatabase } from './read-database.js'

const FILE = /^(\d+\.(ldb|log)|MANIFEST-\d+|CURRENT)$/
/** Files that LevelDB appends to. */
const GROWING = /^(\d+\.log|MANIFEST-\d+)$/
/** Marks a hard link: the file is the same in both folders and includes all that is appended later. */
const LINKED = Number.POSITIVE_INFINITY
/** Most attempts to find the files unchanged. LevelDB changes its manifest a few times a second at most; an attempt takes milliseconds. */
const ATTEMPTS_MAX = 100

/**
 * The files of a database at one moment, in another folder, to be read while LevelDB goes on writing. LevelDB never changes a table
 * that is in use and only appends to its logs and its manifest; the copy notes where these ended. The files are hard links, which take
 * neither time nor space, or copies where the file system has no hard links.
 */
export class DatabaseCopy implements DatabaseView {
  readonly #paths: DatabasePaths
  readonly #folder: string
  /** Bytes taken of each file, by name. */
  readonly #taken = new Map<string, number>()
  /** Sizes of the growing files at the moment of the copy, by name. */
  #ends: ReadonlyMap<string, number> = new Map()

  private constructor(paths: DatabasePaths, folder: string) {
    this.#paths = paths
    this.#folder = folder
  }

  /** Takes the present files, which is most of the work. The caller must call finish or close. @throws errors of node:fs */
  static async begin(paths: DatabasePaths): Promise<DatabaseCopy> {
    await mkdir(paths.views, { recursive: true, mode: 0o700 })
    const copy = new DatabaseCopy(paths, await mkdtemp(join(paths.views, 'view-')))
    try {
      await copy.#take()
      return copy
    } catch (error) {
      await copy.close()
      throw error
    }
  }

  /**
   * Takes the files that are new since begin. No write may be in progress until it resolves. Then only LevelDB itself changes files, and
   * it appends to its manifest before it removes a file that was in use.
   *
   * @throws errors of node:fs
   */
  async finish(): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const before = await this.#growingFiles()
      await this.#take()
      this.#ends = await this.#growingFiles()
      if (isDeepStrictEqual(before, this.#ends)) return
    }
    throw new Error(`the files of ${this.#paths.database} keep changing`)
  }

  pages({ tags, from }: ViewRange): AsyncIterable<[Buffer, Buffer][]> {
    const wanted = (tag: number): boolean => tags.includes(tag)
    return readDatabase(this.#paths.directory, this.#folder, { wanted, from, ends: this.#ends, skipsUnwanted: true })
  }

  close(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true })
  }

  async #growingFiles(): Promise<Map<string, number>> {
    const sizes = new Map<string, number>()
    for (const name of await readdir(this.#paths.database)) {
      if (!GROWING.test(name)) continue
      const found = await unlessMissing(stat(join(this.#paths.database, name)))
      if (found !== undefined) sizes.set(name, found.size)
    }
    return sizes
  }

  async #take(): Promise<void> {
    for (const name of await readdir(this.#paths.database)) {
      if (!FILE.test(name) || this.#taken.get(name) === LINKED) continue
      const bytes = await unlessMissing(this.#takeFile(name))
      if (bytes !== undefined) this.#taken.set(name, bytes)
    }
  }

  async #takeFile(name: string): Promise<number> {
    const [from, to] = [join(this.#paths.database, name), join(this.#folder, name)]
    const taken = this.#taken.get(name)
    if (taken === undefined) {
      try {
        await link(from, to)
        return LINKED
      } catch (error) {
        if (systemCodeOf(error) === 'ENOENT') throw error
      }
    } else if (taken === (await stat(from)).size) return taken
    await copyFile(from, to, constants.COPYFILE_FICLONE)
    return (await stat(to)).size
  }
}

/** Returns undefined for a missing file: LevelDB may remove obsolete files at any time. */
async function unlessMissing<T>(access: Promise<T>): Promise<T | undefined> {
  try {
    return await access
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
