import type { CoreOptions } from '../core-options.js'
import { wasRemovedBy } from '../membership.js'
import type { Memberships } from '../memberships.js'
import type { Welcome } from '../messages.js'
import type { Outbox } from '../outbox.js'
import type { SettledEpoch } from '../settled-epoch.js'
import type { NodeId } from '../types.js'

interface Settings {
  readonly self: NodeId
  readonly options: CoreOptions
  readonly memberships: Memberships
  readonly settled: SettledEpoch
  readonly out: Outbox
}

/** Stops a node that was removed, a little after it has learned so: it may have answers to give before. */
export class Removal {
  readonly #s: Settings
  /** A peer has reported a settled membership without this node. */
  #isTold = false
  /** The time since which it knows that it is not needed any more. */
  #sinceMs: number | undefined

  constructor(settings: Settings) {
    this.#s = settings
  }

  /** A peer has refused this node: its removal is settled. */
  onRefused(): void {
    this.#isTold = true
  }

  /** A peer of this cluster has answered as to a node that is no member. */
  onWelcome({ memberships: [record], settledEpoch }: Welcome): void {
    if (record !== undefined && settledEpoch >= record.epoch && wasRemovedBy(record, this.#s.self)) this.#isTold = true
  }

  tick(nowMs: number): void {
    if (!(this.#isTold || this.#isLearned)) return
    const { self, options, out } = this.#s
    this.#sinceMs ??= nowMs
    if (nowMs - this.#sinceMs < 2 * options.electionTimeoutMsMax) return
    const message = `node ${self} was removed from the cluster: it stops, and its number is never given again`
    out.halt({ code: 'REMOVED', message })
  }

  /** True when this node was removed by a slot that it has learned. */
  get #isLearned(): boolean {
    const { current, latest } = this.#s.memberships
    return current === latest && this.#s.settled.isCurrent && wasRemovedBy(current, this.#s.self)
  }
}
