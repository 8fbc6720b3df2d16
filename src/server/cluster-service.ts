import type { FieldViolation } from '../api/field-violation.js'
import {
  addressedMemberViolations,
  consistencyViolations,
  memberViolations,
  setQuotaViolations,
  transferLeadershipViolations,
} from '../api/validate-cluster.js'
import {
  AddMemberRequest,
  AddMemberResponse,
  CheckpointRequest,
  type CheckpointResponse,
  ClusterServiceService,
  GetQuotaRequest,
  GetQuotaResponse,
  type LearnerProgress,
  ListMembersRequest,
  ListMembersResponse,
  type Member,
  type Membership,
  NodeRole,
  PromoteMemberRequest,
  PromoteMemberResponse,
  RemoveMemberRequest,
  RemoveMemberResponse,
  SetQuotaRequest,
  SetQuotaResponse,
  StatusRequest,
  StatusResponse,
  TransferLeadershipRequest,
  TransferLeadershipResponse,
  UpdateMemberRequest,
  UpdateMemberResponse,
  UpgradeRequest,
  UpgradeResponse,
} from '../gen/synod/cluster/v1/cluster.js'
import { Consistency, type ResponseHeader } from '../gen/synod/common/v1/common.js'
import type { MemberStatus } from '../host/api.js'
import { nodeOf, roundOf } from '../paxos/ballot.js'
import type { MembershipChange, MembershipRecord } from '../paxos/types.js'
import { encodeBackup } from './backup/backup-encoder.js'
import type { CallContext } from './call-context.js'
import { invalidArgument } from './call-error.js'
import { requireJoined } from './joined.js'
import { responses } from './response-stream.js'
import { change, defineService, encoded, read } from './service.js'
import { VERSION } from './version.js'

/** The longest wait of a backup for a majority: shorter than clients wait for its first bytes, so that they read a reason. */
const READ_INDEX_MS_MAX = 5_000

/** Backups that may be under way: each reads a whole database. */
const BACKUPS_MAX = 2

/** synod.cluster.v1.ClusterService. A node that has not joined answers Status alone. Questions are answered from this node alone, changes go through the log. */
export const clusterService = defineService(ClusterServiceService, ({ operations, member, drain }) => {
  const startedMs = performance.now()

  /** @throws CallError when it is invalid; MemberError */
  async function changeMembership(
    change: MembershipChange,
    violations: readonly FieldViolation[],
    context: CallContext,
  ): Promise<{ header: ResponseHeader; membership: Membership }> {
    if (violations.length > 0) throw invalidArgument(violations)
    requireJoined(member, { mayWait: true })
    const { slot, membership } = await member.changeMembership(change, context.wait())
    const made = membershipToClients(membership, { ...member.status(), isMembershipSettled: true })
    return { header: operations.header(slot), membership: made }
  }

  /** @throws CallError when it is invalid; MemberError */
  async function* backup({ consistency }: CheckpointRequest, context: CallContext): AsyncGenerator<CheckpointResponse> {
    const violations = consistencyViolations({ consistency })
    if (violations.length > 0) throw invalidArgument(violations)
    requireJoined(member)
    const { nodeId, appliedUpTo } = member.status()
    const slot = consistency === Consistency.STALE ? appliedUpTo : await member.readIndex(context.wait(READ_INDEX_MS_MAX))
    let header: ResponseHeader | undefined = operations.header(slot)
    const making = { nodeId, version: VERSION, madeAtMs: Date.now() }
    for await (const data of encodeBackup(member.backup(context.wait()), making, slot)) {
      yield { header, data }
      header = undefined
    }
  }

  return {
    status: read(
      StatusRequest,
      encoded(StatusResponse, () => {
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
          learning: status.isLearning,
          learners: learnersOf(status),
          stateBytes: status.stateBytes,
          quotaBytes: status.quotaBytes,
          level: status.level,
          levelMin: status.binary.levelMin,
          levelMax: status.binary.levelMax,
          transfers: status.transfers.map(({ isSending, ...rest }) => ({ ...rest, sending: isSending })),
          alarms: status.alarms.map(({ code, message, sinceMs, remedies }) => ({
            code,
            message,
            since: new Date(sinceMs),
            remedies: remedies.map((remedy) => ({ quotaBytes: 0, ...remedy })),
          })),
        }
      }),
    ),
    listMembers: read(
      ListMembersRequest,
      encoded(ListMembersResponse, () => {
        requireJoined(member)
        const status = member.status()
        const header = operations.header(status.appliedUpTo)
        return { header, membership: membershipOf(status), learners: learnersOf(status) }
      }),
    ),
    addMember: change(
      AddMemberRequest,
      encoded(AddMemberResponse, (request, context) => {
        const { nodeId, peerAddress, clientAddress } = request
        return changeMembership({ kind: 'add', nodeId, peerAddress, clientAddress }, addressedMemberViolations(request), context)
      }),
    ),
    updateMember: change(
      UpdateMemberRequest,
      encoded(UpdateMemberResponse, (request, context) => {
        const { nodeId, peerAddress, clientAddress } = request
        return changeMembership(
          { kind: 'update', nodeId, peerAddress, clientAddress },
          addressedMemberViolations(request),
          context,
        )
      }),
    ),
    promoteMember: change(
      PromoteMemberRequest,
      encoded(PromoteMemberResponse, (request, context) =>
        changeMembership({ kind: 'promote', nodeId: request.nodeId }, memberViolations(request), context),
      ),
    ),
    removeMember: change(
      RemoveMemberRequest,
      encoded(RemoveMemberResponse, (request, context) =>
        changeMembership({ kind: 'remove', nodeId: request.nodeId }, memberViolations(request), context),
      ),
    ),
    transferLeadership: change(
      TransferLeadershipRequest,
      encoded(TransferLeadershipResponse, async (request, context) => {
        const violations = transferLeadershipViolations(request)
        if (violations.length > 0) throw invalidArgument(violations)
        requireJoined(member, { mayWait: true })
        const leaderId = await member.transferLeadership(request.nodeId, context.wait())
        return { header: operations.header(member.status().appliedUpTo), leaderId }
      }),
    ),
    getQuota: read(
      GetQuotaRequest,
      encoded(GetQuotaResponse, async ({ consistency }, context) => {
        const violations = consistencyViolations({ consistency })
        if (violations.length > 0) throw invalidArgument(violations)
        requireJoined(member)
        if (consistency !== Consistency.STALE) await member.readIndex(context.wait())
        const { appliedUpTo, quotaBytes, stateBytes } = member.status()
        return { header: operations.header(appliedUpTo), quotaBytes, stateBytes }
      }),
    ),
    setQuota: change(
      SetQuotaRequest,
      encoded(SetQuotaResponse, async (request, context) => {
        const violations = setQuotaViolations(request)
        if (violations.length > 0) throw invalidArgument(violations)
        requireJoined(member, { mayWait: true })
        const slot = await member.setQuota(request.quotaBytes, context.wait())
        return { header: operations.header(slot), quotaBytes: request.quotaBytes, stateBytes: member.status().stateBytes }
      }),
    ),
    upgrade: change(
      UpgradeRequest,
      encoded(UpgradeResponse, async ({ level: wanted }, context) => {
        requireJoined(member, { mayWait: true })
        const { slot, level } = await member.raiseLevel(wanted, context.wait())
        return { header: operations.header(slot), level }
      }),
    ),
    checkpoint: responses(CheckpointRequest, backup, { drain, bound: { countMax: BACKUPS_MAX, what: 'backups' } }),
  }
})

