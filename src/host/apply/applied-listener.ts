import type { Slot } from '../../paxos/types.js'
import type { SessionName } from '../../replication/session-table.js'
import type { SessionCommand, SessionOutcome } from '../../replication/sessions.js'

/**
 * Told of every command that is applied, when all of its slot has been: nobody hears of a success in a slot that fails at a later command,
 * and is skipped then. Whoever waits for the command is among the listener's own.
 */
export interface AppliedListener {
  onOpened(token: Uint8Array, clientId: number, slot: Slot): void
  /** `closed`: there was such a session. */
  onClosed(session: SessionName, closed: boolean, slot: Slot): void
  /** The level was raised, or had been already. `token`: of whoever wanted it. */
  onLevel(token: Uint8Array, slot: Slot): void
  onOutcome(command: SessionCommand, outcome: SessionOutcome | AnsweredOutcome): void
  /** Returns true when a caller of this node waits for the command. */
  isAwaited(command: SessionCommand): boolean
}

/** The outcome of a command that only reads: its answer, as of the slot, or the error that it met. */
export type AnsweredOutcome =
  | { readonly kind: 'answer'; readonly slot: Slot; readonly result: Uint8Array }
  | { readonly kind: 'unanswered'; readonly cause: unknown }

/** Told of each checkpoint boundary, with the digest of the state there: the same on every node, at the same slots. */
export type OnBoundary = (slot: Slot, stateDigest: number) => void
