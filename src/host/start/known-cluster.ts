import type { Node } from '../../paxos/node.js'
import type { Member } from '../../paxos/types.js'
import { type KnownCluster, membersOf } from '../admission.js'

/** Returns a core's knowledge of its cluster; undefined before it belongs to one. */
export function knownClusterOf(node: Node): KnownCluster | undefined {
  const { genesis, memberships, knownMembership: known, isMembershipSettled } = node
  return genesis && memberships && known && { clusterId: genesis.clusterId, memberships, known, isMembershipSettled }
}

/** Returns the members of every membership that still matters; one may be listed twice. */
export function membersKnownTo(node: Node): readonly Member[] {
  const cluster = knownClusterOf(node)
  return cluster === undefined ? [] : membersOf(cluster)
}
