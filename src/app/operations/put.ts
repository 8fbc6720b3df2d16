import { checkKey, checkValue } from '../bounds.js'
import type { Definition } from '../definition.js'
import type { PutOutcome, PutRequest } from '../kv/keys.js'

/** Writes one key. */
export type Request = PutRequest

export type Outcome = PutOutcome

export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'write',
  isStep: true,
  access: ({ key }) => [{ right: 'WRITE', keys: { key } }],
  check(request, bounds) {
    checkKey(bounds, 'key', request.key)
    checkValue(bounds, 'value', request.value)
  },
  carryOut: (books, request) => books.keys.put(request),
}
