import type { WireForm } from '../wire-form.js'
import { toMovementResponse } from '../wire-movement.js'

export const form: WireForm<'deposit'> = {
  fromWire: ({ depositId, accountId, asset, amount, authorityId, signature }) => ({
    depositId,
    accountId,
    asset,
    amount,
    authorityId,
    signature,
  }),
  toWire: toMovementResponse,
}
