import type { NodeId } from '../../paxos/types.js'
import type { DirectedLink, PlannedFault } from './schedule.js'

/** The faults that only cut links. */
export type Partition = Extract<
  PlannedFault,
  {
    readonly kind:
      | 'symmetricPartition'
      | 'oneWayPartition'
      | 'partialPartition'
      | 'quorumLoss'
      | 'constrainedElection'
      | 'chained'
      | 'leaderIsolation'
  }
>

export interface PartitionRoles {
  readonly nodeIds: readonly NodeId[]
  /** Undefined while no node leads. */
  readonly leader: NodeId | undefined
  /** The node that the fault strikes, if it strikes one. */
  readonly target: NodeId | undefined
}

/** Returns the links that a partition cuts: none if it needs a leader and there is none. */
export function linksCutBy(fault: Partition, { nodeIds, leader, target }: PartitionRoles): DirectedLink[] {
  const linksWhere = (isCut: (from: NodeId, to: NodeId) => boolean): DirectedLink[] =>
    nodeIds.flatMap((from) => nodeIds.filter((to) => to !== from && isCut(from, to)).map((to): DirectedLink => [from, to]))
  switch (fault.kind) {
    case 'symmetricPartition':
      return linksWhere((from, to) => fault.group.includes(from) !== fault.group.includes(to))
    case 'oneWayPartition':
      return linksWhere((from, to) => (fault.side === 'deaf' ? to : from) === target)
    case 'partialPartition':
      return [...fault.links]
    case 'quorumLoss':
    case 'constrainedElection': {
      if (leader === undefined || target === undefined) return []
      const hub = target === leader ? (nodeIds[(nodeIds.indexOf(target) + 1) % nodeIds.length] ?? target) : target
      const isLeaderCut = fault.kind === 'constrainedElection'
      return linksWhere((from, to) => (from !== hub && to !== hub) || (isLeaderCut && (from === leader || to === leader)))
    }
    case 'chained': {
      const order = [...fault.order.filter((id) => nodeIds.includes(id)), ...nodeIds.filter((id) => !fault.order.includes(id))]
      const place = (id: NodeId): number => order.indexOf(id)
      return linksWhere((from, to) => Math.abs(place(from) - place(to)) > 1)
    }
    case 'leaderIsolation':
      return leader === undefined ? [] : linksWhere((from, to) => from === leader || to === leader)
  }
}
