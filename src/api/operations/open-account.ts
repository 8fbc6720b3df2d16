import { header, type WireForm } from '../wire-form.js'
import { toWireAccount } from '../wire-movement.js'

export const form: WireForm<'openAccount'> = {
  fromWire: ({ accountId, asset, overdraftLimit }) => ({ accountId, asset, overdraftLimit }),
  toWire: ({ account }) => ({ header, account: toWireAccount(account) }),
}
