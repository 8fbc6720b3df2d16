/** A turn of the event loop that takes longer than this is a stall. */
const TURN_MS_MAX = 60

/**
 * The time that counts when this node waits for others. It goes on by at most 60 ms between two looks: while the process stood still (a
 * long computation, the garbage collector, a stopped process), the others may have said much that it has not read yet.
 */
export class StallClock {
  #lastMs: number
  #stoodStillMs = 0

  /** `nowMs`: of a monotonic clock, as everywhere. */
  constructor(nowMs: number) {
    this.#lastMs = nowMs
  }

  /** The same as the monotonic clock's, less all stalls. */
  look(nowMs: number): number {
    this.#stoodStillMs += Math.max(0, nowMs - this.#lastMs - TURN_MS_MAX)
    this.#lastMs = nowMs
    return nowMs - this.#stoodStillMs
  }
}
