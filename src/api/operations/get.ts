import { header, type WireForm } from '../wire-form.js'
import { toWirePair } from '../wire-pair.js'

export const form: WireForm<'get'> = {
  fromWire: ({ key }) => ({ key }),
  toWire: ({ pair, revision }) => ({ header, pair: pair && toWirePair(pair), revision }),
}
