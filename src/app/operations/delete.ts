import { checkKey, checkKeyPart } from '../bounds.js'
import type { Definition } from '../definition.js'
import type { KeyValuePair } from '../kv/keys.js'

/** Deletes one key, or every key with a prefix; with the empty prefix: every key. */
export interface Request {
  readonly target: { readonly $case: 'key' | 'prefix'; readonly value: string }
  readonly returnPrevious: boolean
}

export interface Outcome {
  readonly deletedCount: bigint
  /** The store's: deleting nothing is no write. */
  readonly revision: bigint
  /** The pairs that were deleted, if they were asked for. */
  readonly previous: readonly KeyValuePair[]
}

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
