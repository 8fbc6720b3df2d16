import type { Ledger } from '../bank/ledger.js'
import type { Movement } from '../bank/movement.js'
import { checkId, checkPageSize } from '../bounds.js'
import type { Definition } from '../definition.js'
import { makePageToken, PAGE_SIZE_DEFAULT, readPageToken, wrongPageToken } from '../page-token.js'
import { Refusal } from '../refusal.js'

/** Reads one page of the movements that touched an account, in the order of the log. Its refused movements touched nothing. */
export interface Request {
  readonly accountId: string
  /** At most 1,000; 0 means 100. */
  readonly pageSize: number
  readonly pageToken: string
  readonly descending: boolean
}

export interface Outcome {
  readonly movements: readonly Movement[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

/** Refused with ACCOUNT_NOT_FOUND. */
export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'read',
  isStep: false,
  access: ({ accountId }) => [{ right: 'READ', account: accountId }],
  check(request, bounds) {
    checkId(bounds, 'accountId', request.accountId)
    checkPageSize(bounds, 'pageSize', request.pageSize)
  },
  carryOut({ bank: { ledger } }, request) {
    const { accountId, descending } = request
    const account = ledger.accounts.get(accountId)
    if (account === undefined) return Refusal.of('ACCOUNT_NOT_FOUND', { account_id: accountId })
    const { movementCount } = account
    const query = JSON.stringify([accountId, descending])
    const start =
      request.pageToken === '' ? (descending ? movementCount : 0) : findStart(ledger, request, { query, movementCount })
    if (start === undefined) return wrongPageToken()
    const size = Math.min(request.pageSize || PAGE_SIZE_DEFAULT, descending ? start : movementCount - start)
    const movements = Array.from({ length: size }, (_, i) => ledger.movementAt(accountId, descending ? start - 1 - i : start + i))
    const isLast = descending ? start - size <= 0 : start + size >= movementCount
    return { movements, nextPageToken: isLast ? '' : makePageToken(query, String(movements.at(-1)?.sequence)) }
  },
}

/** The index in the account's list at which the page after the token begins; of a descending list, the one before which it does. */
function findStart(
  ledger: Ledger,
  request: Request,
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
