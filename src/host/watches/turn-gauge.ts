/** As long as turns of the event loop take no longer than this, a node takes as much work as it may hold. */
const TURN_MS_GOOD = 100
/** A long turn counts less with each one that is shorter. */
const FADE = 0.9

/** Measures recent turns of the event loop: admitted work makes turns long, and long turns make heartbeats late. */
export class TurnGauge {
  /** Undefined before the first look. */
  #lastMs: number | undefined
  #turnMs = 0

  /** To be called once in each turn, and every 10 ms or so at least. */
  look(nowMs: number): void {
    this.#turnMs = Math.max(nowMs - (this.#lastMs ?? nowMs), this.#turnMs * FADE)
    this.#lastMs = nowMs
  }

  /** Up to 1: how much of what the node may hold it should take now. */
  get share(): number {
    return Math.min(1, TURN_MS_GOOD / this.#turnMs)
  }
}
