import { assert } from './assert.js'
import type { NodeId } from './types.js'

/** Acknowledgements are bits of one 32-bit integer. */
const MEMBERS_MAX = 31

/** The members that vote, and what a majority of them is. */
export class Membership {
  /** Ascending. */
  readonly nodeIds: readonly NodeId[]
  /** Any two sets of this many members share one. */
  readonly quorum: number
  readonly #bits = new Map<NodeId, number>()

  constructor(nodeIds: readonly NodeId[]) {
    assert(nodeIds.length >= 1 && nodeIds.length <= MEMBERS_MAX, `a membership has 1 to ${MEMBERS_MAX} members`)
    this.nodeIds = nodeIds.toSorted((a, b) => a - b)
    this.nodeIds.forEach((nodeId, i) => this.#bits.set(nodeId, 1 << i))
    assert(this.#bits.size === nodeIds.length, 'no member is named twice')
    this.quorum = Math.floor(nodeIds.length / 2) + 1
  }

  has(nodeId: NodeId): boolean {
    return this.#bits.has(nodeId)
  }

  /** The member after `after` in a round of all but `self`; `self` when there is no other. */
  nextOther(self: NodeId, after: NodeId): NodeId {
    const others = this.nodeIds.filter((nodeId) => nodeId !== self)
    return others.find((nodeId) => nodeId > after) ?? others[0] ?? self
  }

  /** 0 for whoever is no member: counts for nothing in a Tally. */
  bitOf(nodeId: NodeId): number {
    return this.#bits.get(nodeId) ?? 0
  }
}

/** Who has voted. Counts voters, not replies: a repeated or foreign vote changes nothing. */
export class Tally {
  readonly #membership: Membership
  #voters = 0
  #count = 0

  constructor(membership: Membership) {
    this.#membership = membership
  }

  add(nodeId: NodeId): void {
    const bit = this.#membership.bitOf(nodeId)
    if ((this.#voters & bit) === 0 && bit !== 0) this.#count++
    this.#voters |= bit
  }

  has(nodeId: NodeId): boolean {
    return (this.#voters & this.#membership.bitOf(nodeId)) !== 0
  }

  get count(): number {
    return this.#count
  }

  get hasQuorum(): boolean {
    return this.#count >= this.#membership.quorum
  }
}
