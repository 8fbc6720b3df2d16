import type { Moment } from '../replication/state-machine.js'
import type { Access } from './access.js'
import type { Books } from './books.js'
import type { Bounds, Step } from './bounds.js'
import type { Refusal } from './refusal.js'

/** The operations inside of another, for the one that holds them. */
export interface Steps {
  /** Carries one out. */
  carryOut(books: Books, step: Step, at: Moment): Step | Refusal
  /** The rights that one needs. */
  accessOf(books: Books, step: Step): readonly Access[]
}

/**
 * All that the application knows of one operation. A file each in operations/, from which `npm run gen` makes operations/index.ts; its wire
 * form stands in api/operations/.
 */
export interface Definition<Request, Outcome> {
  /** The level that brought it, from 1: below it the operation does not exist, and its bytes are those of no command. */
  readonly since: number
  /** 'write': changes the state, and stands in the log. 'read': changes nothing, and is answered off the log unless the client wants it in. */
  readonly mode: 'write' | 'read'
  /** True when it may stand in a transaction. */
  readonly isStep: boolean
  /** The rights that it needs. `books`: for what a request names only by an id. */
  access(request: Request, books: Books, steps: Steps): readonly Access[]
  /** Tells `bounds` what of the request is out of its bounds, whatever the state is: asked before it is proposed, and on every node again. */
  check(request: Request, bounds: Bounds): void
  /** Carries a request out that is within its bounds. Must not throw, and ends within some milliseconds. */
  carryOut(books: Books, request: Request, at: Moment, steps: Steps): Outcome | Refusal
  /** In the place of carryOut, for one that may take longer: others have their turn between its steps. */
  carryOutInSteps?(books: Books, request: Request, at: Moment): Generator<undefined, Outcome | Refusal>
  /** The slot in which the first such request took effect, when this one may be a repeat of it. Default: the slot of the request. */
  effectSlot?(outcome: Outcome, slot: number): number
}
