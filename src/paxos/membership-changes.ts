import { MEMBERS_MAX, type Membership } from './membership.js'
import type { Memberships } from './memberships.js'
import type { Member, MembershipChange, NodeId, Slot } from './types.js'
import { sameChange } from './value.js'

export interface MembershipRefusal {
  readonly reason: MembershipRefusalReason
  readonly message: string
}

/** The most that a new node id may be above the highest id that was ever given: skipped ids can never be used. */
const NODE_IDS_AHEAD_MAX = 100

/** The highest id that a new member may have. */
function highestNewId(lastNodeId: NodeId): NodeId {
  return lastNodeId + NODE_IDS_AHEAD_MAX
}

/** A sentence about an id that is too high for a member of a new cluster; undefined when there is none. */
export function tooHighForNewCluster(nodeIds: readonly NodeId[]): string | undefined {
  const highest = Math.max(...nodeIds)
  if (highest <= highestNewId(0)) return undefined
  return (
    `node id ${highest} is too high: the first members of a cluster have ids from 1 to ${highestNewId(0)}, ` +
    'as later ones must have higher ids, and those that are skipped are lost for good'
  )
}

/** The reason why a leader does not propose a change. */
export type MembershipRefusalReason =
  /** The node id belongs, or belonged, to another member: ids are never reused. */
  | 'NODE_ID_USED'
  /** Too many unused ids below it would be lost. */
  | 'NODE_ID_TOO_HIGH'
  /** The address belongs to another member, or would be both addresses of one member. */
  | 'ADDRESS_USED'
  | 'MEMBER_NOT_FOUND'
  /** The learner is too far behind to vote, or has not been heard recently. */
  | 'NOT_CAUGHT_UP'
  /** The change before this one is not in force yet. A retry is safe. */
  | 'CHANGE_IN_PROGRESS'
  /** No voter would be left, or too few of the voters that would be left are up. */
  | 'QUORUM_AT_RISK'
  | 'TOO_MANY_MEMBERS'
  /** The member has another data directory than the change names. */
  | 'DATA_DIR_MISMATCH'

/** A member's addresses, as host:port. The client address is empty if it serves no clients over the network. */
export interface MemberAddresses {
  readonly nodeId: NodeId
  readonly peerAddress: string
  readonly clientAddress: string
}

/** The largest lag of a learner that counts as caught up, in windows of slots. */
const CAUGHT_UP_WINDOWS = 2

/**
 * The leader's checks of a membership change before it is proposed. The log decides which changes take effect (memberships.ts); a change
 * that is refused here would be safe, too, but could leave the cluster without a majority that is up.
 */
export class MembershipChanges {
  readonly #memberships: Memberships
  /** The decided slots of a member that was heard recently; undefined of others. The leader's own progress is always known. */
  readonly #progressOf: (nodeId: NodeId) => Slot | undefined
  /** The last change that this leader has proposed, a new one or one that it found open. */
  #proposed: { readonly slot: Slot; readonly change: MembershipChange } | undefined
  #decidedUpTo: Slot = 0

  constructor(memberships: Memberships, progressOf: (nodeId: NodeId) => Slot | undefined) {
    this.#memberships = memberships
    this.#progressOf = progressOf
  }

  onProposed(slot: Slot, change: MembershipChange): void {
    this.#proposed = { slot, change }
  }

