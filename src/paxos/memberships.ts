import { assert } from './assert.js'
import { MEMBERS_MAX, Membership } from './membership.js'
import type { Genesis, Member, MembershipChange, MembershipRecord, MembershipValue, NodeId, Slot } from './types.js'

/**
 * The memberships that govern open slots, as the decided slots have made them ("Paxos Made Moderately Complex", section 4.4, with the
 * chapter's view changes). A change decided in slot s is in force from slot s + windowSlots on. It has no effect unless the membership
 * that it changes is the latest one and in force at s. So at most two memberships govern the open slots, and a node that has decided
 * slot s knows the membership of slot s + windowSlots.
 *
 * Invariant: epochs and first slots ascend; the first one governs the first slot that is open.
 */
export class Memberships {
  #windowSlots = 1
  #history: Membership[] = []

  /** Without records there is no genesis yet: until `begin`, only `governing`, which is empty, may be read. */
  constructor(records?: readonly MembershipRecord[], windowSlots = 1) {
    if (records !== undefined) this.begin(records, windowSlots)
  }

  /** Starts with a genesis, which brings the window, and the records of the memberships that govern open slots. */
  begin(records: readonly MembershipRecord[], windowSlots: number): void {
    assert(this.#history.length === 0, 'a cluster has one genesis')
    assert(records.length > 0, 'there is always a membership')
    assert(windowSlots >= 1, 'the window has at least one slot')
    this.#windowSlots = windowSlots
    this.#history = records.map((record) => new Membership(record))
  }

  /** Takes the memberships of a peer's checkpoint, which govern from its slot on. */
  restart(records: readonly MembershipRecord[]): void {
    assert(records.length > 0, 'there is always a membership')
    assert((records.at(-1)?.epoch ?? 0) >= this.latest.epoch, 'memberships never go back')
    this.#history = records.map((record) => new Membership(record))
  }

  /** The memberships of a new cluster. */
  static ofGenesis(genesis: Genesis): Memberships {
    return new Memberships([genesisRecord(genesis)], genesis.windowSlots)
  }

  /** The newest membership that was decided; it may not be in force yet. */
  get latest(): Membership {
    return this.#history.at(-1) as Membership
  }

  get windowSlots(): number {
    return this.#windowSlots
  }

  /** The membership of the first open slot. */
  get current(): Membership {
    return this.#history[0] as Membership
  }

  /** Every membership of an open slot, the earliest first: one, or two while a change is not in force yet. */
  get governing(): readonly Membership[] {
    return this.#history
  }

  /** The membership of the slot; for a slot that is not open any more, that of the first open slot. */
  at(slot: Slot): Membership {
    return this.#history.findLast((membership) => membership.fromSlot <= slot) ?? this.current
  }

  /** The slot from which on the node votes with this directory, in slots that are open or will be; 0 if it does not vote. */
  votesFrom(nodeId: NodeId, dataDirId: string): Slot {
    for (const membership of this.#history) {
      const member = membership.member(nodeId)
      if (member?.dataDirId === dataDirId && member.votesFrom > 0) return member.votesFrom
    }
    return 0
  }

  /** Voters and learners of all governing memberships, each once, without `self`. */
  othersThan(self: NodeId): readonly NodeId[] {
    const nodeIds = new Set(this.#history.flatMap((membership) => membership.members.map((m) => m.nodeId)))
    nodeIds.delete(self)
    return [...nodeIds]
  }

  /** Applies a decided change; true when it has changed the membership. */
  onDecided(slot: Slot, value: MembershipValue): boolean {
    const { latest } = this
    if (value.epoch !== latest.epoch + 1 || slot < latest.fromSlot) return false
    const members = changed(latest, value.change, slot + this.#windowSlots)
    if (members === undefined) return false
    const lastNodeId = Math.max(latest.lastNodeId, value.change.nodeId)
    this.#history.push(new Membership({ epoch: value.epoch, fromSlot: slot + this.#windowSlots, members, lastNodeId }))
    return true
  }

  /** Drops the memberships that govern decided slots only: slots up to `upTo` are not open any more. */
  forget(upTo: Slot): void {
    while ((this.#history[1]?.fromSlot ?? Number.POSITIVE_INFINITY) <= upTo + 1) this.#history = this.#history.slice(1)
  }

  /** The governing memberships, in the form to be stored or sent. */
  toRecords(): MembershipRecord[] {
    return this.#history.map(({ epoch, fromSlot, members, lastNodeId }) => ({ epoch, fromSlot, members, lastNodeId }))
  }
}

export function genesisRecord(genesis: Genesis): MembershipRecord {
  const members = genesis.members.map((member): Member => ({ ...member, votesFrom: 1, returning: false }))
  return { epoch: 1, fromSlot: 1, members, lastNodeId: Math.max(...members.map((m) => m.nodeId)) }
}

/** The members after a change that is in force from `fromSlot` on; undefined when the change does not apply. */
function changed(before: Membership, change: MembershipChange, fromSlot: Slot): readonly Member[] | undefined {
  const member = before.member(change.nodeId)
  if (change.kind === 'add') {
    const { nodeId, peerAddress, clientAddress } = change
    if (nodeId <= before.lastNodeId || before.members.length >= MEMBERS_MAX) return undefined
    return [...before.members, { nodeId, dataDirId: '', peerAddress, clientAddress, votesFrom: 0, returning: false }]
  }
  if (member === undefined) return undefined
  const others = before.members.filter((m) => m !== member)
  const replacedBy = (next: Member): Member[] => [...others, next].toSorted((a, b) => a.nodeId - b.nodeId)
  switch (change.kind) {
    case 'bind':
      return member.dataDirId === '' ? replacedBy({ ...member, dataDirId: change.dataDirId }) : undefined
    case 'promote':
      return member.votesFrom === 0 && member.dataDirId !== ''
        ? replacedBy({ ...member, votesFrom: fromSlot, returning: false })
        : undefined
    case 'update': {
      const { peerAddress, clientAddress } = change
      return replacedBy({ ...member, peerAddress, clientAddress })
    }
    case 'remove':
      return others.some((m) => m.votesFrom > 0) ? others : undefined
    case 'reset': {
      if (member.dataDirId !== change.dataDirId || !others.some((m) => m.votesFrom > 0)) return undefined
      const returning = member.votesFrom > 0 || member.returning
      return replacedBy({ ...member, dataDirId: change.newDataDirId, votesFrom: 0, returning })
    }
  }
}
