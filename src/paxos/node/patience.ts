import type { CoreOptions } from '../core-options.js'

/** The number of failed attempts to lead that each double the next wait. */
const DOUBLINGS_MAX = 4
/** The factor by which the slowest write's time decays with each faster write. */
const FADE = 0.9
/** The writes that a wait allows for: to become leader takes a write on this disk, then one on those of a majority. */
const WRITES_WAITED = 3

/**
 * The times that this node waits for others before it acts: random, doubled after each failed attempt to lead, and longer if the disk is
 * slow. A promise must come in time even if a write takes longer than an election timeout.
 */
export class Patience {
  readonly #options: CoreOptions
  readonly #random: () => number
  #failedCount = 0
  #slowestWriteMs = 0
  /** The time since which the host has had a write in flight. */
  #busySinceMs: number | undefined

  constructor(options: CoreOptions, random: () => number) {
    this.#options = options
    this.#random = random
  }

  /** Called at each `ready`. */
  onDisk(isIdle: boolean, nowMs: number): void {
    if (!isIdle) {
      this.#busySinceMs ??= nowMs
    } else if (this.#busySinceMs !== undefined) {
      this.#slowestWriteMs = Math.max(nowMs - this.#busySinceMs, this.#slowestWriteMs * FADE)
      this.#busySinceMs = undefined
    }
  }

  /** This node tries to lead. */
  onAttempt(): void {
    this.#failedCount = Math.min(this.#failedCount + 1, DOUBLINGS_MAX)
  }

  /** A node leads. */
  onLed(): void {
    this.#failedCount = 0
  }

  /** True while a write is in flight that may end soon: this node's promise is not durable before. */
  isWriting(nowMs: number): boolean {
    return this.#busySinceMs !== undefined && !this.isDiskStalled(nowMs)
  }

  /** True when a write takes so long that it may never end: without its disk this node can decide nothing, and another should lead. */
  isDiskStalled(nowMs: number): boolean {
    if (this.#busySinceMs === undefined) return false
    return nowMs - this.#busySinceMs > 2 * this.#options.electionTimeoutMsMax + WRITES_WAITED * this.#slowestWriteMs
  }

  /** The silence after which this node acts; at least `leastMs`. */
  silenceMs(leastMs: number): number {
    const { electionTimeoutMsMin, electionTimeoutMsMax } = this.#options
    const randomMs = leastMs + this.#random() * (electionTimeoutMsMax - electionTimeoutMsMin)
    return randomMs * 2 ** this.#failedCount + this.#writesMs
  }

  /** The time that an attempt to lead may take without progress. */
  get attemptMs(): number {
    return this.#options.electionTimeoutMsMax * 2 ** this.#failedCount + this.#writesMs
  }

  get #writesMs(): number {
    return WRITES_WAITED * this.#slowestWriteMs
  }
}