  /** True when the latest membership already is as the change would make it. */
  isMade(change: MembershipChange): boolean {
    return isMade(this.#memberships.latest, change)
  }

  /** True when this very change is proposed and not decided yet. */
  isUnderWay(change: MembershipChange): boolean {
    return this.#proposed !== undefined && this.#proposed.slot > this.#decidedUpTo && sameChange(this.#proposed.change, change)
  }

  /** The reason why the change may not be proposed in `nextSlot`; undefined when it may, or when there is nothing left to propose. */
  refusalOf(
    change: MembershipChange,
    at: { readonly decidedUpTo: Slot; readonly nextSlot: Slot },
  ): MembershipRefusal | undefined {
    this.#decidedUpTo = at.decidedUpTo
    if (this.isMade(change) || this.isUnderWay(change)) return undefined
    const { latest } = this.#memberships
    if (at.nextSlot < latest.fromSlot || (this.#proposed !== undefined && this.#proposed.slot > at.decidedUpTo)) {
      return { reason: 'CHANGE_IN_PROGRESS', message: 'another change of the membership is not in force yet; try again' }
    }
    if (change.kind === 'add') return refusalOfAdd(latest, change)
    const member = latest.member(change.nodeId)
    if (member === undefined) return { reason: 'MEMBER_NOT_FOUND', message: `node ${change.nodeId} is not a member` }
    switch (change.kind) {
      case 'bind':
        return member.dataDirId === '' ? undefined : otherDirectory(member, change.dataDirId)
      case 'promote':
        return this.#refusalOfPromote(latest, member, at.decidedUpTo)
      case 'update':
        return refusalOfAddresses(latest, change)
      case 'remove':
        return this.#refusalOfLoss(latest, member)
      case 'reset':
        if (member.dataDirId !== change.dataDirId) return otherDirectory(member, change.dataDirId)
        return this.#refusalOfLoss(latest, member)
    }
  }

  /** A learner that was a voter before its directory was damaged, and may be promoted now. */
  nextReturning(decidedUpTo: Slot): NodeId | undefined {
    const { latest } = this.#memberships
    return latest.members.find((m) => m.returning && this.#refusalOfPromote(latest, m, decidedUpTo) === undefined)?.nodeId
  }

  #refusalOfPromote(latest: Membership, member: Member, decidedUpTo: Slot): MembershipRefusal | undefined {
    const { nodeId } = member
    const progress = this.#progressOf(nodeId)
    const lag = CAUGHT_UP_WINDOWS * this.#memberships.windowSlots
    if (member.dataDirId === '' || progress === undefined) {
      return { reason: 'NOT_CAUGHT_UP', message: `node ${nodeId} has not been heard of: is it running?` }
    }
    if (progress + lag < decidedUpTo) {
      const message = `node ${nodeId} knows the slots up to ${progress} of ${decidedUpTo}: wait until it has caught up`
      return { reason: 'NOT_CAUGHT_UP', message }
    }
    return this.#refusalOfVoters([...latest.voterIds, nodeId])
  }

  /** The refusal of a change that takes a member's vote away. */
  #refusalOfLoss(latest: Membership, member: Member): MembershipRefusal | undefined {
    if (member.votesFrom === 0) return undefined
    return this.#refusalOfVoters(latest.voterIds.filter((nodeId) => nodeId !== member.nodeId))
  }

  /** A majority of the new voters must be up; otherwise the cluster could decide nothing after the change. */
  #refusalOfVoters(voterIds: readonly NodeId[]): MembershipRefusal | undefined {
    const up = voterIds.filter((nodeId) => this.#progressOf(nodeId) !== undefined)
    const quorum = Math.floor(voterIds.length / 2) + 1
    if (voterIds.length > 0 && up.length >= quorum) return undefined
    const message =
      voterIds.length === 0
        ? 'no voter would be left'
        : `of the ${voterIds.length} nodes that would vote (${voterIds.join(', ')}) only ${up.length} are up, and ${quorum} must be`
    return { reason: 'QUORUM_AT_RISK', message }
  }
}

function refusalOfAdd(latest: Membership, change: MemberAddresses): MembershipRefusal | undefined {
  const { nodeId } = change
  if (nodeId <= latest.lastNodeId) {
    const message = `node ids up to ${latest.lastNodeId} have been given, and are never given again: choose a higher one than ${nodeId}`
    return { reason: 'NODE_ID_USED', message }
  }
  const highest = highestNewId(latest.lastNodeId)
  if (nodeId > highest) {
    const message =
      `node id ${nodeId} is too high: ids are never given again, so a new one is at most ${highest}, which is ${NODE_IDS_AHEAD_MAX} above ` +
      `the highest that was ever given (last_node_id ${latest.lastNodeId})`
    return { reason: 'NODE_ID_TOO_HIGH', message }
  }
  if (latest.members.length >= MEMBERS_MAX) {
    return { reason: 'TOO_MANY_MEMBERS', message: `a cluster has at most ${MEMBERS_MAX} members` }
  }
  return refusalOfAddresses(latest, change)
}

/** Refuses an address, for peers or for clients, that another member has. */
function refusalOfAddresses({ members }: Membership, wanted: MemberAddresses): MembershipRefusal | undefined {
  const clash = addressClash([...members.filter((m) => m.nodeId !== wanted.nodeId), wanted])
  return clash === undefined ? undefined : { reason: 'ADDRESS_USED', message: clash }
}

function otherDirectory(member: Member, dataDirId: string): MembershipRefusal {
  const message = `node ${member.nodeId} votes from data directory ${member.dataDirId}, not from ${dataDirId}`
  return { reason: 'DATA_DIR_MISMATCH', message }
}

/** A sentence about an address that two members share, or that one member has twice; undefined when there is none. */
export function addressClash(members: readonly MemberAddresses[]): string | undefined {
  const users = new Map<string, string>()
  for (const { nodeId, peerAddress, clientAddress } of members) {
    const uses: [string, string][] = [
      ['for peers', peerAddress],
      ['for clients', clientAddress],
    ]
    for (const [use, address] of uses) {
      if (address === '') continue
      const key = canonicalAddress(address)
      const user = users.get(key)
      if (user !== undefined) return `${address} is the address of ${user} already: it cannot be that of node ${nodeId} ${use}`
      users.set(key, `node ${nodeId} ${use}`)
    }
  }
  return undefined
}

/** The form in which addresses are compared: the case of the host and leading zeros of the port do not matter. */
function canonicalAddress(address: string): string {
  const colon = address.lastIndexOf(':')
  return `${address.slice(0, colon).toLowerCase()}:${Number(address.slice(colon + 1))}`
}

/** True when the change has nothing left to do. A repeated request is no error: the first answer may have been lost. */
export function isMade(membership: Membership, change: MembershipChange): boolean {
  const member = membership.member(change.nodeId)
  switch (change.kind) {
    case 'add':
    case 'update':
      return member?.peerAddress === change.peerAddress && member.clientAddress === change.clientAddress
    case 'bind':
      return member?.dataDirId === change.dataDirId
    case 'promote':
      return member !== undefined && member.votesFrom > 0
    case 'remove':
      return member === undefined && change.nodeId <= membership.lastNodeId
    case 'reset':
      return member?.dataDirId === change.newDataDirId
  }
}
