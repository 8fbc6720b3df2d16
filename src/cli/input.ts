import { closeSync, openSync, readSync } from 'node:fs'
import { decodeText } from '../encoding/text.js'
import { isClosed } from './closed.js'
import { usageError } from './failure.js'

const STDIN = 0
const STDIN_POLL_MS = 5
const CHUNK_BYTES = 64 * 1024
/** Bound of a request in JSON: 4 MiB take more room in JSON. */
const INPUT_BYTES_MAX = 16 * 1024 * 1024
/** Bound of files that are written by hand, or by us in a few lines. */
export const SMALL_FILE_BYTES_MAX = 1024 * 1024

/**
 * Reads a JSON argument: the text itself, `-` for stdin, `@FILE` for a file.
 * @throws CliError (usage)
 */
export function readTextArgument(argument: string, what: string): string {
  if (argument === '-') return readTextFile('-', what, INPUT_BYTES_MAX)
  return argument.startsWith('@') ? readTextFile(argument.slice(1), what, INPUT_BYTES_MAX) : argument
}

/** Reads all bytes of a file, or of stdin for `-`. @throws CliError (usage) */
export function readBytes(file: string, what: string): Uint8Array {
  return readBounded(file, what, INPUT_BYTES_MAX)
}

/** Reads a whole file as text, or stdin for `-`. @throws CliError (usage): the file is unreadable, not UTF-8, or larger than bytesMax */
export function readTextFile(file: string, what: string, bytesMax: number): string {
  return textOf(readBounded(file, what, bytesMax), file === '-' ? `${what} on stdin` : `${what} ${file}`)
}

/** Stops at a bound: a device has no end. */
function readBounded(file: string, what: string, bytesMax: number): Buffer {
  let fd: number | undefined
  try {
    if (file === '-' && isClosed(STDIN)) throw new Error('it is closed')
    fd = file === '-' ? STDIN : openSync(file, 'r')
    const chunks: Buffer[] = []
    for (let length = 0; ; ) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
      const count = readWaiting(fd, chunk)
      if (count === 0) return Buffer.concat(chunks)
      length += count
      if (length > bytesMax) throw new RangeError(`it is larger than ${bytesMax} bytes`)
      chunks.push(chunk.subarray(0, count))
    }
  } catch (error) {
    throw usageError(`cannot read ${what}${file === '-' ? ' on stdin' : ` ${file}`}: ${(error as Error).message}`)
  } finally {
    if (fd !== undefined && fd !== STDIN) closeSync(fd)
  }
}

/** Reads, and tries again while a pipe or a terminal that another process has made non-blocking has nothing yet. */
function readWaiting(fd: number, buffer: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, buffer, 0, buffer.length, null)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STDIN_POLL_MS)
    }
  }
}

function textOf(bytes: Uint8Array, what: string): string {
  try {
    return decodeText(bytes)
  } catch {
    throw usageError(`${what} is not UTF-8`)
  }
}
