import { assert } from './assert.js'
import { MEMBERS_MAX, Membership } from './membership.js'
import type { Genesis, Member, MembershipChange, MembershipRecord, MembershipValue, NodeId, Slot } from './types.js'

/**
 * Who governs which slot: the memberships that still matter, as the decided slots have made them ("Paxos Made Moderately Complex",
 * section 4.4, with the chapter's view changes). A change decided in slot s is in force from s + windowSlots on, and is without effect
 * unless the membership that it changes is the latest one and in force at s: so at most two govern the slots that are open, and whoever
 * has decided slot s knows the membership of s + windowSlots.
 *
 * Invariant: epochs and first slots ascend; the first one governs the first slot that is open.
 */
export class Memberships {
  #windowSlots = 1
  #history: Membership[] = []

  /** Without records: there is no genesis yet, and nothing may be asked of it but `governing` until `begin`. */
  constructor(records?: readonly MembershipRecord[], windowSlots = 1) {
    if (records !== undefined) this.begin(records, windowSlots)
  }

  /** There is a genesis from now on: it says how long the window is, and the records who governs the slots that are open. */
  begin(records: readonly MembershipRecord[], windowSlots: number): void {
    assert(this.#history.length === 0, 'a cluster has one genesis')
    assert(records.length > 0, 'there is always a membership')
    assert(windowSlots >= 1, 'the window has at least one slot')
    this.#windowSlots = windowSlots
    this.#history = records.map((record) => new Membership(record))
  }

  /** A checkpoint of a peer says who governs from its slot on. */
  restart(records: readonly MembershipRecord[]): void {
    assert(records.length > 0, 'there is always a membership')
    assert((records.at(-1)?.epoch ?? 0) >= this.latest.epoch, 'memberships never go back')
    this.#history = records.map((record) => new Membership(record))
  }

  /** Those of a new cluster. */
  static ofGenesis(genesis: Genesis): Memberships {
    return new Memberships([genesisRecord(genesis)], genesis.windowSlots)
  }

  /** The newest that was decided: perhaps not yet in force. */
  get latest(): Membership {
    return this.#history.at(-1) as Membership
  }

  get windowSlots(): number {
    return this.#windowSlots
  }

  /** What governs the first slot that is open. */
  get current(): Membership {
    return this.#history[0] as Membership
  }

  /** All that govern an open slot, the earliest first: one, or two while a change is not in force yet. */
  get governing(): readonly Membership[] {
    return this.#history
  }

  /** What governs the slot; of a slot that is not open any more, what governs the first that is. */
  at(slot: Slot): Membership {
    return this.#history.findLast((membership) => membership.fromSlot <= slot) ?? this.current
  }

  /** Since when the node votes from this directory, in slots that are open or will be; 0 if it does not. */
  votesFrom(nodeId: NodeId, dataDirId: string): Slot {
    for (const membership of this.#history) {
      const member = membership.member(nodeId)
      if (member?.dataDirId === dataDirId && member.votesFrom > 0) return member.votesFrom
    }
    return 0
  }

  /** Voters and learners of all that govern, each once, but for `self`. */
  othersThan(self: NodeId): readonly NodeId[] {
    const nodeIds = new Set(this.#history.flatMap((membership) => membership.members.map((m) => m.nodeId)))
    nodeIds.delete(self)
    return [...nodeIds]
  }

  /** A slot is decided. True when it has changed the membership. */
  onDecided(slot: Slot, value: MembershipValue): boolean {
    const { latest } = this
    if (value.epoch !== latest.epoch + 1 || slot < latest.fromSlot) return false
    const members = changed(latest, value.change, slot + this.#windowSlots)
    if (members === undefined) return false
    const lastNodeId = Math.max(latest.lastNodeId, value.change.nodeId)
    this.#history.push(new Membership({ epoch: value.epoch, fromSlot: slot + this.#windowSlots, members, lastNodeId }))
    return true
  }

  /** The slots up to here are decided, and not open any more. */
  forget(upTo: Slot): void {
    while ((this.#history[1]?.fromSlot ?? Number.POSITIVE_INFINITY) <= upTo + 1) this.#history = this.#history.slice(1)
  }

  /** Those that govern open slots, to be kept. */
  toRecords(): MembershipRecord[] {
    return this.#history.map(({ epoch, fromSlot, members, lastNodeId }) => ({ epoch, fromSlot, members, lastNodeId }))
  }
}

export function genesisRecord(genesis: Genesis): MembershipRecord {
  const members = genesis.members.map((member): Member => ({ ...member, votesFrom: 1, returning: false }))
  return { epoch: 1, fromSlot: 1, members, lastNodeId: Math.max(...members.map((m) => m.nodeId)) }
}

/** The members after a change that is in force from `fromSlot` on; undefined when it has no sense: then nothing changes. */
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
