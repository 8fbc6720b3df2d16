/** Something that is looked at about once a second, and may raise alarms. */
export interface Watch {
  tick(nowMs: number): void
}

const INTERVAL_MS = 1_000

/** One clock for all watches of a node. */
export class Watches implements Watch {
  readonly #watches: readonly Watch[]
  #nextMs = 0

  constructor(watches: readonly Watch[]) {
    this.#watches = watches
  }

  /** Called more often. */
  tick(nowMs: number): void {
    if (nowMs < this.#nextMs) return
    this.#nextMs = nowMs + INTERVAL_MS
    for (const watch of this.#watches) watch.tick(nowMs)
  }
}
