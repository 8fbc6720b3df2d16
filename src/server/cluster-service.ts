import {
  type ClusterServiceService,
  ListMembersRequest,
  type Membership,
  NodeRole,
  StatusRequest,
} from '../gen/synod/cluster/v1/cluster.js'
import type { MemberApi, MemberStatus } from '../host/api.js'
import { nodeOf, roundOf } from '../paxos/ballot.js'
import type { Operations } from './operations.js'
import type { RawUnaryHandlers, UnaryCalls } from './unary.js'
import { VERSION } from './version.js'

/** synod.cluster.v1.ClusterService. Answers from this node alone. */
export function clusterService(
  calls: UnaryCalls,
  operations: Operations,
  member: MemberApi,
): RawUnaryHandlers<typeof ClusterServiceService> {
  const startedMs = performance.now()
  return {
    status: calls.handler(StatusRequest, () => {
      const status = member.status()
      return {
        header: operations.header(status.appliedUpTo),
        nodeId: status.nodeId,
        clusterId: status.genesis?.clusterId ?? '',
        dataDirId: status.dataDirId,
        leaderId: status.leaderId,
        ballot: { round: roundOf(status.promised), nodeId: nodeOf(status.promised) },
        decidedUpTo: status.decidedUpTo,
        appliedUpTo: status.appliedUpTo,
        compactedUpTo: status.compactedUpTo,
        membership: membershipOf(status),
        version: VERSION,
        uptime: durationOf(performance.now() - startedMs),
        stateDigest: status.stateDigest.toString(16).padStart(8, '0'),
        role: ROLES[status.role],
      }
    }),
    listMembers: calls.handler(ListMembersRequest, () => {
      const status = member.status()
      return { header: operations.header(status.appliedUpTo), membership: membershipOf(status) }
    }),
  }
}

const ROLES: Record<MemberStatus['role'], NodeRole> = {
  joining: NodeRole.JOINING,
  follower: NodeRole.FOLLOWER,
  candidate: NodeRole.CANDIDATE,
  leader: NodeRole.LEADER,
}

/** Absent while the cluster forms. */
function membershipOf({ genesis }: MemberStatus): Membership | undefined {
  if (genesis === undefined) return undefined
  return { epoch: 1, members: genesis.members.map((member) => ({ ...member, voter: true })) }
}

function durationOf(ms: number): { seconds: bigint; nanos: number } {
  const wholeMs = Math.floor(ms)
  return { seconds: BigInt(Math.floor(wholeMs / 1_000)), nanos: (wholeMs % 1_000) * 1_000_000 }
}
