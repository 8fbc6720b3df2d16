import { Order } from '../gen/synod/common/v1/common.js'
import type { Reading } from './wire-form.js'

/** Returns whether a list's order is the descending one. */
export function isDescending(order: Order, reading: Reading): boolean {
  if (order < Order.UNSPECIFIED || order > Order.DESCENDING) {
    reading.wrong('order', 'must be ORDER_ASCENDING or ORDER_DESCENDING')
  }
  return order === Order.DESCENDING
}
