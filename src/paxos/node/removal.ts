import { wasRemovedBy } from '../membership.js'
import type { Memberships } from '../memberships.js'
import type { Welcome } from '../messages.js'
import type { CoreOptions } from '../options.js'
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

/** Stops a node that is a member no more, a little later than it knows: it may have answers to give. */
export class Removal {
  readonly #s: Settings
  /** Somebody who knows a settled membership says that this node is none of its members. */
  #isTold = false
  /** Since when it knows that nobody needs it any more. */
  #sinceMs: number | undefined

  constructor(settings: Settings) {
    this.#s = settings
  }

  /** A peer does not listen to this node any more: it was removed, and that is settled. */
  onRefused(): void {
    this.#isTold = true
  }

  /** By somebody of this cluster who knows this node no more. */
  onWelcome({ memberships: [record], settledEpoch }: Welcome): void {
    if (record !== undefined && settledEpoch >= record.epoch && wasRemovedBy(record, this.#s.self)) this.#isTold = true
  }

  tick(nowMs: number): void {
    if (!(this.#isTold || this.#isLearned)) return
    const { self, options, out } = this.#s
    this.#sinceMs ??= nowMs
    if (nowMs - this.#sinceMs < 2 * options.electionTimeoutMsMax) return
    const message = `node ${self} was removed from the cluster: it has nothing more to do, and its number is never given again`
    out.halt({ code: 'REMOVED', message })
  }

  /** Whether the slots that this node has learned say that it was removed. */
  get #isLearned(): boolean {
    const { current, latest } = this.#s.memberships
    return current === latest && this.#s.settled.isCurrent && wasRemovedBy(current, this.#s.self)
  }
}
