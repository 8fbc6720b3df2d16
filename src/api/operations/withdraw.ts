import type { WireForm } from '../wire-form.js'
import { toMovementResponse } from '../wire-movement.js'

export const form: WireForm<'withdraw'> = {
  fromWire: ({ withdrawalId, accountId, amount }) => ({ withdrawalId, accountId, amount }),
  toWire: toMovementResponse,
}
