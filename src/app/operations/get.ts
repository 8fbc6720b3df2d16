import { checkKey } from '../bounds.js'
import type { Definition } from '../definition.js'
import type { GetOutcome } from '../kv/keys.js'

/** Reads one key. */
export interface Request {
  readonly key: string
}

export type Outcome = GetOutcome

export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'read',
  isStep: true,
  access: ({ key }) => [{ right: 'READ', keys: { key } }],
  check: ({ key }, bounds) => checkKey(bounds, 'key', key),
  carryOut: (books, request) => books.keys.get(request),
}
