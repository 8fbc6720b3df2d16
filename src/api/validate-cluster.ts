import { isHostPort } from '../encoding/host-port.js'
import type {
  AddMemberRequest,
  CheckpointRequest,
  GetQuotaRequest,
  PromoteMemberRequest,
  RemoveMemberRequest,
  SetQuotaRequest,
  TransferLeadershipRequest,
  UpdateMemberRequest,
} from '../gen/synod/cluster/v1/cluster.js'
import type { FieldViolation } from './field-violation.js'
import { isConsistency, WRONG_CONSISTENCY } from './from-wire.js'

const NODE_ID_MAX = 65_535
const ADDRESS_LENGTH_MAX = 256

/** Validates AddMember and UpdateMember; see validateCommand. */
export function addressedMemberViolations(request: AddMemberRequest | UpdateMemberRequest): readonly FieldViolation[] {
  const { nodeId, peerAddress, clientAddress } = request
  const out: FieldViolation[] = []
  member(out, nodeId)
  address(out, 'peer_address', peerAddress)
  address(out, 'client_address', clientAddress)
  if (out.length === 0 && peerAddress === clientAddress) {
    out.push({ field: 'client_address', description: 'must be another one than peer_address' })
  }
  return out
}

/** Validates PromoteMember and RemoveMember. */
export function memberViolations({ nodeId }: PromoteMemberRequest | RemoveMemberRequest): readonly FieldViolation[] {
  const out: FieldViolation[] = []
  member(out, nodeId)
  return out
}

export function transferLeadershipViolations({ nodeId }: TransferLeadershipRequest): readonly FieldViolation[] {
  if (nodeId <= NODE_ID_MAX) return []
  return [{ field: 'node_id', description: 'must be 1 to 65,535, or 0 for whichever node the leader likes' }]
}

export function setQuotaViolations({ quotaBytes }: SetQuotaRequest): readonly FieldViolation[] {
  if (Number.isSafeInteger(quotaBytes) && quotaBytes >= 1) return []
  return [{ field: 'quota_bytes', description: 'must be 1 to 2^53 - 1' }]
}

/** Validates Checkpoint and GetQuota. */
export function consistencyViolations(request: CheckpointRequest | GetQuotaRequest): readonly FieldViolation[] {
  const out: FieldViolation[] = []
  if (!isConsistency(request.consistency)) out.push({ field: 'consistency', description: WRONG_CONSISTENCY })
  return out
}

function member(out: FieldViolation[], nodeId: number): void {
  if (nodeId < 1 || nodeId > NODE_ID_MAX) out.push({ field: 'node_id', description: 'must be 1 to 65,535' })
}

function address(out: FieldViolation[], field: string, text: string): void {
  if (text.length > ADDRESS_LENGTH_MAX) {
    out.push({ field, description: 'must be at most 256 characters long' })
    return
  }
  if (!isHostPort(text)) out.push({ field, description: 'must be host:port, with a port from 1 to 65,535' })
}
