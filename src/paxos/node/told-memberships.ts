import type { Memberships } from '../memberships.js'
import type { MembershipRecord, NodeId } from '../types.js'

/** The memberships that a node knows: from the slots that it has learned, or from peers, whichever are newer. */
export class ToldMemberships {
  readonly #self: NodeId
  readonly #memberships: Memberships
  #told: readonly MembershipRecord[] = []

  constructor(self: NodeId, memberships: Memberships) {
    this.#self = self
    this.#memberships = memberships
  }

  /** The memberships that peers have reported last, if they were newer than the known ones at that time. */
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

  /** True for a member, or a node that may have been added later. The transport has checked that the node is of this cluster. */
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
