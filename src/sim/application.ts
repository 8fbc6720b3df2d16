import type { Moment, StateEntry } from '../machine/state-machine.js'
import type { Slot } from '../paxos/types.js'
import type { Query, SessionRequest } from './operations.js'

/** What applying one command of the log came to. */
export interface Applied {
  /** Tells the request from every other: whoever waits under it is answered. */
  readonly name: string
  readonly slot: Slot
  readonly outcome: string
}

/** What stands above the log, as the simulator sees it. */
export interface Application {
  apply(command: Uint8Array, at: Moment): Applied
  query(query: Query): string
  changes(): Iterable<StateEntry>
  restore(entries: Iterable<StateEntry>): void
  /** What is wrong with the state right now, one sentence each. */
  brokenInvariants(): string[]
}

/** How commands stand in the log. */
export type Command =
  | { readonly kind: 'openSession'; readonly nonce: string }
  | { readonly kind: 'request'; readonly request: SessionRequest }

export function nameOf(command: Command): string {
  return command.kind === 'openSession' ? command.nonce : `${command.request.clientId}:${command.request.requestNumber}`
}
