import type { Genesis, Member, MembershipChange, MembershipRecord, MembershipValue, NodeId, Slot } from '../../paxos/types.js'
import { check } from './violation.js'

/** The members from a slot on. */
export class BookedMembership implements MembershipRecord {
  readonly epoch: number
  readonly fromSlot: Slot
  /** In ascending order of node id. */
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

  /** Whether so many of its voters are a majority. */
  isMajority(voterCount: number): boolean {
    return 2 * voterCount > this.voterIds.length
  }
}

/**
 * Who governs which slot, by what is chosen and nothing else, whatever the nodes believe: the rules of types.ts once more, written for
 * themselves, so that a defect in those of the core is seen. Forgets nothing.
 */
export class MembershipBook {
  #genesis: Genesis | undefined
  readonly #all: BookedMembership[] = []

  /** The first genesis on any disk is that of the cluster. */
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

  /** What a slot has chosen, slot by slot. Without effect unless the membership that it changes is the newest, and in force. */
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

  /** The same for the whole life of the cluster. */
  get windowSlots(): number {
    check(this.#genesis !== undefined, () => 'a node took part before the cluster was formed')
    return this.#genesis.windowSlots
  }

  /** What governs the slot; of slots further above what is chosen than the window is long, nobody can know. */
  at(slot: Slot): BookedMembership {
    const found = this.#all.findLast((membership) => membership.fromSlot <= slot)
    check(found !== undefined, () => 'a node took part before the cluster was formed')
    return found
  }

  /** Those that govern the slot or a later one. */
  from(slot: Slot): readonly BookedMembership[] {
    return this.#all.filter((_, i) => (this.#all[i + 1]?.fromSlot ?? Number.POSITIVE_INFINITY) > slot)
  }

  /** All there have been, and perhaps one that is not in force yet. */
  get all(): readonly BookedMembership[] {
    return this.#all
  }

  /** The newest; perhaps not yet in force. */
  get latest(): BookedMembership {
    return this.at(Number.POSITIVE_INFINITY)
  }

  /** Those that govern the slots above `decidedUpTo`, as whoever has decided so far knows them. */
  knownBy(decidedUpTo: Slot): readonly BookedMembership[] {
    const { windowSlots } = this
    return this.from(decidedUpTo + 1).filter(({ fromSlot }) => fromSlot - windowSlots <= decidedUpTo)
  }
}

/** Undefined when the change has no sense. */
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
