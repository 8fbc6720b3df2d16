import type { Memberships } from '../memberships.js'
import type { CoreMessage } from '../messages.js'
import type { Outbox } from '../outbox.js'
import type { NodeId } from '../types.js'

/** The nodes that hear from the leader: every other member, voter or learner, and those that have just left. */
export class Listeners {
  readonly #self: NodeId
  readonly #memberships: Memberships
  readonly #out: Outbox
  #others: readonly NodeId[]
  /** Former members that have not been told yet that their removal is settled. */
  #leaving: readonly NodeId[] = []

  constructor(settings: { readonly self: NodeId; readonly memberships: Memberships; readonly out: Outbox }) {
    this.#self = settings.self
    this.#memberships = settings.memberships
    this.#out = settings.out
    this.#others = settings.memberships.othersThan(settings.self)
  }

  get others(): readonly NodeId[] {
    return this.#others
  }

  onMembershipChanged(): void {
    const others = this.#memberships.othersThan(this.#self)
    this.#leaving = [...this.#leaving, ...this.#others].filter((nodeId) => !others.includes(nodeId))
    this.#others = others
  }

  tellOthers(message: CoreMessage): void {
    for (const to of this.#others) this.#out.send(to, message)
  }

  tellLeaving(message: CoreMessage): void {
    for (const to of this.#leaving) this.#out.send(to, message)
  }

  /** Former members have been told that their removal is settled. */
  dropLeaving(): void {
    this.#leaving = []
  }
}
