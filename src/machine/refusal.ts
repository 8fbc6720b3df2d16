import type { Movement } from './movement.js'

/** Why a state machine refuses. What each means, and its gRPC status, stands in wire/reasons.ts. */
export type Reason =
  | 'INVALID_ARGUMENT'
  | 'ID_REUSED'
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

/** A field at fault, by its path in the request's proto, e.g. `transfers[3].amount`. */
export interface FieldViolation {
  readonly field: string
  /** With the bound. */
  readonly description: string
}

/** A command or a query that was not carried out. It has changed nothing, except that a refused movement's id stays refused. */
export class Refusal {
  readonly reason: Reason
  readonly message: string
  readonly fieldViolations: readonly FieldViolation[]
  /** The movement that stays refused, if it is about one. */
  readonly movement: Movement | undefined

  constructor(
    reason: Reason,
    message: string,
    options: { violations?: readonly FieldViolation[]; movement?: Movement | undefined } = {},
  ) {
    this.reason = reason
    this.message = message
    this.fieldViolations = options.violations ?? []
    this.movement = options.movement
  }
}

/** A request that is wrong in itself, whatever the state. */
export function invalidArgument(violations: readonly FieldViolation[]): Refusal {
  const [first] = violations
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : ''
  const message = first === undefined ? 'invalid argument' : `${first.field}: ${first.description}${more}`
  return new Refusal('INVALID_ARGUMENT', message, { violations })
}
