import { header, type WireForm } from '../wire-form.js'
import { toWireAccount } from '../wire-movement.js'

export const form: WireForm<'listAccounts'> = {
  fromWire: ({ pageSize, pageToken }) => ({ pageSize, pageToken }),
  toWire: ({ accounts, nextPageToken }) => ({ header, accounts: accounts.map(toWireAccount), nextPageToken }),
}