const ROLES: Record<MemberStatus['role'], NodeRole> = {
  joining: NodeRole.JOINING,
  follower: NodeRole.FOLLOWER,
  candidate: NodeRole.CANDIDATE,
  leader: NodeRole.LEADER,
}

/** Absent while the cluster forms. */
function membershipOf(status: MemberStatus): Membership | undefined {
  return status.membership && membershipToClients(status.membership, status)
}

function membershipToClients(
  { epoch, fromSlot, members, lastNodeId }: MembershipRecord,
  {
    isMembershipSettled,
    announcements,
    memberBinaries,
  }: Pick<MemberStatus, 'isMembershipSettled' | 'announcements' | 'memberBinaries'>,
): Membership {
  const told = members.map((member) => ({
    ...member,
    voter: member.votesFrom > 0,
    ...announcedOf(member, announcements),
    version: memberBinaries.get(member.nodeId)?.version ?? '',
    levelMax: memberBinaries.get(member.nodeId)?.levelMax ?? 0,
  }))
  return { epoch, fromSlot, members: told, lastNodeId, settled: isMembershipSettled }
}

/** Only what the log does not say. */
function announcedOf(
  { nodeId, dataDirId, peerAddress, clientAddress }: MembershipRecord['members'][number],
  announcements: MemberStatus['announcements'],
): Pick<Member, 'announcedPeerAddress' | 'announcedClientAddress'> {
  const own = announcements.find((one) => one.nodeId === nodeId && one.dataDirId === dataDirId)
  const isElsewhere = own !== undefined && (own.peerAddress !== peerAddress || own.clientAddress !== clientAddress)
  return {
    announcedPeerAddress: isElsewhere ? own.peerAddress : '',
    announcedClientAddress: isElsewhere ? own.clientAddress : '',
  }
}

function learnersOf({ membership, memberProgress }: MemberStatus): LearnerProgress[] {
  const progress = [...memberProgress].map(([nodeId, decidedUpTo]) => ({ nodeId, decidedUpTo }))
  return progress.filter(({ nodeId }) => membership?.members.some((member) => member.nodeId === nodeId && member.votesFrom === 0))
}

function durationOf(ms: number): { seconds: bigint; nanos: number } {
  const wholeMs = Math.floor(ms)
  return { seconds: BigInt(Math.floor(wholeMs / 1_000)), nanos: (wholeMs % 1_000) * 1_000_000 }
}
