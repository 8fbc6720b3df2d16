import { checkKeyPart, checkPageSize } from '../bounds.js'
import type { Definition } from '../definition.js'
import type { ListOutcome, ListRequest } from '../kv/keys.js'

/** Reads one page of a prefix or of a range. */
export type Request = ListRequest

export type Outcome = ListOutcome

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
