import { checkKey, checkKeyPart } from '../bounds.js'
import type { Definition } from '../definition.js'
import type { DeleteOutcome, DeleteRequest } from '../kv/keys.js'

/** Deletes one key, or every key with a prefix. */
export type Request = DeleteRequest

export type Outcome = DeleteOutcome

export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'write',
  isStep: true,
  access: ({ target: { $case, value } }) => [{ right: 'WRITE', keys: $case === 'key' ? { key: value } : { prefix: value } }],
  check({ target }, bounds) {
    if (target.$case === 'key') checkKey(bounds, 'key', target.value)
    else checkKeyPart(bounds, 'prefix', target.value)
  },
  carryOut: (books, request) => books.keys.delete(request),
}
