import type { Membership } from './membership.js'
import type { NodeId } from './types.js'

/**
 * The time that a leader writes into the log: the median of the voters' wall clocks as it hears of them, the lower one of two. So one
 * clock that is far ahead, the leader's own included, carries no session and no hold past its end, for log time never goes back.
 * (TigerBeetle agrees on time by a quorum's clocks likewise, after Marzullo.)
 */
export class LogClock {
  /** The membership now. */
  readonly #membership: () => Membership
  /** By member: how far its wall clock is ahead of this node's monotonic one. The way here makes it a little less, never more. */
  readonly #aheadMsOf = new Map<NodeId, number>()

  constructor(membership: () => Membership) {
    this.#membership = membership
  }

  /** Whether a majority's clocks are known: before that nothing can be decided anyway. */
  get isSet(): boolean {
    return this.#voters().length >= this.#membership().quorum
  }

  /** That member's wall clock, in ms since 1970; 0 if it did not say. */
  onHeard(nodeId: NodeId, wallMs: number, nowMs: number): void {
    if (wallMs > 0) this.#aheadMsOf.set(nodeId, wallMs - nowMs)
  }

  /** In whole ms since 1970. */
  timeMs(nowMs: number): number {
    const ahead = this.#voters().toSorted((a, b) => a - b)
    return Math.floor(nowMs + (ahead[(ahead.length - 1) >> 1] ?? 0))
  }

  #voters(): number[] {
    const known = this.#membership().voterIds.map((nodeId) => this.#aheadMsOf.get(nodeId))
    return known.filter((aheadMs) => aheadMs !== undefined)
  }
}
