import { checkAmount, type MovementOutcome } from '../bank/bank.js'
import { depositMessage, signedBytes } from '../bank/signing.js'
import { checkId } from '../bounds.js'
import type { Definition } from '../definition.js'
import { Refusal } from '../refusal.js'

/** Brings money in, signed by an authority. */
export interface Request {
  readonly depositId: string
  readonly accountId: string
  readonly asset: string
  /** Minor units, 1 to 2^63 - 1. */
  readonly amount: bigint
  readonly authorityId: string
  /** May have any length: bytes that are no signature are refused like one that does not verify. */
  readonly signature: Uint8Array
}

export type Outcome = MovementOutcome

/** See bank/bank.ts for the order of refusals. A wrong signature is not recorded: anybody could burn ids without one. */
export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'write',
  isStep: true,
  access: ({ accountId }) => [{ right: 'CREDIT', account: accountId }],
  check(request, bounds) {
    checkId(bounds, 'depositId', request.depositId)
    checkId(bounds, 'accountId', request.accountId)
    checkId(bounds, 'asset', request.asset)
    checkAmount(bounds, request.amount)
    checkId(bounds, 'authorityId', request.authorityId)
  },
  carryOut({ bank }, request, at) {
    const { depositId: id, authorityId: signerId, signature } = request
    const known = bank.ledger.movements.get(id)
    if (known === undefined) {
      const refusal = bank.authorities.verify({ signerId, signature, message: depositMessage(request) })
      if (refusal !== undefined) return refusal
    }
    const outcome = bank.moveOnce(
      {
        id,
        kind: 'deposit',
        source: '',
        destination: request.accountId,
        asset: request.asset,
        amount: request.amount,
        isPending: false,
        timeoutMs: 0,
        authorization: bank.digest(signedBytes('authorization', [signerId, signature])),
      },
      known,
      at,
    )
    return outcome instanceof Refusal ? outcome : { movement: outcome, account: bank.ledger.accountsAfter(outcome).destination }
  },
  effectSlot: ({ movement }) => movement.slot,
}
