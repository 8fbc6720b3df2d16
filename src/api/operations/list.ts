import { header, type WireForm } from '../wire-form.js'
import { isDescending } from '../wire-order.js'
import { toWirePair } from '../wire-pair.js'

export const form: WireForm<'list'> = {
  fromWire: ({ prefix, start, end, limit, order, keysOnly, countOnly, pageToken }, reading) => ({
    prefix,
    start,
    end,
    limit,
    descending: isDescending(order, reading),
    keysOnly,
    countOnly,
    pageToken,
  }),
  toWire: ({ pairs, count, nextPageToken, revision }) => ({
    header,
    pairs: pairs.map(toWirePair),
    count,
    nextPageToken,
    revision,
  }),
}
