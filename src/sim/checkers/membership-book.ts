import type { Genesis, Member, MembershipChange, MembershipRecord, MembershipValue, NodeId, Slot } from '../../paxos/types.js'
import { check } from './violation.js'

/** The members from a slot on. */
export class BookedMembership implements MembershipRecord {
  readonly epoch: number
  readonly fromSlot: Slot
  /** Members in ascending order of node id. */
  readonly members: readonly Member[]
  readonly lastNodeId: NodeId
  readonly voterIds: readonly NodeId[]

  constructor({ epoch, fromSlot, members, lastNodeId }: MembershipRecord) {
    this.epoch = epoch
    this.fromSlot = fromSlot
    this.members = members.toSorted((a, b) => a.nodeId - b.nodeId)
    this.lastNodeId = lastNodeId
    this.voterIds = this.members.filter((member) => member.votesFrom > 0).map((member) => member.nodeId)
  }

  member(nodeId: NodeId): Member | undefined {
    return this.members.find((member) => member.nodeId === nodeId)
  }

  has(nodeId: NodeId): boolean {
    return this.member(nodeId) !== undefined
  }

  /** Returns true if this number of its voters is a majority. */
  isMajority(voterCount: number): boolean {
    return 2 * voterCount > this.voterIds.length
  }
}

/**
 * The membership that governs each slot, derived from the chosen values alone, never from what nodes believe. A second
 * implementation of the rules of types.ts, so that a defect in the core's is seen. It forgets nothing.
 */
export class MembershipBook {
  #genesis: Genesis | undefined
  readonly #all: BookedMembership[] = []

  /** Records a genesis. The first one on any disk is the cluster's. */
  onGenesis(nodeId: NodeId, genesis: Genesis): void {
    if (this.#genesis === undefined) {
      this.#genesis = genesis
      const members = genesis.members.map((member) => ({ ...member, votesFrom: 1, returning: false }))
      const lastNodeId = Math.max(...members.map((member) => member.nodeId))
      this.#all.push(new BookedMembership({ epoch: 1, fromSlot: 1, members, lastNodeId }))
    }
    const { clusterId, windowSlots } = this.#genesis
    check(
      genesis.clusterId === clusterId && genesis.windowSlots === windowSlots,
      () => `node ${nodeId} took part in the forming of a second cluster`,
    )
  }

  /**
   * Records the membership change that a slot has chosen, slot by slot. It has no effect unless the membership that it changes is
   * the newest, and in force.
   */
  onChosen(slot: Slot, { epoch, change }: MembershipValue): void {
    const before = this.latest
    if (epoch !== before.epoch + 1 || before.fromSlot > slot) return
    const fromSlot = slot + this.windowSlots
    const members = membersAfter(before, change, fromSlot)
    if (members === undefined) return
    const lastNodeId = Math.max(before.lastNodeId, change.nodeId)
    this.#all.push(new BookedMembership({ epoch, fromSlot, members, lastNodeId }))
  }

  get isFormed(): boolean {
    return this.#genesis !== undefined
  }

  /** The pipeline window, constant for the life of the cluster. */
  get windowSlots(): number {
    check(this.#genesis !== undefined, () => 'a node took part before the cluster was formed')
    return this.#genesis.windowSlots
  }

  /** Returns the membership that governs the slot. It is known only up to one window above the chosen slots. */
  at(slot: Slot): BookedMembership {
    const found = this.#all.findLast((membership) => membership.fromSlot <= slot)
    check(found !== undefined, () => 'a node took part before the cluster was formed')
    return found
  }

  /** Returns the memberships that govern the slot or a later one. */
  from(slot: Slot): readonly BookedMembership[] {
    return this.#all.filter((_, i) => (this.#all[i + 1]?.fromSlot ?? Number.POSITIVE_INFINITY) > slot)
  }

  /** All memberships so far; the last one may not be in force yet. */
  get all(): readonly BookedMembership[] {
    return this.#all
  }

  /** The newest membership, perhaps not in force yet. */
  get latest(): BookedMembership {
    return this.at(Number.POSITIVE_INFINITY)
  }

  /** Returns the memberships that govern the slots above `decidedUpTo`, as known to a node that has decided this far. */
  knownBy(decidedUpTo: Slot): readonly BookedMembership[] {
    const { windowSlots } = this
    return this.from(decidedUpTo + 1).filter(({ fromSlot }) => fromSlot - windowSlots <= decidedUpTo)
  }
}

/** Returns undefined if the change makes no sense. */
function membersAfter(before: BookedMembership, change: MembershipChange, fromSlot: Slot): readonly Member[] | undefined {
  const { nodeId } = change
  const member = before.member(nodeId)
  const withMember = (next: Member): readonly Member[] => [...before.members.filter((m) => m.nodeId !== nodeId), next]
  const isLastVoter = before.voterIds.every((id) => id === nodeId)
  if (change.kind === 'add') {
    const { peerAddress, clientAddress } = change
    const isUsed = nodeId <= before.lastNodeId
    return isUsed ? undefined : withMember({ nodeId, dataDirId: '', peerAddress, clientAddress, votesFrom: 0, returning: false })
  }
  if (member === undefined) return undefined
  const isVoter = member.votesFrom > 0
  switch (change.kind) {
    case 'bind':
      return member.dataDirId === '' ? withMember({ ...member, dataDirId: change.dataDirId }) : undefined
    case 'promote':
      return isVoter || member.dataDirId === '' ? undefined : withMember({ ...member, votesFrom: fromSlot, returning: false })
    case 'update':
      return withMember({ ...member, peerAddress: change.peerAddress, clientAddress: change.clientAddress })
    case 'remove':
      return isLastVoter ? undefined : before.members.filter((m) => m.nodeId !== nodeId)
    case 'reset':
      if (member.dataDirId !== change.dataDirId || isLastVoter) return undefined
      return withMember({ ...member, dataDirId: change.newDataDirId, votesFrom: 0, returning: isVoter || member.returning })
  }
}

export function sameMembership(one: MembershipRecord, other: MembershipRecord): boolean {
  return JSON.stringify(fieldsOf(one)) === JSON.stringify(fieldsOf(other))
}

function fieldsOf({ epoch, fromSlot, members, lastNodeId }: MembershipRecord): unknown {
  const rows = members.map((m) => [m.nodeId, m.dataDirId, m.peerAddress, m.clientAddress, m.votesFrom, m.returning])
  return [epoch, fromSlot, lastNodeId, rows]
}
