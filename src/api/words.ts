import { status } from '@grpc/grpc-js'
import type { RefusalReason } from '../app/refusal.js'
import type { FieldViolation, Refusal, Result } from '../gen/synod/session/v1/session.js'
import { REASONS } from './reasons.js'

type Parameters = Readonly<Record<string, string | undefined>>

/**
 * The sentences of a state machine's refusals, by reason. Nothing below the doors knows these sentences: they are in no result that is
 * kept or compared, so that they may change from version to version.
 */
export const WORDS: Record<RefusalReason, (p: Parameters) => string> = {
  INVALID_ARGUMENT: () => 'invalid argument',
  ID_REUSED(p) {
    if (p['request_id'] !== undefined) return `the request_id ${quote(p['request_id'])} was used for another request`
    if (p['authority_id'] === undefined) return `the id ${quote(p['movement_id'])} was used for a ${p['kind']} with other content`
    const why = p['is'] === 'revoked' ? 'was revoked' : 'has another key'
    return `authority ${quote(p['authority_id'])} ${why}: register under a new id`
  },
  EXPIRED_ID: (p) =>
    `the request_id ${quote(p['request_id'])} was used in slot ${p['slot']}, and the answer is not kept any more: what came of it is not known`,
  ACCOUNT_EXISTS: (p) => `there is already an account ${quote(p['account_id'])}`,
  ACCOUNT_NOT_FOUND: (p) => about(p, `there is no account ${quote(p['account_id'])}`),
  TRANSFER_NOT_FOUND: (p) => `there is no transfer, deposit or withdrawal ${quote(p['transfer_id'])}`,
  UNKNOWN_AUTHORITY: (p) => `no authority ${quote(p['authority_id'])} is registered, or it was revoked`,
  INVALID_SIGNATURE: (p) => `the signature does not verify under the key of authority ${quote(p['authority_id'])}`,
  LAST_AUTHORITY: (p) => `authority ${quote(p['authority_id'])} is the last one: nobody could sign deposits any more`,
  ASSET_MISMATCH: (p) => about(p, `account ${quote(p['account_id'])} holds another asset`),
  INSUFFICIENT_FUNDS: (p) => about(p, `account ${quote(p['account_id'])} has less than ${p['amount']} available`),
  BALANCE_OVERFLOW: (p) => about(p, `account ${quote(p['account_id'])} would pass the largest amount, ${2n ** 63n - 1n}`),
  TRANSFER_NOT_PENDING: (p) => `${p['kind']} ${quote(p['transfer_id'])} is not pending: it is ${p['status']}`,
  TRANSFER_EXPIRED: (p) => `transfer ${quote(p['transfer_id'])} expired before it was posted or voided`,
  EXCEEDS_PENDING_AMOUNT: (p) =>
    `transfer ${quote(p['transfer_id'])} holds ${p['held']}: no more than that can be posted, not ${p['amount']}`,
  PENDING_AMOUNT_DIFFERS: (p) =>
    `transfer ${quote(p['transfer_id'])} holds ${p['held']}, not ${p['amount']}: a hold is voided as a whole`,
  LINKED_REFUSED: (p) => `transfer ${quote(p['transfer_id'])} of the same linked group is refused`,
  QUOTA_EXCEEDED: () => 'the state has reached its quota: delete something, or have the quota raised',
  RESPONSE_TOO_LARGE: (p) =>
    p['keys'] === undefined
      ? `the answer would be larger than ${p['bytes_max']} bytes`
      : `${p['keys']} keys would be deleted; return_previous answers at most ${p['keys_max']} and ${p['bytes_max']} bytes`,
}

/** Puts in the words and codes that a result has none of. Gives the same result, changed. */
export function withWords(result: Result): Result {
  const { outcome } = result
  if (outcome?.$case === 'refusal') addWords(outcome.value)
  else if (outcome?.$case === 'transferBatch') {
    for (const each of outcome.value.results) {
      if (each.reason === '') continue
      each.code = codeOf(each.reason)
      if (each.message === '') each.message = sentence(each.reason, each.parameters)
    }
  }
  return result
}

/** The gRPC status code of a reason; UNKNOWN for one of a newer node. */
function codeOf(reason: string): status {
  return Object.hasOwn(REASONS, reason) ? REASONS[reason as RefusalReason].code : status.UNKNOWN
}

function addWords(refusal: Refusal): void {
  const { reason, parameters, fieldViolations } = refusal
  for (const violation of fieldViolations) if (violation.description === '') violation.description = describe(violation)
  if (refusal.message === '')
    refusal.message = fieldViolations.length > 0 ? summarise(fieldViolations) : sentence(reason, parameters)
}

/** A newer node may know reasons that this version has no words for. */
function sentence(reason: string, parameters: Parameters): string {
  if (Object.hasOwn(WORDS, reason)) return WORDS[reason as RefusalReason](parameters)
  const told = Object.entries(parameters).map(([name, value]) => `${name} ${quote(value)}`)
  return told.length === 0 ? reason : `${reason}: ${told.join(', ')}`
}

/** The gateway has looked at all that it can before: it has said what is wrong, then. */
function describe({ field }: FieldViolation): string {
  if (field === '') return 'the bytes cannot be decoded'
  return field === 'page_token' ? 'must be empty or the next_page_token of the same query' : 'is missing or out of its bounds'
}

/** Fields at fault in one sentence, the first with its bound. */
export function summarise(violations: readonly FieldViolation[]): string {
  const [first] = violations
  if (first === undefined) return 'invalid argument'
  const told = first.field === '' ? first.description : `${first.field}: ${first.description}`
  return violations.length === 1 ? told : `${told} (and ${violations.length - 1} more)`
}

/** With the movement that was refused, if it was one. */
function about(p: Parameters, what: string): string {
  return p['movement_id'] === undefined ? what : `${p['kind']} ${quote(p['movement_id'])} is refused: ${what}`
}

/** An id as messages show it. */
function quote(id: string | undefined): string {
  return JSON.stringify(id ?? '')
}
