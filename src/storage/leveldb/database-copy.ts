import { constants } from 'node:fs'
import { copyFile, link, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { systemCodeOf } from '../storage-error.js'
import type { DatabasePaths, DatabaseView, ViewRange } from './database.js'
import { readDatabase } from './read-database.js'

const FILE = /^(\d+\.(ldb|log)|MANIFEST-\d+|CURRENT)$/
/** LevelDB writes on to these. */
const GROWING = /^(\d+\.log|MANIFEST-\d+)$/
/** The file is the same one in both folders: nothing that is added to it is missed. */
const LINKED = Number.POSITIVE_INFINITY
/** LevelDB changes its manifest a few times a second at most, and an attempt takes some milliseconds. */
const ATTEMPTS_MAX = 100

/**
 * A database as it was at one moment, to be read while LevelDB writes on: its files once more, in another folder. LevelDB never changes a
 * table that is in use, and only adds to its logs and its manifest: of these the copy ends where they ended then. They are hard links,
 * which take neither time nor room; where the file system has none, copies.
 */
export class DatabaseCopy implements DatabaseView {
  readonly #paths: DatabasePaths
  readonly #folder: string
  /** How much of each file was taken, in bytes. */
  readonly #taken = new Map<string, number>()
  /** Of the growing files. */
  #ends: ReadonlyMap<string, number> = new Map()

  private constructor(paths: DatabasePaths, folder: string) {
    this.#paths = paths
    this.#folder = folder
  }

  /** Takes the files that there are, which is most of the work. To be followed by finish, or closed. @throws what node:fs throws */
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
   * Takes what has come since. No write may be under way until it resolves: so only LevelDB itself changes files, and before it removes one
   * that was in use it adds to its manifest.
   *
   * @throws what node:fs throws
   */
  async finish(): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const before = await this.#growingFiles()
      await this.#take()
      this.#ends = await this.#growingFiles()
      if (isDeepStrictEqual(before, this.#ends)) return
    }
    throw new Error(`the files of ${this.#paths.database} change all the time`)
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
      const found = await unlessGone(stat(join(this.#paths.database, name)))
      if (found !== undefined) sizes.set(name, found.size)
    }
    return sizes
  }

  async #take(): Promise<void> {
    for (const name of await readdir(this.#paths.database)) {
      if (!FILE.test(name) || this.#taken.get(name) === LINKED) continue
      const bytes = await unlessGone(this.#takeFile(name))
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

/** LevelDB removes files that it needs no more at any time. */
async function unlessGone<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
