import type { Observer } from '../../observer/observer.js'

/**
 * A proposal made while a leader is known is made again if its decision has not shown after this long: it may have been lost. Or the
 * cluster is behind: so the next time it waits twice as long, and so on up to a bound.
 */
const RETRY_DELAY_MS = 1_000
const RETRY_DELAY_MS_MAX = 8_000
/** The bound of the first wait, which grows with the latency: a queued command is not lost, and a copy makes the queue longer. */
const RETRY_DELAY_MS_SLOW = 4_000
const LATENCIES_WAITED = 2
/** The weight of each new decision in the average. */
const NEW_WEIGHT = 1 / 8
/** Above this latency fewer commands are taken: a command past its deadline is carried out for nobody, and all others wait for it. */
const LATENCY_MS_GOOD = 250

/** The present time from a proposal to its decision: it paces retries, and bounds how much is taken. */
export class DecisionLatency {
  readonly #observer: Observer | undefined
  #latencyMs = 0
  /** The latest proposal time of a command that was carried out: what was proposed before it is late, or lost. */
  #newestProposedMs = Number.NEGATIVE_INFINITY
  /** When something was carried out last. */
  #lastDecisionMs = Number.NEGATIVE_INFINITY

  constructor(observer?: Observer) {
    this.#observer = observer
  }

  /** The share of the bounds that may be used, up to 1. It falls with the latency, so that pending commands are answered within seconds. */
  get share(): number {
    return Math.min(1, LATENCY_MS_GOOD / this.#latencyMs)
  }

  /** Returns how long to wait for the decision of a command that was proposed so often before. */
  retryDelayMs(proposalCount: number): number {
    const firstMs = Math.min(LATENCIES_WAITED * this.#latencyMs, RETRY_DELAY_MS_SLOW)
    return Math.min(Math.max(firstMs, RETRY_DELAY_MS * 2 ** proposalCount), RETRY_DELAY_MS_MAX)
  }

  /** A command that was proposed then, and only then, has been carried out. */
  onDecided(proposedMs: number, nowMs: number): void {
    this.#observer?.duration('decision', nowMs - proposedMs)
    this.#lastDecisionMs = nowMs
    this.#newestProposedMs = Math.max(this.#newestProposedMs, proposedMs)
    this.#latencyMs += (nowMs - proposedMs - this.#latencyMs) * NEW_WEIGHT
  }

  /** A command that was proposed then has not been carried out yet. If nothing later has been, decisions take that long now, at least. */
  onUndecided(proposedMs: number, nowMs: number): void {
    if (proposedMs > this.#newestProposedMs) this.#latencyMs = Math.max(this.#latencyMs, nowMs - proposedMs)
  }

  /** Nothing is known of the new leader. */
  onLeaderChanged(): void {
    this.#latencyMs = 0
  }

  /** Commands are carried out in the order in which they are proposed: those before it are, and none of those after it has been. */
  isOnItsWay(proposedMs: number, nowMs: number): boolean {
    if (proposedMs < this.#newestProposedMs) return false
    return nowMs - this.#lastDecisionMs < RETRY_DELAY_MS && nowMs - proposedMs < RETRY_DELAY_MS_MAX
  }
}
