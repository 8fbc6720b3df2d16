import type { StoreEvent } from '../replication/event-log.js'
import type { AccountRow, Movement } from './bank/movement.js'
import type { KeyValuePair } from './kv/pair.js'

/** Number of pairs that one command deletes with an event each. */
export const DELETED_EACH_MAX = 10_000

/** Kinds of changes of the bank and the keys, each with the rows before and after it. */
type Change =
  | { readonly kind: 'put'; readonly before: KeyValuePair | undefined; readonly after: KeyValuePair }
  | { readonly kind: 'delete'; readonly before: KeyValuePair; readonly after: undefined }
  /** In the place of more than DELETED_EACH_MAX events of the kind 'delete': every key with the prefix is gone. */
  | { readonly kind: 'deletePrefix'; readonly before: DeletedPrefix; readonly after: undefined }
  | { readonly kind: 'accountOpened'; readonly before: undefined; readonly after: AccountRow }
  | { readonly kind: 'movementMade'; readonly before: undefined; readonly after: Movement }
  /** A hold was posted or voided, or has expired. */
  | { readonly kind: 'movementEnded'; readonly before: Movement; readonly after: Movement }

export interface DeletedPrefix {
  readonly prefix: string
  readonly count: number
}

/**
 * A change that can be seen of the bank and the keys. Some changes of the state cannot, and take no revision: a movement that was refused (its
 * id is remembered, so that it stays refused, but no key, account or list has changed), authorities, sessions, and first answers.
 */
export type BooksEvent = StoreEvent & Change
