import type { NodeId } from '../../paxos/types.js'
import type { Checker } from '../checkers/checkers.js'
import type { BookedMembership } from '../checkers/membership-book.js'
import type { SimulatedNode } from '../cluster/simulated-node.js'

interface Settings {
  readonly nodes: readonly SimulatedNode[]
  readonly checker: Checker
}

/**
 * Which machines have lost what they had written or were switched off, and whether those that are left are a majority, whatever becomes
 * of the changes of the membership that are under way. To lose more would be a disaster, which no consensus survives: it is not among the
 * faults.
 *
 * The rule that says which nodes must be able to go on by themselves: those that hold a majority of the settled membership (VoteBook),
 * the newest that a majority of its own voters has on disk, and of every one after it. Of the memberships before nobody is needed any
 * more: an operator who was told that a change is made may switch off whoever is not in it.
 */
export class Survival {
  readonly #settings: Settings
  readonly #ruined = new Set<NodeId>()
  /** The operator wants it to go: until that is done, it may be in the membership or not. */
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

  /** That node has lost something that it had written, or soon will have. */
  onRuined(nodeId: NodeId): void {
    this.#ruined.add(nodeId)
  }

  /** Whether that node is of no use to the cluster, for now or for good, even if it has not noticed yet. */
  isGone({ id, haltCode, disk, isSwitchedOff }: SimulatedNode): boolean {
    if (haltCode !== undefined || isSwitchedOff || disk.isCorrupted || disk.isOlderCopy) return true
    return this.#ruined.has(id) && !this.isVoter(id)
  }

  /** It votes in the next slot, from the directory that it has. */
  isVoter(nodeId: NodeId): boolean {
    return this.#settings.checker.isVoter(nodeId)
  }

  /** A directory that was put back votes as if nothing had happened if nobody tells it otherwise: it has not been told yet. */
  get hasImpostor(): boolean {
    return this.#settings.nodes.some((node) => node.disk.isOlderCopy && node.haltCode === undefined)
  }

  /** Who may be needed now or later, as far as anybody can foresee: a list for each membership. */
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

  /** Whether a majority is left in any case if this one goes, too. */
  survives(lost: NodeId): boolean {
    const isLeft = (id: NodeId): boolean => id !== lost && !this.#isGoneById(id)
    return this.voterLists.every((list) => isMajority(list.filter(isLeft).length, list.length))
  }

  /** Whether the members can do without this one as a member. */
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
