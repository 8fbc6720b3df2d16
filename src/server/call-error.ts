import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { REASONS, type Reason } from '../api/reasons.js'
import type { Objection } from '../api/violations.js'
import { summarise } from '../api/words.js'
import type { Any } from '../gen/google/protobuf/any.js'
import { BadRequest, ErrorInfo } from '../gen/google/rpc/error_details.js'
import { Status } from '../gen/google/rpc/status.js'
import type { FieldViolation, Refusal } from '../gen/synod/session/v1/session.js'
import { MemberError } from '../host/api.js'
import type { NodeId, Slot } from '../paxos/types.js'

/** The `domain` of every google.rpc.ErrorInfo of ours. */
const ERROR_DOMAIN = 'synod'

/** gRPC peers cut connections over trailers of 8 KiB: base64 of the details, and the percent-encoded message beside them. */
const MESSAGE_BYTES_MAX = 512
const FIELD_BYTES_MAX = 128
const DESCRIPTION_BYTES_MAX = 256
const VIOLATIONS_BYTES_MAX = 3_072

/** A call that is answered with an error: what became of it is known, and the client is told. */
export class CallError extends Error {
  override readonly name = 'CallError'
  /** One of the reasons of api/reasons.ts; it decides the gRPC status. */
  readonly reason: string
  readonly violations: readonly FieldViolation[]
  /** The slot in which the log refused it; 0 when it never came to the log. */
  readonly slot: Slot

  constructor(
    refusal: { reason: string; message: string; violations?: readonly FieldViolation[]; slot?: Slot },
    options?: ErrorOptions,
  ) {
    super(refusal.message, options)
    this.reason = refusal.reason
    this.violations = refusal.violations ?? []
    this.slot = refusal.slot ?? 0
  }
}

/** Makes the error of what the state machine refused in `slot`. */
export function refused(refusal: Refusal, slot: Slot): CallError {
  return new CallError({ reason: refusal.reason, message: refusal.message, violations: refusal.fieldViolations, slot })
}

/** Input that must not reach the log. `violations` has at least one. */
export function invalidArgument(violations: readonly FieldViolation[], options?: ErrorOptions): CallError {
  return new CallError({ reason: 'INVALID_ARGUMENT', message: summarise(violations), violations }, options)
}

/** A request that must not be tried. */
export function objected({ reason, violations }: Objection): CallError {
  return new CallError({ reason, message: summarise(violations), violations })
}

/** Gives the part of an error that a client may know: nothing of an unforeseen one. */
export function toRefusal(error: unknown): Refusal {
  if (error instanceof CallError) {
    return { reason: error.reason, message: error.message, fieldViolations: [...error.violations], parameters: {} }
  }
  if (error instanceof MemberError) return { reason: error.code, message: error.message, fieldViolations: [], parameters: {} }
  return { reason: 'INTERNAL', message: 'an internal error; the log of the node tells more', fieldViolations: [], parameters: {} }
}

/** Tells errors that explain themselves from bugs, which must be logged. */
export function isForeseen(error: unknown): boolean {
  return error instanceof CallError || error instanceof MemberError
}

/** The gRPC status of an error, with google.rpc details in its trailer. */
export function toServiceError(error: unknown, nodeId: NodeId): ServiceError {
  const refusal = toRefusal(error)
  const code = codeOf(refusal.reason)
  const message = cut(refusal.message, MESSAGE_BYTES_MAX)
  const slot = error instanceof CallError ? error.slot : 0
  const metadata = new Metadata()
  metadata.set('grpc-status-details-bin', encodeDetails(code, message, refusal, { nodeId, slot }))
  return Object.assign(new Error(message), { code, details: message, metadata })
}

/** INTERNAL for what is no reason of ours: somebody has made a mistake. */
function codeOf(reason: string): status {
  return Object.hasOwn(REASONS, reason) ? REASONS[reason as Reason].code : status.INTERNAL
}

function encodeDetails(code: status, message: string, refusal: Refusal, where: { nodeId: NodeId; slot: Slot }): Buffer {
  const { kept, omittedCount } = fit(refusal.fieldViolations)
  const metadata: Record<string, string> = { node_id: String(where.nodeId) }
  if (where.slot !== 0) metadata['slot'] = String(where.slot)
  if (omittedCount !== 0) metadata['field_violations_omitted'] = String(omittedCount)
  const details = [
    any('google.rpc.ErrorInfo', ErrorInfo.encode({ reason: refusal.reason, domain: ERROR_DOMAIN, metadata }).finish()),
  ]
  if (kept.length > 0) details.push(any('google.rpc.BadRequest', BadRequest.encode({ fieldViolations: kept }).finish()))
  return Buffer.from(Status.encode({ code, message, details }).finish())
}

/** Takes as many violations as the trailer has room for. */
function fit(violations: readonly FieldViolation[]): { kept: FieldViolation[]; omittedCount: number } {
  const kept: FieldViolation[] = []
  let bytes = 0
  for (const violation of violations) {
    const field = cut(violation.field, FIELD_BYTES_MAX)
    const description = cut(violation.description, DESCRIPTION_BYTES_MAX)
    bytes += Buffer.byteLength(field) + Buffer.byteLength(description) + 8
    if (bytes > VIOLATIONS_BYTES_MAX) break
    kept.push({ field, description })
  }
  return { kept, omittedCount: violations.length - kept.length }
}

function any(typeName: string, value: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/${typeName}`, value }
}

/** Cuts a text to at most maxBytes of well-formed UTF-8: half a character, at the end or anywhere, cannot be percent-encoded. */
function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= maxBytes) return bytes.toString()
  const ellipsis = '…'
  return (
    bytes
      .subarray(0, maxBytes - 3)
      .toString()
      .replace(/\uFFFD+$/, '') + ellipsis
  )
}
