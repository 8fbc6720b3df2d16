import type { MovementOutcome, TransferOutcome } from '../app/bank/bank.js'
import { type Account, expiresAtMs, type Movement } from '../app/bank/movement.js'
import type { KeyValuePair } from '../app/kv/keys.js'
import type { Outcome, TxnOperationOutcome } from '../app/operations.js'
import { type FieldViolation, Refusal } from '../app/refusal.js'
import { bytesOf } from '../encoding/keep.js'
import {
  MovementKind,
  MovementStatus,
  type TransferResponse,
  type TransferResult,
  type Account as WireAccount,
  type Movement as WireMovement,
} from '../gen/synod/bank/v1/bank.js'
import type { TxnOperationResponse, KeyValuePair as WirePair } from '../gen/synod/kv/v1/kv.js'
import type { Result, Refusal as WireRefusal } from '../gen/synod/session/v1/session.js'
import { REASONS } from './reasons.js'

const header = undefined

/**
 * An outcome as it goes over the wire, with the slot in which it took effect; of a query: 0. Responses carry no header: the node that
 * answers adds it.
 */
export function toResult(outcome: Outcome, slot: number): Result {
  return { slot, outcome: toWireOutcome(outcome) }
}

/** Of a query that is wrong in itself. It may have words: no answer to a query is kept. */
export function invalidQuery(violations: readonly FieldViolation[]): Result {
  const fieldViolations = violations.map(({ field, description }) => ({ field, description }))
  const value: WireRefusal = { reason: 'INVALID_ARGUMENT', message: '', fieldViolations, parameters: {} }
  return { slot: 0, outcome: { $case: 'refusal', value } }
}

function toWireOutcome(outcome: Outcome): NonNullable<Result['outcome']> {
  if (outcome instanceof Refusal) return { $case: 'refusal', value: toWireRefusal(outcome) }
  switch (outcome.$case) {
    case 'list': {
      const { pairs, count, nextPageToken, revision } = outcome.value
      return { $case: 'list', value: { header, pairs: pairs.map(toWirePair), count, nextPageToken, revision } }
    }
    case 'txn': {
      const { succeeded, responses, revision } = outcome.value
      return { $case: 'txn', value: { header, succeeded, responses: responses.map(toTxnResponse), revision } }
    }
    case 'transferBatch':
      return { $case: 'transferBatch', value: { header, results: outcome.value.results.map(toTransferResult) } }
    case 'getTransfer':
      return { $case: 'getTransfer', value: { header, movement: toWireMovement(outcome.value.movement) } }
    case 'listMovements': {
      const { movements, nextPageToken } = outcome.value
      return { $case: 'listMovements', value: { header, movements: movements.map(toWireMovement), nextPageToken } }
    }
    case 'listAccounts': {
      const { accounts, nextPageToken } = outcome.value
      return { $case: 'listAccounts', value: { header, accounts: accounts.map(toWireAccount), nextPageToken } }
    }
    case 'registerAuthority':
    case 'revokeAuthority':
      return { $case: outcome.$case, value: { header } }
    case 'put':
    case 'get':
    case 'delete':
    case 'openAccount':
    case 'deposit':
    case 'withdraw':
    case 'transfer':
    case 'postTransfer':
    case 'voidTransfer':
    case 'getBalance':
      return toResponse(outcome)
  }
}

/** The answers that may also stand in a transaction's. */
function toResponse(outcome: TxnOperationOutcome): NonNullable<TxnOperationResponse['response']> {
  switch (outcome.$case) {
    case 'put':
      return { $case: 'put', value: { header, revision: outcome.value.revision, previous: optionalPair(outcome.value.previous) } }
    case 'get':
      return { $case: 'get', value: { header, pair: optionalPair(outcome.value.pair), revision: outcome.value.revision } }
    case 'delete': {
      const { deletedCount, revision, previous } = outcome.value
      return { $case: 'delete', value: { header, deletedCount, revision, previous: previous.map(toWirePair) } }
    }
    case 'openAccount':
      return { $case: 'openAccount', value: { header, account: toWireAccount(outcome.value.account) } }
    case 'deposit':
    case 'withdraw':
      return { $case: outcome.$case, value: toMovementResponse(outcome.value) }
    case 'transfer':
    case 'postTransfer':
    case 'voidTransfer':
      return { $case: outcome.$case, value: toTransferResponse(outcome.value) }
    case 'getBalance':
      return { $case: 'getBalance', value: { header, account: toWireAccount(outcome.value.account) } }
  }
}

function toTxnResponse(outcome: TxnOperationOutcome): TxnOperationResponse {
  return { response: toResponse(outcome) }
}

/** Of a deposit or a withdrawal. */
function toMovementResponse({ movement, account }: MovementOutcome): {
  header: undefined
  movement: WireMovement
  account: WireAccount | undefined
} {
  return { header, movement: toWireMovement(movement), account: account && toWireAccount(account) }
}

/** Of a transfer, or of the end of a pending one. */
function toTransferResponse({ movement, source, destination }: TransferOutcome): TransferResponse {
  return {
    header,
    movement: toWireMovement(movement),
    source: source && toWireAccount(source),
    destination: destination && toWireAccount(destination),
  }
}

function toTransferResult(result: Movement | Refusal): TransferResult {
  if (!(result instanceof Refusal)) {
    return { code: 0, reason: '', message: '', movement: toWireMovement(result), parameters: {} }
  }
  const { reason, parameters } = result
  return { code: REASONS[reason].code, reason, message: '', movement: undefined, parameters }
}

/** Without words: see words.ts. */
function toWireRefusal({ reason, parameters, fields }: Refusal): WireRefusal {
  return { reason, message: '', fieldViolations: fields.map((field) => ({ field, description: '' })), parameters }
}

function toWirePair({ key, value, createRevision, modRevision, version }: KeyValuePair): WirePair {
  return { key, value: bytesOf(value), createRevision, modRevision, version }
}

function optionalPair(pair: KeyValuePair | undefined): WirePair | undefined {
  return pair && toWirePair(pair)
}

function toWireAccount(account: Account): WireAccount {
  return {
    accountId: account.accountId,
    asset: account.asset,
    balance: account.balance,
    held: account.held,
    overdraftLimit: account.overdraftLimit,
    openedAt: new Date(account.openedAtMs),
  }
}

export function toWireMovement(movement: Movement): WireMovement {
  const expiryMs = expiresAtMs(movement)
  return {
    id: movement.id,
    kind: KINDS[movement.kind],
    source: movement.source,
    destination: movement.destination,
    asset: movement.asset,
    amount: movement.amount,
    status: STATUSES[movement.status],
    slot: movement.slot,
    time: new Date(movement.timeMs),
    pendingAmount: movement.pendingAmount,
    expiresAt: expiryMs === undefined ? undefined : new Date(expiryMs),
    refusalReason: movement.refusalReason,
  }
}

const KINDS = {
  deposit: MovementKind.DEPOSIT,
  withdrawal: MovementKind.WITHDRAWAL,
  transfer: MovementKind.TRANSFER,
} as const

const STATUSES = {
  posted: MovementStatus.POSTED,
  pending: MovementStatus.PENDING,
  voided: MovementStatus.VOIDED,
  expired: MovementStatus.EXPIRED,
  refused: MovementStatus.REFUSED,
} as const
