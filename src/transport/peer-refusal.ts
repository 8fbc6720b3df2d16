import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js'
import { Any } from '../gen/google/protobuf/any.js'
import { ErrorInfo } from '../gen/google/rpc/error_details.js'
import { Status } from '../gen/google/rpc/status.js'
import type { Roster } from '../paxos/messages.js'
import type { NodeId } from '../paxos/types.js'

const REASONS = ['WRONG_CLUSTER', 'WRONG_NODE', 'DATA_DIR_MISMATCH', 'UNKNOWN_MEMBER', 'REMOVED', 'PROTOCOL_VERSION'] as const

/**
 * Why two nodes do not talk.
 * - WRONG_CLUSTER: they belong to different clusters.
 * - WRONG_NODE: another node than expected is at this address.
 * - DATA_DIR_MISMATCH: the node id is right, but it votes from another data directory than the membership says (docs/protocol.md, rule 5).
 * - UNKNOWN_MEMBER: no member has this node id, or none yet.
 * - REMOVED: the member with this node id was removed from the cluster; the id is not given again.
 * - PROTOCOL_VERSION: they do not speak the same version of the peer protocol.
 */
type PeerRefusalReason = (typeof REASONS)[number]

export interface PeerRefusal {
  readonly reason: PeerRefusalReason
  /** For people: what does not match, both sides of it, and what to do. */
  readonly message: string
  /** The present members, from a node that refuses one of its own cluster. */
  readonly roster?: Roster
  /** The sender of the roster: another node than the expected one, if that one is not there. */
  readonly toldBy?: NodeId
}

const ERROR_DOMAIN = 'synod.peer.v1'
const DETAILS_KEY = 'grpc-status-details-bin'
const ERROR_INFO_TYPE_URL = 'type.googleapis.com/google.rpc.ErrorInfo'

/** The refusal as a call ends with it: FAILED_PRECONDITION with a google.rpc.ErrorInfo. */
export function refusalToStatus(refusal: PeerRefusal): Partial<StatusObject> {
  const info = ErrorInfo.encode({ reason: refusal.reason, domain: ERROR_DOMAIN, metadata: {} }).finish()
  const details = Status.encode({
    code: status.FAILED_PRECONDITION,
    message: refusal.message,
    details: [Any.create({ typeUrl: ERROR_INFO_TYPE_URL, value: info })],
  }).finish()
  const metadata = new Metadata()
  metadata.set(DETAILS_KEY, Buffer.from(details))
  return { code: status.FAILED_PRECONDITION, details: refusal.message, metadata }
}

/** The refusal that a call ended with, if it was one. */
export function refusalFromStatus(end: Pick<ServiceError, 'code' | 'details' | 'metadata'>): PeerRefusal | undefined {
  if (end.code !== status.FAILED_PRECONDITION) return undefined
  const encoded = end.metadata.get(DETAILS_KEY)[0]
  if (!(encoded instanceof Uint8Array)) return undefined
  const reason = reasonIn(encoded)
  return reason === undefined ? undefined : { reason, message: end.details }
}

function reasonIn(encodedStatus: Uint8Array): PeerRefusalReason | undefined {
  try {
    const detail = Status.decode(encodedStatus).details.find((any) => any.typeUrl === ERROR_INFO_TYPE_URL)
    if (detail === undefined) return undefined
    const { reason } = ErrorInfo.decode(detail.value)
    return REASONS.find((known) => known === reason)
  } catch {
    // Details that do not decode say nothing; the status itself is still reported.
    return undefined
  }
}
