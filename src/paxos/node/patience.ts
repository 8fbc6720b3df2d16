import type { CoreOptions } from '../options.js'

/** An attempt to lead that failed doubles the next wait, so often. */
const DOUBLINGS_MAX = 4
/** What a write of this node has taken lately, fades by this much with each that is faster. */
const FADE = 0.9
/** To lead takes the own disk's time, then that of a majority's: waits allow so many of the writes that are usual here. */
const WRITES_WAITED = 3

/**
 * How long this node waits for others before it acts: random, twice as long after each attempt to lead that failed, and longer where the
 * disk is slow. On disks that take longer than an election timeout, a promise must still come in time.
 */
export class Patience {
  readonly #options: CoreOptions
  readonly #random: () => number
  #failedCount = 0
  #slowestWriteMs = 0
  /** Since when the host has had a write in flight. */
  #busySinceMs: number | undefined

  constructor(options: CoreOptions, random: () => number) {
    this.#options = options
    this.#random = random
  }

  /** Told at each `ready`. */
  onDisk(isIdle: boolean, nowMs: number): void {
    if (!isIdle) {
      this.#busySinceMs ??= nowMs
    } else if (this.#busySinceMs !== undefined) {
      this.#slowestWriteMs = Math.max(nowMs - this.#busySinceMs, this.#slowestWriteMs * FADE)
      this.#busySinceMs = undefined
    }
  }

  /** It tries to lead. */
  onAttempt(): void {
    this.#failedCount = Math.min(this.#failedCount + 1, DOUBLINGS_MAX)
  }

  /** Somebody leads. */
  onLed(): void {
    this.#failedCount = 0
  }

  /** A write is in flight that may end soon: what this node promised, or is about to promise, is not durable yet. */
  isWriting(nowMs: number): boolean {
    return this.#busySinceMs !== undefined && !this.isDiskStalled(nowMs)
  }

  /** A write that takes this long may never end: without its disk this node decides nothing, and somebody else should lead. */
  isDiskStalled(nowMs: number): boolean {
    if (this.#busySinceMs === undefined) return false
    return nowMs - this.#busySinceMs > 2 * this.#options.electionTimeoutMsMax + WRITES_WAITED * this.#slowestWriteMs
  }

  /** How long the others' silence is borne; at least so long on a node that is not slow. */
  silenceMs(leastMs: number): number {
    const { electionTimeoutMsMin, electionTimeoutMsMax } = this.#options
    const randomMs = leastMs + this.#random() * (electionTimeoutMsMax - electionTimeoutMsMin)
    return randomMs * 2 ** this.#failedCount + this.#writesMs
  }

  /** How long an attempt to lead may go on without progress. */
  get attemptMs(): number {
    return this.#options.electionTimeoutMsMax * 2 ** this.#failedCount + this.#writesMs
  }

  get #writesMs(): number {
    return WRITES_WAITED * this.#slowestWriteMs
  }
}
