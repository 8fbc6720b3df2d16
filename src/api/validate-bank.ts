import { INT64_MAX } from '../app/bank/movement.js'
import type { FieldViolation } from '../app/refusal.js'
import type {
  DepositRequest,
  GetBalanceRequest,
  GetTransferRequest,
  LinkedGroup,
  ListAccountsRequest,
  ListMovementsRequest,
  OpenAccountRequest,
  PostTransferRequest,
  RegisterAuthorityRequest,
  RevokeAuthorityRequest,
  TransferBatchRequest,
  TransferRequest,
  VoidTransferRequest,
  WithdrawRequest,
} from '../gen/synod/bank/v1/bank.js'
import { consistency, each, id, order, pageSize, requestId, VIOLATIONS_MAX } from './checks.js'
import { durationMs } from './duration.js'

const TRANSFERS_MAX = 8_190
const TIMEOUT_MS_MAX = 3_650 * 24 * 60 * 60 * 1000
const PUBLIC_KEY_BYTES = 32

export function openAccountViolations(out: FieldViolation[], request: OpenAccountRequest): void {
  id(out, 'account_id', request.accountId)
  id(out, 'asset', request.asset)
  if (request.overdraftLimit < 0n || request.overdraftLimit > INT64_MAX) {
    out.push({ field: 'overdraft_limit', description: `must be 0 to ${INT64_MAX}` })
  }
  requestId(out, request.requestId)
}

/** Of any length: a signature that is none is refused like one that does not verify. */
export function depositViolations(out: FieldViolation[], request: DepositRequest): void {
  id(out, 'deposit_id', request.depositId)
  id(out, 'account_id', request.accountId)
  id(out, 'asset', request.asset)
  amount(out, request.amount)
  id(out, 'authority_id', request.authorityId)
}

export function withdrawViolations(out: FieldViolation[], request: WithdrawRequest): void {
  id(out, 'withdrawal_id', request.withdrawalId)
  id(out, 'account_id', request.accountId)
  amount(out, request.amount)
}

export function transferViolations(out: FieldViolation[], request: TransferRequest): void {
  id(out, 'transfer_id', request.transferId)
  id(out, 'source_account_id', request.sourceAccountId)
  id(out, 'destination_account_id', request.destinationAccountId)
  if (request.sourceAccountId === request.destinationAccountId) {
    out.push({ field: 'destination_account_id', description: 'must be another account than source_account_id' })
  }
  amount(out, request.amount)
  const { timeout } = request
  if (timeout === undefined) return
  if (!request.pending) out.push({ field: 'timeout', description: 'is only for pending transfers' })
  const ms = durationMs(timeout)
  if (timeout.nanos < 0 || timeout.nanos >= 1_000_000_000 || ms < 1 || ms > TIMEOUT_MS_MAX) {
    out.push({ field: 'timeout', description: 'must be 1 ms to 3,650 days' })
  }
}

/** Of PostTransfer and VoidTransfer alike. */
export function endTransferViolations(out: FieldViolation[], request: PostTransferRequest | VoidTransferRequest): void {
  id(out, 'transfer_id', request.transferId)
  if (request.amount < 0n || request.amount > INT64_MAX) {
    out.push({ field: 'amount', description: `must be 0 (all of it) to ${INT64_MAX}` })
  }
}

export function transferBatchViolations(out: FieldViolation[], { transfers, linkedGroups }: TransferBatchRequest): void {
  if (transfers.length < 1 || transfers.length > TRANSFERS_MAX) {
    out.push({ field: 'transfers', description: 'must be 1 to 8,190 transfers' })
    return
  }
  each(out, 'transfers', transfers, transferViolations)
  linkedGroupViolations(out, linkedGroups, transfers.length)
}

function linkedGroupViolations(out: FieldViolation[], groups: readonly LinkedGroup[], transferCount: number): void {
  let end = 0
  for (const [i, { first, count }] of groups.entries()) {
    if (out.length >= VIOLATIONS_MAX) return
    if (first < end) {
      out.push({ field: `linked_groups[${i}].first`, description: `must be at least ${end}: groups ascend and do not overlap` })
    }
    if (count < 2 || first + count > transferCount) {
      out.push({
        field: `linked_groups[${i}].count`,
        description: `must be at least 2 and stay within the ${transferCount} transfers`,
      })
    }
    end = first + count
  }
}

export function registerAuthorityViolations(out: FieldViolation[], request: RegisterAuthorityRequest, initial: boolean): void {
  id(out, 'authority_id', request.authorityId)
  if (request.publicKey.length !== PUBLIC_KEY_BYTES) {
    out.push({ field: 'public_key', description: `must be an ed25519 key of 32 bytes, has ${request.publicKey.length}` })
  }
  if (!initial || request.signerId !== '') id(out, 'signer_id', request.signerId)
}

export function revokeAuthorityViolations(out: FieldViolation[], request: RevokeAuthorityRequest): void {
  id(out, 'authority_id', request.authorityId)
  id(out, 'signer_id', request.signerId)
}

export function getBalanceViolations(out: FieldViolation[], request: GetBalanceRequest): void {
  id(out, 'account_id', request.accountId)
  consistency(out, request.consistency)
}

export function getTransferViolations(out: FieldViolation[], request: GetTransferRequest): void {
  id(out, 'transfer_id', request.transferId)
  consistency(out, request.consistency)
}

export function listMovementsViolations(out: FieldViolation[], request: ListMovementsRequest): void {
  id(out, 'account_id', request.accountId)
  pageSize(out, 'page_size', request.pageSize)
  order(out, request.order)
  consistency(out, request.consistency)
}

export function listAccountsViolations(out: FieldViolation[], request: ListAccountsRequest): void {
  pageSize(out, 'page_size', request.pageSize)
  consistency(out, request.consistency)
}

function amount(out: FieldViolation[], value: bigint): void {
  if (value < 1n || value > INT64_MAX) out.push({ field: 'amount', description: `must be 1 to ${INT64_MAX} minor units` })
}
