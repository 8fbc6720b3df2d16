import { compareUtf8 } from '../../tables/utf8.js'
import type { Account } from '../bank/movement.js'
import { checkPageSize } from '../bounds.js'
import type { Definition } from '../definition.js'
import { makePageToken, PAGE_SIZE_DEFAULT, readPageToken, wrongPageToken } from '../page-token.js'

/** Reads one page of the accounts, in the order of their ids' UTF-8 bytes. */
export interface Request {
  /** At most 1,000; 0 means 100. */
  readonly pageSize: number
  readonly pageToken: string
}

export interface Outcome {
  readonly accounts: readonly Account[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'read',
  isStep: false,
  access: () => [{ right: 'READ', accounts: 'all' }],
  check: ({ pageSize }, bounds) => checkPageSize(bounds, 'pageSize', pageSize),
  carryOut({ bank: { ledger } }, request) {
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
  },
}
