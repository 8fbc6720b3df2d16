import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { systemCodeOf } from '../storage/storage-error.js'

/** Writes bytes, perhaps not all of them; gives how many. Throws as node:fs does. */
export type WriteSome = (bytes: Uint8Array) => number

/**
 * Where a node's log goes. A line that cannot be written (a full disk, a terminal that is gone, a pipe that nobody reads) is dropped: a node
 * goes on without its log. When lines can be written again, the first says how many are missing.
 */
export class LogSink {
  readonly #write: WriteSome
  /** The end of a line of which a part has been written. */
  #rest: Uint8Array | undefined
  #lostCount = 0
  #lostBecause = ''

  constructor(write: WriteSome = writerTo(2)) {
    this.#write = write
  }

  /** Lines that were dropped since the last that could be written. */
  get lostCount(): number {
    return this.#lostCount
  }

  /** Takes one line, with its end. Never throws, and never waits for a reader. */
  write(line: string): void {
    if (!this.#finishRest() || !this.#tellLost()) this.#lostCount++
    else if (this.#begin(Buffer.from(line)) === 0) this.#lostCount++
  }

  /** True when no line stands there in part. */
  #finishRest(): boolean {
    const rest = this.#rest
    if (rest === undefined) return true
    if (this.#begin(rest) === 0) this.#rest = rest
    return this.#rest === undefined
  }

  /** True when nothing was lost, or that has been told. */
  #tellLost(): boolean {
    if (this.#lostCount === 0) return true
    const msg = `${this.#lostCount} lines of this log were lost: it could not be written (${this.#lostBecause})`
    const line = `${JSON.stringify({ level: 40, time: Date.now(), pid: process.pid, msg })}\n`
    if (this.#begin(Buffer.from(line)) === 0) return false
    this.#lostCount = 0
    return this.#rest === undefined
  }

  /** Writes all of it, or a part, of which it keeps the rest for later. Gives how many bytes were written. */
  #begin(bytes: Uint8Array): number {
    let written = 0
    this.#rest = undefined
    try {
      while (written < bytes.length) written += this.#write(bytes.subarray(written))
    } catch (error) {
      this.#lostBecause = systemCodeOf(error) || String(error)
      if (written > 0) this.#rest = bytes.subarray(written)
    }
    return written
  }
}

/**
 * To a pipe or a terminal through an opening of its own that does not wait for the reader: the one that was inherited may, and shares that with
 * whoever else has it.
 */
function writerTo(fd: number): WriteSome {
  const out = waitless(fd) ?? fd
  return (bytes) => writeSync(out, bytes)
}

function waitless(fd: number): number | undefined {
  try {
    const stat = fstatSync(fd)
    if (!stat.isFIFO() && !stat.isCharacterDevice()) return undefined
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    return undefined
  }
}
