import { header, type WireForm } from '../wire-form.js'
import { toWireMovement } from '../wire-movement.js'
import { isDescending } from '../wire-order.js'

export const form: WireForm<'listMovements'> = {
  fromWire: ({ accountId, pageSize, pageToken, order }, reading) => ({
    accountId,
    pageSize,
    pageToken,
    descending: isDescending(order, reading),
  }),
  toWire: ({ movements, nextPageToken }) => ({ header, movements: movements.map(toWireMovement), nextPageToken }),
}
