import type { Memberships } from '../memberships.js'
import type { MembershipRecord, NodeId } from '../types.js'

/** What a node knows of the memberships: by the slots that it has learned, or by what peers have told it, whichever is newer. */
export class ToldMemberships {
  readonly #self: NodeId
  readonly #memberships: Memberships
  #told: readonly MembershipRecord[] = []

  constructor(self: NodeId, memberships: Memberships) {
    this.#self = self
    this.#memberships = memberships
  }

  /** What peers have told last, if it was newer than what was known then. */
  get told(): readonly MembershipRecord[] {
    return this.#told
  }

  /** See Node.knownMemberships. */
  get known(): readonly MembershipRecord[] {
    const { governing } = this.#memberships
    const latest = governing.at(-1)
    if (latest === undefined) return []
    return (this.#told.at(-1)?.epoch ?? 0) > latest.epoch ? this.#told : governing
  }

  /** Every other member, as far as this node knows, ascending. */
  get others(): NodeId[] {
    const nodeIds = new Set(this.#memberships.othersThan(this.#self))
    for (const { nodeId } of this.known.at(-1)?.members ?? []) if (nodeId !== this.#self) nodeIds.add(nodeId)
    return [...nodeIds].toSorted((a, b) => a - b)
  }

  /** A member, or one that was added after what this node has learned: the way here has seen to it that it is of this cluster. */
  isKnown(nodeId: NodeId): boolean {
    const { latest, governing } = this.#memberships
    return nodeId > latest.lastNodeId || governing.some((membership) => membership.has(nodeId))
  }

  /** See Node.onMembershipsTold. */
  onTold(memberships: readonly MembershipRecord[]): void {
    const known = Math.max(this.known.at(-1)?.epoch ?? 0, this.#told.at(-1)?.epoch ?? 0)
    if ((memberships.at(-1)?.epoch ?? 0) > known) this.#told = memberships
  }
}
