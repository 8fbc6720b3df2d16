import { checkKeyPart, checkPageSize } from '../bounds.js'
import type { Definition } from '../definition.js'
import type { KeyValuePair } from '../kv/keys.js'

/** Reads one page of a prefix or of a range. */
export interface Request {
  /** Not together with start or end. */
  readonly prefix: string
  readonly start: string
  /** Exclusive; empty: to the last key. */
  readonly end: string
  /** At most 1,000; 0: as many as a page holds. */
  readonly limit: number
  readonly descending: boolean
  readonly keysOnly: boolean
  readonly countOnly: boolean
  readonly pageToken: string
}

export interface Outcome {
  readonly pairs: readonly KeyValuePair[]
  /** Number of keys in the whole prefix or range. */
  readonly count: bigint
  /** Empty on the last page. */
  readonly nextPageToken: string
  readonly revision: bigint
}

export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'read',
  isStep: false,
  access: ({ prefix, start, end }) => [
    { right: 'READ', keys: prefix === '' ? { start, end: end === '' ? undefined : end } : { prefix } },
  ],
  check(request, bounds) {
    checkKeyPart(bounds, 'prefix', request.prefix)
    checkKeyPart(bounds, 'start', request.start)
    checkKeyPart(bounds, 'end', request.end)
    if (request.prefix !== '' && (request.start !== '' || request.end !== '')) bounds.broken('prefix', 'PREFIX_WITH_RANGE')
    checkPageSize(bounds, 'limit', request.limit)
  },
  carryOut: (books, request) => books.keys.list(request),
}
