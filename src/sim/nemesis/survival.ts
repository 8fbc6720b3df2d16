import type { NodeId } from '../../paxos/types.js'
import type { Checker } from '../checkers/checker.js'
import type { BookedMembership } from '../checkers/membership-book.js'
import type { SimulatedNode } from '../cluster/simulated-node.js'

interface Settings {
  readonly nodes: readonly SimulatedNode[]
  readonly checker: Checker
}

/**
 * Tracks the machines that lost written data or were switched off, and if the rest is a majority, whatever becomes of the
 * membership changes in progress. Losing more would be a disaster that no consensus survives; such faults are not simulated.
 *
 * The rule: the nodes that must be able to go on by themselves are a majority of the settled membership (VoteBook: the newest
 * that a majority of its own voters has on disk) and of every later one. No earlier membership is needed: an operator who was
 * told that a change is made may switch off every node that is not in it.
 */
export class Survival {
  readonly #settings: Settings
  readonly #ruined = new Set<NodeId>()
  /** The node that the operator removes: until that is done, it may be in the membership or not. */
  #leaving: NodeId | undefined

  constructor(settings: Settings) {
    this.#settings = settings
  }

  get leaving(): NodeId | undefined {
    return this.#leaving
  }

  set leaving(nodeId: NodeId | undefined) {
    this.#leaving = nodeId
  }

  /** Records that the node has lost something that it had written, or soon will have. */
  onRuined(nodeId: NodeId): void {
    this.#ruined.add(nodeId)
  }

  /** Returns true if the node is of no use to the cluster, now or for good, even if it has not noticed yet. */
  isGone({ id, haltCode, disk, isSwitchedOff }: SimulatedNode): boolean {
    if (haltCode !== undefined || isSwitchedOff || disk.isCorrupted || disk.isOlderCopy) return true
    return this.#ruined.has(id) && !this.isVoter(id)
  }

  /** Returns true if the node votes in the next slot, from its current directory. */
  isVoter(nodeId: NodeId): boolean {
    return this.#settings.checker.isVoter(nodeId)
  }

  /** True while a node with an older copy of its directory has not found out: it would vote as if nothing had happened. */
  get hasImpostor(): boolean {
    return this.#settings.nodes.some((node) => node.disk.isOlderCopy && node.haltCode === undefined)
  }

  /** The voters that may be needed now or later: one list for each possible membership. */
  get voterLists(): readonly (readonly NodeId[])[] {
    const { checker } = this.#settings
    const { memberships } = checker
    const lists: NodeId[][] = []
    for (const membership of memberships.isFormed ? memberships.from(checker.settled.fromSlot) : []) {
      const everybody = membership.members.map((member) => member.nodeId)
      for (const list of [[...membership.voterIds], everybody]) {
        lists.push(list)
        const others = list.filter((id) => id !== this.#leaving)
        if (others.length > 0 && others.length < list.length) lists.push(others)
      }
    }
    return lists
  }

  /** Returns true if a majority is left in every case when this node goes, too. */
  survives(lost: NodeId): boolean {
    const isLeft = (id: NodeId): boolean => id !== lost && !this.#isGoneById(id)
    return this.voterLists.every((list) => isMajority(list.filter(isLeft).length, list.length))
  }

  /** Returns true if the members can do without this one as a member. */
  canRemove(nodeId: NodeId): boolean {
    const { latest } = this.#settings.checker.memberships
    return canDoWithout(latest, nodeId, (id) => !this.#isGoneById(id))
  }

  #isGoneById(id: NodeId): boolean {
    const node = this.#settings.nodes[id - 1]
    return node === undefined || this.isGone(node)
  }
}

export function isMajority(count: number, of: number): boolean {
  return 2 * count > of
}

function canDoWithout(membership: BookedMembership, nodeId: NodeId, isUsable: (id: NodeId) => boolean): boolean {
  const voters = membership.voterIds.filter((id) => id !== nodeId)
  return membership.has(nodeId) && voters.length > 0 && isMajority(voters.filter(isUsable).length, voters.length)
}
