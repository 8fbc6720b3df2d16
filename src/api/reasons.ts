import { status } from '@grpc/grpc-js'
import type { RefusalReason } from '../app/refusal.js'
import type { MembershipRefusalReason } from '../paxos/membership-changes.js'

/** Every ErrorInfo.reason that a client may see: the state machine's, and those of the node, its sessions and its membership. */
export type Reason =
  | RefusalReason
  | MembershipRefusalReason
  | 'NO_QUORUM'
  | 'LEVEL_TOO_LOW'
  | 'OUTCOME_UNKNOWN'
  | 'CANCELLED'
  | 'OVERLOADED'
  | 'SESSION_EXPIRED'
  | 'ALREADY_ACKNOWLEDGED'
  | 'BEYOND_ASKED'
  | 'SESSION_FULL'
  | 'NOT_JOINED'
  | 'DATA_DAMAGED'
  | 'LEVEL_UNKNOWN_TO_MEMBER'
  | 'STOPPED'

export interface ReasonInfo {
  /** The gRPC status code that it comes with. */
  readonly code: status
  /** For the table in docs/errors.md: one plain sentence. */
  readonly meaning: string
}

/** The meaning of every reason: the one place that says so. */
export const REASONS: Readonly<Record<Reason, ReasonInfo>> = {
  INVALID_ARGUMENT: {
    code: status.INVALID_ARGUMENT,
    meaning: 'A field is missing or out of its bounds; BadRequest.field_violations names each.',
  },
  ID_REUSED: { code: status.ALREADY_EXISTS, meaning: 'The id was used before, with other content.' },
  EXPIRED_ID: {
    code: status.FAILED_PRECONDITION,
    meaning:
      'The request_id was used, and the answer is not kept any more: not carried out again; what came of the first time is unknown.',
  },
  ACCOUNT_EXISTS: { code: status.ALREADY_EXISTS, meaning: 'The account id is taken.' },
  ACCOUNT_NOT_FOUND: { code: status.NOT_FOUND, meaning: 'There is no such account.' },
  TRANSFER_NOT_FOUND: { code: status.NOT_FOUND, meaning: 'There is no movement with this id.' },
  UNKNOWN_AUTHORITY: { code: status.PERMISSION_DENIED, meaning: 'The authority is not registered, or was revoked.' },
  INVALID_SIGNATURE: { code: status.PERMISSION_DENIED, meaning: "The signature does not verify under the authority's key." },
  LAST_AUTHORITY: {
    code: status.FAILED_PRECONDITION,
    meaning: 'The last authority cannot be revoked: nobody could sign deposits any more.',
  },
  ASSET_MISMATCH: { code: status.FAILED_PRECONDITION, meaning: 'The account holds another asset.' },
  INSUFFICIENT_FUNDS: {
    code: status.FAILED_PRECONDITION,
    meaning: 'The balance, less what is held, plus the overdraft limit, is too low.',
  },
  BALANCE_OVERFLOW: { code: status.OUT_OF_RANGE, meaning: 'A balance, or what it holds, would pass the largest int64.' },
  TRANSFER_NOT_PENDING: {
    code: status.FAILED_PRECONDITION,
    meaning: 'The transfer is not pending: it never was, or was posted or voided.',
  },
  TRANSFER_EXPIRED: { code: status.FAILED_PRECONDITION, meaning: 'The pending transfer expired and gave its hold back.' },
  EXCEEDS_PENDING_AMOUNT: { code: status.FAILED_PRECONDITION, meaning: 'More would be posted than the pending transfer holds.' },
  PENDING_AMOUNT_DIFFERS: {
    code: status.FAILED_PRECONDITION,
    meaning: 'A hold is voided as a whole; the amount given is not what it holds.',
  },
  LINKED_REFUSED: { code: status.FAILED_PRECONDITION, meaning: 'Another transfer of the same linked group was refused.' },
  RESPONSE_TOO_LARGE: { code: status.FAILED_PRECONDITION, meaning: 'The answer would be larger than one message holds.' },
  QUOTA_EXCEEDED: {
    code: status.RESOURCE_EXHAUSTED,
    meaning:
      'The state has reached its quota; what makes it grow is not carried out until something is deleted, or the quota raised.',
  },
  LEVEL_TOO_LOW: {
    code: status.FAILED_PRECONDITION,
    meaning: 'The cluster is at a level that does not have what is asked, or this node does not know the field; not carried out.',
  },
  NO_QUORUM: {
    code: status.UNAVAILABLE,
    meaning: 'No leader with a majority was known in time; not proposed, so a retry is safe.',
  },
  OUTCOME_UNKNOWN: {
    code: status.DEADLINE_EXCEEDED,
    meaning: 'Proposed, but not known to be decided in time: only a retry under the same id or request number is safe.',
  },
  CANCELLED: { code: status.CANCELLED, meaning: 'The caller gave up; not proposed, so a retry is safe.' },
  OVERLOADED: {
    code: status.RESOURCE_EXHAUSTED,
    meaning: 'Too much is in flight, or the disk has no room for a backup; not carried out, so a later retry is safe.',
  },
  SESSION_EXPIRED: {
    code: status.FAILED_PRECONDITION,
    meaning:
      'The cluster does not know the session (any more); this try was not carried out, of an earlier one nothing is known.',
  },
  ALREADY_ACKNOWLEDGED: {
    code: status.FAILED_PRECONDITION,
    meaning: 'The client had acknowledged the answer to this request number; it has been forgotten.',
  },
  BEYOND_ASKED: {
    code: status.OUT_OF_RANGE,
    meaning:
      'The request number is more than 1,048,576 above all before it, or first_unacknowledged is above the request number.',
  },
  SESSION_FULL: {
    code: status.RESOURCE_EXHAUSTED,
    meaning:
      'The session keeps as many unacknowledged answers as it may; not carried out, so a retry under another number is safe.',
  },
  NOT_JOINED: {
    code: status.UNAVAILABLE,
    meaning: 'The node is of no cluster yet, or has nothing of its state; another one serves.',
  },
  DATA_DAMAGED: {
    code: status.INTERNAL,
    meaning:
      'A read met what cannot be, or what this node cannot read back from its disk: ask another node, and see the alarm in Status.',
  },
  LEVEL_UNKNOWN_TO_MEMBER: {
    code: status.FAILED_PRECONDITION,
    meaning:
      'The level is not raised, as a member’s binary does not know it, or the member does not answer; the message names each.',
  },
  STOPPED: { code: status.UNAVAILABLE, meaning: 'The node is stopping; another one serves.' },
  NODE_ID_USED: {
    code: status.ALREADY_EXISTS,
    meaning: "The node id is another member's, or was one's: take one above last_node_id.",
  },
  NODE_ID_TOO_HIGH: {
    code: status.OUT_OF_RANGE,
    meaning: 'The node id is more than 100 above last_node_id: those between could never be given any more.',
  },
  ADDRESS_USED: { code: status.ALREADY_EXISTS, meaning: 'Another member has this address, for its peers or for its clients.' },
  MEMBER_NOT_FOUND: { code: status.NOT_FOUND, meaning: 'There is no member with this node id.' },
  NOT_CAUGHT_UP: {
    code: status.FAILED_PRECONDITION,
    meaning: 'The learner is too far behind to vote, or has not been heard of late; later it may be promoted.',
  },
  CHANGE_IN_PROGRESS: {
    code: status.UNAVAILABLE,
    meaning: 'The change of the membership before this one is not in force yet; not proposed, so a retry is safe.',
  },
  QUORUM_AT_RISK: {
    code: status.FAILED_PRECONDITION,
    meaning: 'Nobody would be left to vote, or too few of those who would be are up.',
  },
  TOO_MANY_MEMBERS: { code: status.FAILED_PRECONDITION, meaning: 'The cluster has as many members as it may have.' },
  DATA_DIR_MISMATCH: {
    code: status.FAILED_PRECONDITION,
    meaning: 'The member votes from another data directory than the one named.',
  },
}
