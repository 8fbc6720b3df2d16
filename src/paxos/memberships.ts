import { assert } from './assert.js'
import { Membership } from './membership.js'
import type { Genesis, Member, MembershipChange, MembershipRecord, MembershipValue, Slot } from './types.js'

/**
 * Who governs which slot: the memberships that still matter, as the decided slots have made them ("Paxos Made Moderately Complex",
 * section 4.4, with the chapter's view changes). A change decided in slot s is in force from s + windowSlots on, and is without effect
 * unless the membership that it changes is the latest one and in force at s: so at most two govern the slots that are open, and whoever
 * has decided slot s knows the membership of s + windowSlots.
 *
 * Invariant: epochs and first slots ascend, the first one governs every slot that is asked for.
 */
export class Memberships {
  readonly #windowSlots: number
  #history: Membership[]

  constructor(records: readonly MembershipRecord[], windowSlots: number) {
    assert(records.length > 0, 'there is always a membership')
    assert(windowSlots >= 1, 'the window has at least one slot')
    this.#windowSlots = windowSlots
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

  /** What governs the slot. */
  at(slot: Slot): Membership {
    const found = this.#history.findLast((membership) => membership.fromSlot <= slot)
    assert(found !== undefined, 'a membership governs every slot that is open')
    return found
  }

  /** All that govern the slot or a later one, the earliest first: one or two. */
  from(slot: Slot): readonly Membership[] {
    return this.#history.filter((membership, i) => (this.#history[i + 1]?.fromSlot ?? Number.POSITIVE_INFINITY) > slot)
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

  /** Nobody will ask for the slots up to here any more. */
  forget(upTo: Slot): void {
    if (this.#history.length > 1) this.#history = [...this.from(upTo + 1)]
  }

  /** Those that govern the slots above `upTo`, to be kept. */
  toRecords(upTo: Slot): MembershipRecord[] {
    return this.from(upTo + 1).map(({ epoch, fromSlot, members, lastNodeId }) => ({ epoch, fromSlot, members, lastNodeId }))
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
    if (nodeId <= before.lastNodeId) return undefined
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
    case 'remove':
      return others.some((m) => m.votesFrom > 0) ? others : undefined
    case 'reset': {
      if (member.dataDirId !== change.dataDirId || !others.some((m) => m.votesFrom > 0)) return undefined
      const returning = member.votesFrom > 0 || member.returning
      return replacedBy({ ...member, dataDirId: change.newDataDirId, votesFrom: 0, returning })
    }
  }
}
