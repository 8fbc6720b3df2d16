import { accountOf } from '../../lib/bank-load.js'

/** Of a batch: as many as TransferBatch takes. */
export const BATCH_TRANSFERS = 8_190
/** The transfers go to and fro between them. */
export const BATCH_ACCOUNTS = 10_000

export interface BatchTransfer {
  readonly transferId: string
  readonly sourceAccountId: string
  readonly destinationAccountId: string
  readonly amount: bigint
}

/** The n-th batch of who has this prefix. Transfers of another prefix have other ids. */
export function batchOf(prefix: string, n: number): BatchTransfer[] {
  return Array.from({ length: BATCH_TRANSFERS }, (_, i) => {
    const place = n * BATCH_TRANSFERS + i
    return {
      transferId: `${prefix}-${place}`,
      sourceAccountId: accountOf(place % BATCH_ACCOUNTS),
      // Never the same one: 6 × place + 1 is odd, and no multiple of an even number of accounts.
      destinationAccountId: accountOf((7 * place + 1) % BATCH_ACCOUNTS),
      amount: 1n,
    }
  })
}
