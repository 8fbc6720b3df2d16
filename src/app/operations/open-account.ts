import { ACCOUNT_BYTES } from '../../tables/row-bytes.js'
import type { Account, AccountRow } from '../bank/movement.js'
import { INT64_MAX } from '../bank/movement.js'
import { checkId } from '../bounds.js'
import type { Definition } from '../definition.js'
import { Refusal } from '../refusal.js'

/** Opens an account in one asset. */
export interface Request {
  readonly accountId: string
  readonly asset: string
  /** Minor units, 0 to 2^63 - 1. */
  readonly overdraftLimit: bigint
}

export interface Outcome {
  readonly account: Account
}

/** Refused with ACCOUNT_EXISTS. */
export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'write',
  isStep: true,
  access: ({ accountId }) => [{ right: 'OPEN', account: accountId }],
  check(request, bounds) {
    checkId(bounds, 'accountId', request.accountId)
    checkId(bounds, 'asset', request.asset)
    if (request.overdraftLimit < 0n || request.overdraftLimit > INT64_MAX) {
      bounds.broken('overdraftLimit', 'OVERDRAFT_LIMIT', INT64_MAX)
    }
  },
  carryOut({ bank: { ledger }, events }, { accountId, asset, overdraftLimit }, at) {
    if (ledger.accounts.get(accountId) !== undefined) return Refusal.of('ACCOUNT_EXISTS', { account_id: accountId })
    const account: AccountRow = {
      accountId,
      asset,
      balance: 0n,
      held: 0n,
      overdraftLimit,
      openedAtMs: at.timeMs,
      movementCount: 0,
      lastPlace: 0,
    }
    ledger.accounts.set(accountId, account)
    events.add('accountOpened', undefined, account, ACCOUNT_BYTES)
    return { account }
  },
}
