import { header, type WireForm } from '../wire-form.js'
import { toWireMovement } from '../wire-movement.js'

export const form: WireForm<'getTransfer'> = {
  fromWire: ({ transferId }) => ({ transferId }),
  toWire: ({ movement }) => ({ header, movement: toWireMovement(movement) }),
}
