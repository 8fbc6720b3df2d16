import { closeSync, openSync, readSync } from 'node:fs'
import { decodeText } from '../text/text.js'
import { usageError } from './failure.js'

/** A request may have 4 MiB; JSON needs more room for the same. */
const INPUT_BYTES_MAX = 16 * 1024 * 1024
/** Of files that people write by hand, or that we write in a few lines. */
export const SMALL_FILE_BYTES_MAX = 1024 * 1024

/**
 * A JSON argument: the text itself, `-` for what stands on stdin, `@FILE` for what is in the file.
 * @throws CliError (usage)
 */
export async function readTextArgument(argument: string, what: string): Promise<string> {
  if (argument === '-') return textOf(await readStdin(), `${what} on stdin`)
  return argument.startsWith('@') ? readTextFile(argument.slice(1), what, INPUT_BYTES_MAX) : argument
}

/** All bytes of a file, or of stdin for `-`. @throws CliError (usage) */
export async function readBytes(file: string, what: string): Promise<Uint8Array> {
  return file === '-' ? readStdin() : readFileBounded(file, what, INPUT_BYTES_MAX)
}

/** A whole file as text. @throws CliError (usage) that names the file, when it is unreadable, no UTF-8, or larger than bytesMax */
export function readTextFile(file: string, what: string, bytesMax: number): string {
  return textOf(readFileBounded(file, what, bytesMax), `${what} ${file}`)
}

/** Not beyond a bound: a device has no end. */
function readFileBounded(file: string, what: string, bytesMax: number): Buffer {
  let fd: number | undefined
  try {
    fd = openSync(file, 'r')
    const buffer = Buffer.allocUnsafe(bytesMax + 1)
    let length = 0
    for (;;) {
      const count = readSync(fd, buffer, length, buffer.length - length, null)
      length += count
      if (length > bytesMax) throw new RangeError(`it is larger than ${bytesMax} bytes`)
      if (count === 0) return Buffer.from(buffer.subarray(0, length))
    }
  } catch (error) {
    throw usageError(`cannot read ${what} ${file}: ${(error as Error).message}`)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > INPUT_BYTES_MAX) throw usageError(`stdin has more than ${INPUT_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function textOf(bytes: Uint8Array, what: string): string {
  try {
    return decodeText(bytes)
  } catch {
    throw usageError(`${what} is not UTF-8`)
  }
}
