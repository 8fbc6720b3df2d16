import { header, type WireForm } from '../wire-form.js'

export const form: WireForm<'registerAuthority'> = {
  fromWire: ({ authorityId, publicKey, signerId, signature }) => ({
    authorityId,
    // Kept: not as a view of the frame that it came in.
    publicKey: publicKey.slice(),
    signerId,
    signature,
  }),
  toWire: () => ({ header }),
}
