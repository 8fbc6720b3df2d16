import { header, type WireForm } from '../wire-form.js'
import { toWirePair } from '../wire-pair.js'

export const form: WireForm<'put'> = {
  fromWire: ({ key, value, returnPrevious }, reading) => ({ key, value: reading.keep(value), returnPrevious }),
  toWire: ({ revision, previous }) => ({ header, revision, previous: previous && toWirePair(previous) }),
}
