import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { systemCodeOf } from '../storage/storage-error.js'

/** Writes bytes, perhaps not all of them; returns the number written. Throws as node:fs does. */
export type WriteSome = (bytes: Uint8Array) => number

/**
 * The destination of a node's log. A line that cannot be written (full disk, closed terminal, a pipe that nobody reads) is dropped: the node
 * goes on without its log. When lines can be written again, the first one tells how many are missing.
 */
export class LogSink {
  readonly #write: WriteSome
  /** Rest of a line that was written in part. */
  #rest: Uint8Array | undefined
  #lostCount = 0
  #lostBecause = ''

  constructor(write: WriteSome = writerTo(2)) {
    this.#write = write
  }

  /** Number of lines dropped since the last one that could be written. */
  get lostCount(): number {
    return this.#lostCount
  }

  /** Takes one line, with its end. Never throws, and never waits for a reader. */
  write(line: string): void {
    if (!this.#finishRest() || !this.#tellLost()) this.#lostCount++
    else if (this.#begin(Buffer.from(line)) === 0) this.#lostCount++
  }

  /** Writes the rest of a partly written line. Returns true when none is left. */
  #finishRest(): boolean {
    const rest = this.#rest
    if (rest === undefined) return true
    if (this.#begin(rest) === 0) this.#rest = rest
    return this.#rest === undefined
  }

  /** Reports lost lines. Returns true when there are none, or they have been reported. */
  #tellLost(): boolean {
    if (this.#lostCount === 0) return true
    const msg = `${this.#lostCount} lines of this log were lost: it could not be written (${this.#lostBecause})`
    const line = `${JSON.stringify({ level: 40, time: Date.now(), pid: process.pid, msg })}\n`
    if (this.#begin(Buffer.from(line)) === 0) return false
    this.#lostCount = 0
    return this.#rest === undefined
  }

  /** Writes all of it or a part, and keeps the rest for later. Returns the number of bytes written. */
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
 * Opens a pipe or a terminal again, without waiting for the reader. The inherited descriptor may wait, and shares that setting with other
 * processes.
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
