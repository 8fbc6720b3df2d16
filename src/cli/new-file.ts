import { randomBytes } from 'node:crypto'
import { closeSync, constants, fsyncSync, lstatSync, openSync, rmSync, type Stats, writeSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { renameSynced } from '../storage/directory/files.js'
import { CliError } from './failure.js'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants
/** File mode: for the owner only. */
export const PRIVATE = 0o600
/** File mode: as the umask allows. */
export const SHARED = 0o666

/**
 * A file that appears whole and durable, or not at all. It is written beside its place under a random name, where nobody can have put a
 * link, and is renamed when it is complete. Of two written at once the last to finish stays, whole.
 */
export class NewFile {
  readonly #path: string
  readonly #draft: string
  readonly #fd: number
  #isOpen = true

  /** @throws CliError that names the file, when something that is not a regular file has its name, or its directory cannot be written */
  constructor(file: string, mode: number) {
    checkPlace(file)
    this.#path = resolve(file)
    this.#draft = join(dirname(this.#path), `.${basename(this.#path).slice(0, 100)}.${randomBytes(16).toString('hex')}.partial`)
    try {
      this.#fd = openSync(this.#draft, O_WRONLY | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0), mode)
    } catch (error) {
      throw cannotWrite(file, error)
    }
  }

  /** Appends bytes. @throws CliError */
  write(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done)
    } catch (error) {
      throw cannotWrite(this.#path, error)
    }
  }

  /** Renames it to its place, durably. @throws CliError */
  finish(): void {
    try {
      fsyncSync(this.#fd)
      this.#close()
      checkPlace(this.#path)
      renameSynced(this.#draft, this.#path)
    } catch (error) {
      throw error instanceof CliError ? error : cannotWrite(this.#path, error)
    }
  }

  /** Removes an unfinished file; does nothing to a finished one. */
  discard(): void {
    this.#close()
    rmSync(this.#draft, { force: true })
  }

  #close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeSync(this.#fd)
  }
}

/** Writes a whole file with NewFile. @throws CliError */
export function writeNewFile(file: string, contents: string | Uint8Array, mode: number): void {
  const made = new NewFile(file, mode)
  try {
    made.write(typeof contents === 'string' ? Buffer.from(contents) : contents)
    made.finish()
  } finally {
    made.discard()
  }
}

/**
 * Refuses a link, too: its owner expects neither that it is replaced nor that its target is written.
 * @throws CliError unless there is a regular file, or nothing
 */
export function checkPlace(file: string): void {
  if (file === '') throw new CliError('cannot write to a file without a name')
  if (file.endsWith('/')) throw new CliError(`cannot write ${file}: that is the name of a directory`)
  let stats: Stats | undefined
  try {
    stats = lstatSync(file, { throwIfNoEntry: false })
  } catch (error) {
    throw cannotWrite(file, error)
  }
  if (stats !== undefined && !stats.isFile())
    throw new CliError(`cannot write ${file}: it is ${kindOf(stats)}, and no regular file`)
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory'
  if (stats.isSymbolicLink()) return 'a symbolic link'
  if (stats.isFIFO()) return 'a pipe'
  if (stats.isSocket()) return 'a socket'
  return 'a device'
}

function cannotWrite(file: string, error: unknown): CliError {
  return new CliError(`cannot write ${file}: ${(error as Error).message}`, undefined, { cause: error })
}
