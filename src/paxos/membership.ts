import { assert } from './assert.js'
import type { Member, MembershipRecord, NodeId, Slot } from './types.js'

/** The most members: acknowledgements are bits of one 32-bit integer. */
export const MEMBERS_MAX = 31

/** The members from a slot on, and the size of a majority of the voters. */
export class Membership implements MembershipRecord {
  readonly epoch: number
  readonly fromSlot: Slot
  readonly members: readonly Member[]
  readonly lastNodeId: NodeId
  /** Voters, ascending. */
  readonly voterIds: readonly NodeId[]
  /** The size of a majority: any two sets of this many voters share a voter. */
  readonly quorum: number
  readonly #bits = new Map<NodeId, number>()
  readonly #members = new Map<NodeId, Member>()

  constructor(record: MembershipRecord) {
    this.epoch = record.epoch
    this.fromSlot = record.fromSlot
    this.members = record.members
    this.lastNodeId = record.lastNodeId
    this.voterIds = record.members.filter((m) => m.votesFrom > 0).map((m) => m.nodeId)
    assert(
      this.voterIds.length >= 1 && this.members.length <= MEMBERS_MAX,
      `a membership has 1 to ${MEMBERS_MAX} members, and a voter`,
    )
    this.voterIds.forEach((nodeId, i) => this.#bits.set(nodeId, 1 << i))
    for (const member of record.members) this.#members.set(member.nodeId, member)
    assert(this.#members.size === record.members.length, 'no member is named twice')
    this.quorum = Math.floor(this.voterIds.length / 2) + 1
  }

  member(nodeId: NodeId): Member | undefined {
    return this.#members.get(nodeId)
  }

  /** True for every member, voter or learner. */
  has(nodeId: NodeId): boolean {
    return this.#members.has(nodeId)
  }

  isVoter(nodeId: NodeId): boolean {
    return this.#bits.has(nodeId)
  }

  /** The voter's bit in a Tally; 0 for a node that does not vote. */
  bitOf(nodeId: NodeId): number {
    return this.#bits.get(nodeId) ?? 0
  }
}

/** True for a node that was a member once and is none in this membership. */
export function wasRemovedBy({ members, lastNodeId }: MembershipRecord, nodeId: NodeId): boolean {
  return nodeId <= lastNodeId && !members.some((m) => m.nodeId === nodeId)
}

/** The voters that have voted. Counts voters, not replies: a repeated vote, or that of another node, changes nothing. */
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

/** The voters that have voted, where several memberships govern: each must have its majority. */
export class JointTally {
  readonly #tallies: readonly Tally[]

  constructor(memberships: readonly Membership[]) {
    this.#tallies = memberships.map((membership) => new Tally(membership))
  }

  add(nodeId: NodeId): void {
    for (const tally of this.#tallies) tally.add(nodeId)
  }

  get hasQuorum(): boolean {
    return this.#tallies.every((tally) => tally.hasQuorum)
  }
}
