import { checkAmount, type MovementOutcome } from '../bank/bank.js'
import { checkId } from '../bounds.js'
import type { Definition } from '../definition.js'
import { Refusal } from '../refusal.js'

/** Takes money out. */
export interface Request {
  readonly withdrawalId: string
  readonly accountId: string
  /** Minor units, 1 to 2^63 - 1. */
  readonly amount: bigint
}

export type Outcome = MovementOutcome

/** See bank/bank.ts for the order of refusals. */
export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'write',
  isStep: true,
  access: ({ accountId }) => [{ right: 'DEBIT', account: accountId }],
  check(request, bounds) {
    checkId(bounds, 'withdrawalId', request.withdrawalId)
    checkId(bounds, 'accountId', request.accountId)
    checkAmount(bounds, request.amount)
  },
  carryOut({ bank }, { withdrawalId: id, accountId, amount }, at) {
    const outcome = bank.moveOnce(
      {
        id,
        kind: 'withdrawal',
        source: accountId,
        destination: '',
        asset: '',
        amount,
        isPending: false,
        timeoutMs: 0,
        authorization: '',
      },
      bank.ledger.movements.get(id),
      at,
    )
    return outcome instanceof Refusal ? outcome : { movement: outcome, account: bank.ledger.accountsAfter(outcome).source }
  },
  effectSlot: ({ movement }) => movement.slot,
}
