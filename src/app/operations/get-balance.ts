import type { Account } from '../bank/movement.js'
import { checkId } from '../bounds.js'
import type { Definition } from '../definition.js'
import { Refusal } from '../refusal.js'

/** Reads one account. */
export interface Request {
  readonly accountId: string
}

export interface Outcome {
  readonly account: Account
}

/** Refused with ACCOUNT_NOT_FOUND. */
export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'read',
  isStep: true,
  access: ({ accountId }) => [{ right: 'READ', account: accountId }],
  check: ({ accountId }, bounds) => checkId(bounds, 'accountId', accountId),
  carryOut({ bank: { ledger } }, { accountId }) {
    const account = ledger.accounts.get(accountId)
    return account === undefined ? Refusal.of('ACCOUNT_NOT_FOUND', { account_id: accountId }) : { account }
  },
}
