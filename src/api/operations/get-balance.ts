import { header, type WireForm } from '../wire-form.js'
import { toWireAccount } from '../wire-movement.js'

export const form: WireForm<'getBalance'> = {
  fromWire: ({ accountId }) => ({ accountId }),
  toWire: ({ account }) => ({ header, account: toWireAccount(account) }),
}
