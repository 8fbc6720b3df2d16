import { compareUtf8 } from '../../tables/utf8.js'
import { makePageToken, readPageToken, wrongPageToken } from '../page-token.js'
import { Refusal } from '../refusal.js'
import type { Ledger } from './ledger.js'
import { type Account, type Movement } from './movement.js'

export interface GetBalanceRequest {
  readonly accountId: string
}

export interface GetBalanceOutcome {
  readonly account: Account
}

export interface GetTransferRequest {
  readonly transferId: string
}

export interface GetTransferOutcome {
  readonly movement: Movement
}

export interface ListMovementsRequest {
  readonly accountId: string
  /** At most 1,000; 0 means 100. */
  readonly pageSize: number
  readonly pageToken: string
  readonly descending: boolean
}

export interface ListMovementsOutcome {
  readonly movements: readonly Movement[]
  readonly nextPageToken: string
}

export interface ListAccountsRequest {
  /** At most 1,000; 0 means 100. */
  readonly pageSize: number
  readonly pageToken: string
}

export interface ListAccountsOutcome {
  readonly accounts: readonly Account[]
  readonly nextPageToken: string
}

const PAGE_SIZE_DEFAULT = 100

export function getBalance(ledger: Ledger, { accountId }: GetBalanceRequest): GetBalanceOutcome | Refusal {
  const account = ledger.accounts.get(accountId)
  return account === undefined ? accountNotFound(accountId) : { account }
}

/** Any movement by its id, also one that was refused. */
export function getTransfer(ledger: Ledger, { transferId }: GetTransferRequest): GetTransferOutcome | Refusal {
  const movement = ledger.movements.get(transferId)
  if (movement !== undefined) return { movement }
  return Refusal.of('TRANSFER_NOT_FOUND', { transfer_id: transferId })
}

/** One page of the movements that touched an account, in the order of the log. Its refused movements touched nothing. */
export function listMovements(ledger: Ledger, request: ListMovementsRequest): ListMovementsOutcome | Refusal {
  const { accountId, descending } = request
  const account = ledger.accounts.get(accountId)
  if (account === undefined) return accountNotFound(accountId)
  const { movementCount } = account
  const query = JSON.stringify([accountId, descending])
  const start = request.pageToken === '' ? (descending ? movementCount : 0) : findStart(ledger, request, { query, movementCount })
  if (start === undefined) return wrongPageToken()
  const size = Math.min(request.pageSize || PAGE_SIZE_DEFAULT, descending ? start : movementCount - start)
  const movements = Array.from({ length: size }, (_, i) => ledger.movementAt(accountId, descending ? start - 1 - i : start + i))
  const isLast = descending ? start - size <= 0 : start + size >= movementCount
  return { movements, nextPageToken: isLast ? '' : makePageToken(query, String(movements.at(-1)?.sequence)) }
}

/** One page of the accounts, in the order of their ids' UTF-8 bytes. */
export function listAccounts(ledger: Ledger, request: ListAccountsRequest): ListAccountsOutcome | Refusal {
  const { keys } = ledger.accounts
  const query = 'accounts'
  const endedAt = request.pageToken === '' ? '' : readPageToken(query, request.pageToken)
  if (endedAt === undefined) return wrongPageToken()
  const size = request.pageSize || PAGE_SIZE_DEFAULT
  const from = keys.position((key) => compareUtf8(key, endedAt) <= 0)
  const to = keys.position(() => true)
  const accounts: Account[] = []
  for (const id of keys.ascending(from, to)) {
    if (accounts.length === size) return { accounts, nextPageToken: makePageToken(query, accounts.at(-1)?.accountId ?? '') }
    const account = ledger.accounts.get(id)
    if (account !== undefined) accounts.push(account)
  }
  return { accounts, nextPageToken: '' }
}

/** The index in the account's list where the page after the token begins: at it, or of a descending list, just before it. */
function findStart(
  ledger: Ledger,
  request: ListMovementsRequest,
  { query, movementCount }: { query: string; movementCount: number },
): number | undefined {
  const endedAt = readPageToken(query, request.pageToken)
  if (endedAt === undefined || !/^[1-9][0-9]{0,15}$/.test(endedAt)) return undefined
  const sequence = Number(endedAt) + (request.descending ? 0 : 1)
  let low = 0
  let high = movementCount
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ledger.movementAt(request.accountId, middle).sequence < sequence) low = middle + 1
    else high = middle
  }
  return low
}

function accountNotFound(accountId: string): Refusal {
  return Refusal.of('ACCOUNT_NOT_FOUND', { account_id: accountId })
}
