import { type ServiceError, status } from '@grpc/grpc-js'
import { REASONS, type Reason } from '../api/reasons.js'
import { summarise } from '../api/words.js'
import { BadRequest, ErrorInfo } from '../gen/google/rpc/error_details.js'
import { Status } from '../gen/google/rpc/status.js'
import type { FieldViolation, Refusal } from '../gen/synod/session/v1/session.js'

/** The name of a gRPC status, or OUTCOME_UNKNOWN: the call may or may not have taken effect. */
export type ErrorCode = Exclude<keyof typeof status, 'OK'> | 'OUTCOME_UNKNOWN'

/**
 * Reasons for which nothing took effect and the same call may succeed later. All others were refused for good, or (OUTCOME_UNKNOWN and
 * the reasons that concern the session) may have taken effect.
 */
const RETRY_SAFE: ReadonlySet<string> = new Set([
  'NO_QUORUM',
  'OVERLOADED',
  'QUOTA_EXCEEDED',
  'NOT_JOINED',
  'STOPPED',
  'CHANGE_IN_PROGRESS',
])

const DETAILS_KEY = 'grpc-status-details-bin'

/** The error that every call of the SDK rejects with. */
export class SynodError extends Error {
  override readonly name = 'SynodError'
  readonly code: ErrorCode
  /** Stable, finer than the code, e.g. INSUFFICIENT_FUNDS; docs/errors.md lists them. */
  readonly reason: string
  /** True if the same call may be made again: it has not taken effect, and the obstacle is temporary. */
  readonly retrySafe: boolean
  /** The fields at fault and their bounds, for INVALID_ARGUMENT. */
  readonly fieldViolations: readonly FieldViolation[]

  constructor(
    code: ErrorCode,
    reason: string,
    message: string,
    options: { fieldViolations?: readonly FieldViolation[]; cause?: unknown; retrySafe?: boolean } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.reason = reason
    this.retrySafe = options.retrySafe ?? RETRY_SAFE.has(reason)
    this.fieldViolations = options.fieldViolations ?? []
  }
}

/** Converts a refusal of the state machine or of a node. */
export function errorOfRefusal(refusal: Refusal): SynodError {
  const { reason, message, fieldViolations } = refusal
  if (reason === 'OUTCOME_UNKNOWN') return outcomeUnknown(message)
  return new SynodError(nameOfStatus(codeOfReason(reason)), reason, message, { fieldViolations })
}

/** Converts the error of a gRPC call, with its google.rpc details if it has any. */
export function errorOfService(error: ServiceError): SynodError {
  const options: { fieldViolations?: readonly FieldViolation[]; cause: unknown } = { cause: error }
  const code = nameOfStatus(error.code)
  let reason = error.code === status.UNAVAILABLE ? 'UNREACHABLE' : code
  const encoded = error.metadata?.get(DETAILS_KEY)[0]
  if (encoded instanceof Uint8Array) {
    for (const { typeUrl, value } of decodeDetails(encoded)) {
      if (typeUrl.endsWith('/google.rpc.ErrorInfo')) reason = ErrorInfo.decode(value).reason
      else if (typeUrl.endsWith('/google.rpc.BadRequest')) options.fieldViolations = BadRequest.decode(value).fieldViolations
    }
  }
  if (reason === 'OUTCOME_UNKNOWN') return outcomeUnknown(error.details, error)
  return new SynodError(code, reason, error.details || error.message, options)
}

/** Decodes the details. Malformed ones are ignored; the status itself remains. */
function decodeDetails(encoded: Uint8Array): Status['details'] {
  try {
    return Status.decode(encoded).details
  } catch {
    return []
  }
}

export function invalidArgument(field: string, description: string, cause?: unknown): SynodError {
  return invalidArguments([{ field, description }], cause)
}

/** `fieldViolations` has at least one. */
function invalidArguments(fieldViolations: readonly FieldViolation[], cause?: unknown): SynodError {
  return new SynodError('INVALID_ARGUMENT', 'INVALID_ARGUMENT', summarise(fieldViolations), { fieldViolations, cause })
}

/** Applies the server's own bounds. @throws SynodError INVALID_ARGUMENT if there are violations */
export function refuse(violations: readonly FieldViolation[]): void {
  if (violations.length > 0) throw invalidArguments(violations)
}

export function outcomeUnknown(message: string, cause?: unknown): SynodError {
  return new SynodError('OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', message, { cause })
}

/**
 * Makes the error of a call that is refused here and not sent, because of overload. It has no stack: there may be many thousands a second
 * just when CPU time is short, and capturing the stack would cost most of it.
 */
export function overloaded(message: string, cause?: unknown): SynodError {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return new SynodError('RESOURCE_EXHAUSTED', 'OVERLOADED', message, { cause })
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** A newer node may know reasons that this SDK does not. */
function codeOfReason(reason: string): status {
  return Object.hasOwn(REASONS, reason) ? REASONS[reason as Reason].code : status.UNKNOWN
}

function nameOfStatus(code: number): Exclude<keyof typeof status, 'OK'> {
  const name = status[code] as keyof typeof status | undefined
  return name === undefined || name === 'OK' ? 'UNKNOWN' : name
}
