import type { WireForm } from '../wire-form.js'
import { toTransferResponse } from '../wire-movement.js'

export const form: WireForm<'postTransfer'> = {
  fromWire: ({ transferId, amount }) => ({ transferId, amount }),
  toWire: toTransferResponse,
}
