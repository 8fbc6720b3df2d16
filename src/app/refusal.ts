import type { Movement } from './bank/movement.js'

/** Why a state machine refuses. What each means, and its gRPC status, stands in api/reasons.ts. */
export type RefusalReason =
  | 'INVALID_ARGUMENT'
  | 'ID_REUSED'
  | 'EXPIRED_ID'
  | 'ACCOUNT_EXISTS'
  | 'ACCOUNT_NOT_FOUND'
  | 'TRANSFER_NOT_FOUND'
  | 'UNKNOWN_AUTHORITY'
  | 'INVALID_SIGNATURE'
  | 'LAST_AUTHORITY'
  | 'ASSET_MISMATCH'
  | 'INSUFFICIENT_FUNDS'
  | 'BALANCE_OVERFLOW'
  | 'TRANSFER_NOT_PENDING'
  | 'TRANSFER_EXPIRED'
  | 'EXCEEDS_PENDING_AMOUNT'
  | 'PENDING_AMOUNT_DIFFERS'
  | 'LINKED_REFUSED'
  | 'RESPONSE_TOO_LARGE'
  | 'QUOTA_EXCEEDED'

/**
 * The parameters of a refusal, by the names that clients see. Part of the results that every node must agree on, which have no sentences in
 * them: those are made for people at the edge, see api/words.ts.
 */
export interface RefusalParameters {
  /** Its fields say what it is about: see Refusal.ofFields. */
  INVALID_ARGUMENT: Readonly<Record<string, never>>
  ID_REUSED:
    | { readonly movement_id: string; readonly kind: Movement['kind'] }
    | { readonly authority_id: string; readonly is: 'revoked' | 'another_key' }
    | { readonly request_id: string }
  /** The answer to it is gone. */
  EXPIRED_ID: { readonly request_id: string; readonly slot: string }
  ACCOUNT_EXISTS: { readonly account_id: string }
  ACCOUNT_NOT_FOUND: AboutAccount
  TRANSFER_NOT_FOUND: { readonly transfer_id: string }
  UNKNOWN_AUTHORITY: { readonly authority_id: string }
  INVALID_SIGNATURE: { readonly authority_id: string }
  LAST_AUTHORITY: { readonly authority_id: string }
  ASSET_MISMATCH: AboutAccount
  INSUFFICIENT_FUNDS: AboutAccount & { readonly amount: string }
  BALANCE_OVERFLOW: AboutAccount
  TRANSFER_NOT_PENDING: { readonly transfer_id: string; readonly kind: Movement['kind']; readonly status: Movement['status'] }
  TRANSFER_EXPIRED: { readonly transfer_id: string }
  EXCEEDS_PENDING_AMOUNT: AboutHold
  PENDING_AMOUNT_DIFFERS: AboutHold
  /** The transfer of the group that was refused first. */
  LINKED_REFUSED: { readonly transfer_id: string }
  QUOTA_EXCEEDED: Readonly<Record<string, never>>
  /** The bounds of an answer, and how many keys it would have held if that is too many. */
  RESPONSE_TOO_LARGE: { readonly bytes_max: string; readonly keys?: string; readonly keys_max?: string }
}

/** An account at fault; and the movement that was refused for it, if it was one. */
interface AboutAccount {
  readonly account_id: string
  readonly movement_id?: string
  readonly kind?: Movement['kind']
}

interface AboutHold {
  readonly transfer_id: string
  readonly held: string
  readonly amount: string
}

/** A command or a query that was not carried out. It has changed nothing, except that a refused movement's id stays refused. */
export class Refusal {
  readonly reason: RefusalReason
  readonly parameters: Readonly<Record<string, string>>
  /** The fields at fault of INVALID_ARGUMENT, by their paths in the request's proto. */
  readonly fields: readonly string[]
  /** The movement that stays refused, if it is about one. */
  readonly movement: Movement | undefined

  private constructor(reason: RefusalReason, parameters: object, fields: readonly string[], movement: Movement | undefined) {
    this.reason = reason
    this.parameters = parameters as Record<string, string>
    this.fields = fields
    this.movement = movement
  }

  static of<R extends RefusalReason>(reason: R, parameters: RefusalParameters[R], movement?: Movement): Refusal {
    return new Refusal(reason, parameters, NO_FIELDS, movement)
  }

  /** A request that is wrong in itself, whatever the state. */
  static ofFields(fields: readonly string[]): Refusal {
    return new Refusal('INVALID_ARGUMENT', NO_PARAMETERS, fields, undefined)
  }
}

const NO_FIELDS: readonly string[] = Object.freeze([])
const NO_PARAMETERS = Object.freeze({})
