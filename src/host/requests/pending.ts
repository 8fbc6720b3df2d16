import { type Answer, type Cancellation, MemberError } from '../api.js'
import type { Content, RequestName } from './pending-table.js'

/** Called once. */
export type Settle<T> = (outcome: T | MemberError) => void

/** The outcome of a decided command. */
export interface Applied extends Answer {
  /** The session that it opened; 0 if it was another command. */
  readonly openedClientId: number
  /** True when a closing found such a session. */
  readonly closed: boolean
}

export interface Waiter {
  readonly deadlineMs: number
  readonly settle: Settle<Applied>
  readonly signal: Cancellation | undefined
}

/** A command that somebody waits for. */
export interface Pending {
  readonly name: RequestName
  readonly content: Content
  readonly envelope: Uint8Array
  /** At least one. */
  waiters: Waiter[]
  /** The waiters' earliest deadline. */
  deadlineMs: number
  /** The number of times that it was handed to a leader. 0: certainly not decided. */
  proposalCount: number
  /** When it was handed to a leader last. */
  proposedMs: number
  retryAtMs: number
  /** True when it may have been carried out without this node seeing it. */
  isFateUnknown: boolean
  /** Among those to propose with the next flush. */
  isDue: boolean
  isSettled: boolean
  /** True when the leader refused it for want of room when it was proposed last: that says nothing of loss or latency. */
  wasRefused: boolean
}

export function newPending(request: RequestName & Content, envelope: Uint8Array, waiter: Waiter): Pending {
  const { clientId, token, requestNumber, command, quotaBytes = 0 } = request
  return {
    name: { clientId, token, requestNumber },
    content: { command, quotaBytes },
    envelope,
    waiters: [waiter],
    deadlineMs: waiter.deadlineMs,
    proposalCount: 0,
    proposedMs: 0,
    retryAtMs: 0,
    isFateUnknown: false,
    isDue: true,
    isSettled: false,
    wasRefused: false,
  }
}

/** Returns true when the command may stand in the log more than once: then its outcome in one place says nothing of the others. */
export function wasRepeated({ proposalCount, isFateUnknown }: Pending): boolean {
  return proposalCount > 1 || isFateUnknown
}

/** True when nobody waits for the command any more. */
export function isAbandoned({ waiters }: Pending): boolean {
  for (const { signal } of waiters) if (signal?.aborted !== true) return false
  return true
}

export function cancelled({ proposalCount }: Pending): MemberError {
  const [code, message] =
    proposalCount === 0
      ? (['CANCELLED', 'the caller gave up before the command was proposed'] as const)
      : (['OUTCOME_UNKNOWN', 'the caller gave up after the command was proposed; it may still take effect'] as const)
  return new MemberError(code, message)
}

export function timedOut({ proposalCount }: Pending): MemberError {
  return proposalCount === 0
    ? new MemberError('NO_QUORUM', 'no leader with a majority was found in time; the command was not proposed')
    : new MemberError('OUTCOME_UNKNOWN', 'the command was proposed but not known to be decided in time; it may still take effect')
}
