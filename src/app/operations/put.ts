import type { KeptBytes } from '../../tables/kept-bytes.js'
import { checkKey, checkValue } from '../bounds.js'
import type { Definition } from '../definition.js'
import type { KeyValuePair } from '../kv/keys.js'

/** Writes one key. */
export interface Request {
  readonly key: string
  /** At most 1 MiB. Kept as it is: must not be a view of a bigger buffer. */
  readonly value: KeptBytes
  readonly returnPrevious: boolean
}

export interface Outcome {
  readonly revision: bigint
  /** The pair that was written over, if it was asked for. */
  readonly previous: KeyValuePair | undefined
}

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
