import type { CoreOptions } from '../core-options.js'
import type { Memberships } from '../memberships.js'
import type { Outbox } from '../outbox.js'
import type { Replica } from '../replica.js'
import type { SettledEpoch } from '../settled-epoch.js'
import type { Ballot, NodeId } from '../types.js'
import type { Progress } from './progress.js'

interface Settings {
  readonly self: NodeId
  readonly ballot: Ballot
  readonly memberships: Memberships
  readonly replica: Replica
  readonly progress: Progress
  readonly settled: SettledEpoch
  readonly out: Outbox
  readonly options: CoreOptions
}

/** Hands leadership over: when the host asks for it, or when a change of the membership has taken the leader's vote away. */
export class HandOver {
  readonly #self: NodeId
  readonly #ballot: Ballot
  readonly #memberships: Memberships
  readonly #replica: Replica
  readonly #progress: Progress
  readonly #settled: SettledEpoch
  readonly #out: Outbox
  readonly #options: CoreOptions
  /** The leader takes no commands until this time: another node was asked to lead. */
  #endsMs = Number.NEGATIVE_INFINITY
  /** The time since which the leader has no vote; undefined while it has one. */
  #votelessSinceMs: number | undefined

  constructor(settings: Settings) {
    this.#self = settings.self
    this.#ballot = settings.ballot
    this.#memberships = settings.memberships
    this.#replica = settings.replica
    this.#progress = settings.progress
    this.#settled = settings.settled
    this.#out = settings.out
    this.#options = settings.options
  }

  /** See Leader.isHandingOver. */
  get isUnderWay(): boolean {
    return this.#progress.tickedMs < this.#endsMs
  }

  /** See Leader.hasHandedOver. */
  get wasTried(): boolean {
    return this.#endsMs !== Number.NEGATIVE_INFINITY
  }

  /** See Leader.shouldResign. */
  get isDue(): boolean {
    if (this.#votelessSinceMs === undefined) return false
    const isOverdue = this.#progress.tickedMs - this.#votelessSinceMs >= this.#options.electionTimeoutMsMax
    return this.#settled.isCurrent || isOverdue
  }

  tick(nowMs: number): void {
    if (!this.#isVoteless) this.#votelessSinceMs = undefined
    else this.#votelessSinceMs ??= nowMs
  }

  /** See Leader.handOver. */
  start(to: NodeId): boolean {
    let best: NodeId | undefined
    for (const nodeId of this.#memberships.latest.voterIds) {
      if (nodeId === this.#self || (to !== 0 && nodeId !== to) || !this.#progress.isHeard(nodeId)) continue
      if (best === undefined || this.#progress.decidedUpTo(nodeId) > this.#progress.decidedUpTo(best)) best = nodeId
    }
    if (best === undefined) return false
    this.#endsMs = this.#progress.tickedMs + this.#options.electionTimeoutMsMax
    this.#out.send(best, { kind: 'takeOver', ballot: this.#ballot })
    return true
  }

  /** True when a change that is in force has taken the leader's vote away. */
  get #isVoteless(): boolean {
    const { latest } = this.#memberships
    return !latest.isVoter(this.#self) && this.#replica.decidedUpTo >= latest.fromSlot - 1
  }
}
