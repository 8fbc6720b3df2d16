import type { Membership } from '../paxos/membership.js'
import { Memberships } from '../paxos/memberships.js'
import type { Genesis, MembershipRecord, MembershipValue, NodeId, Slot } from '../paxos/types.js'
import { promise } from './broken-promise.js'

/** Who governs which slot, by what is chosen and nothing else: whatever the nodes believe. Forgets nothing. */
export class MembershipBook {
  #clusterId = ''
  #memberships: Memberships | undefined

  /** The first genesis on any disk is that of the cluster. */
  onGenesis(nodeId: NodeId, genesis: Genesis): void {
    if (this.#memberships === undefined) {
      this.#clusterId = genesis.clusterId
      this.#memberships = Memberships.ofGenesis(genesis)
    }
    promise(genesis.clusterId === this.#clusterId, () => `node ${nodeId} took part in the forming of a second cluster`)
  }

  /** What a slot has chosen, slot by slot. True when it has changed the membership. */
  onChosen(slot: Slot, value: MembershipValue): boolean {
    return this.#known.onDecided(slot, value)
  }

  get isFormed(): boolean {
    return this.#memberships !== undefined
  }

  /** The same for the whole life of the cluster. */
  get windowSlots(): number {
    return this.#known.windowSlots
  }

  /** What governs the slot; of slots further above what is chosen than the window is long, nobody can know. */
  at(slot: Slot): Membership {
    return this.#known.at(slot)
  }

  /** Those that govern the slot or a later one. */
  from(slot: Slot): readonly Membership[] {
    const { governing } = this.#known
    return governing.filter((_, i) => (governing[i + 1]?.fromSlot ?? Number.POSITIVE_INFINITY) > slot)
  }

  /** All there have been, and perhaps one that is not in force yet. */
  get all(): readonly Membership[] {
    return this.#memberships?.governing ?? []
  }

  /** The newest; perhaps not yet in force. */
  get latest(): Membership {
    return this.#known.latest
  }

  /** Those that govern the slots above `decidedUpTo`, as whoever has decided so far knows them. */
  knownBy(decidedUpTo: Slot): readonly Membership[] {
    const { windowSlots } = this
    return this.from(decidedUpTo + 1).filter(({ fromSlot }) => fromSlot - windowSlots <= decidedUpTo)
  }

  get #known(): Memberships {
    promise(this.#memberships !== undefined, () => 'a node took part before the cluster was formed')
    return this.#memberships
  }
}

export function sameMembership(one: MembershipRecord, other: MembershipRecord): boolean {
  return JSON.stringify(fieldsOf(one)) === JSON.stringify(fieldsOf(other))
}

function fieldsOf({ epoch, fromSlot, members, lastNodeId }: MembershipRecord): unknown {
  const rows = members.map((m) => [m.nodeId, m.dataDirId, m.peerAddress, m.clientAddress, m.votesFrom, m.returning])
  return [epoch, fromSlot, lastNodeId, rows]
}
