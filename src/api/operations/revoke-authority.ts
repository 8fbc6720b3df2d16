import { header, type WireForm } from '../wire-form.js'

export const form: WireForm<'revokeAuthority'> = {
  fromWire: ({ authorityId, signerId, signature }) => ({ authorityId, signerId, signature }),
  toWire: () => ({ header }),
}
