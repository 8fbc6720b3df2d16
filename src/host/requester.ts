import type { ProposeOutcome } from '../paxos/node.js'
import { type Answer, MemberError } from './api.js'

/** Called once. */
export type Settle<T> = (outcome: T | MemberError) => void

/** What a decided command came to. */
export interface Applied extends Answer {
  /** The session that it opened; 0 if it was another command. */
  readonly openedClientId: number
}

/** A proposal made while a leader is known is made again if its decision has not shown after this long: it may have been lost. */
const RETRY_DELAY_MS = 1_000
/** What a member holds for its clients at once; past it callers are refused at once. */
const PENDING_COUNT_MAX = 20_000
const PENDING_BYTES_MAX = 128 << 20

interface Pending {
  readonly envelope: Uint8Array
  readonly deadlineMs: number
  readonly settles: Settle<Applied>[]
  /** How often it was handed to a leader. 0: certainly not decided. */
  proposalCount: number
  retryAtMs: number
}

/**
 * Sees clients' commands through (the chapter's Requester): proposes them, again and again under the same name until the local state
 * machine has applied them, and gives up at their deadlines. Exactly-once is the session table's work; a repeated proposal is harmless.
 */
export class Requester {
  readonly #pending = new Map<string, Pending>()
  #pendingBytes = 0
  /** Names of those to propose with the next flush. */
  #due: string[] = []
  /** Some of them have been proposed before, without a sign of their decision. */
  #hasOverdue = false
  #nextSweepMs = 0

  get pendingCount(): number {
    return this.#pending.size
  }

  get hasDue(): boolean {
    return this.#due.length > 0
  }

  /** `name` tells the command from every other: who waits under the same name gets the same answer. */
  submit(name: string, envelope: Uint8Array, deadlineMs: number, settle: Settle<Applied>): void {
    const known = this.#pending.get(name)
    if (known !== undefined) {
      known.settles.push(settle)
      return
    }
    if (this.#pending.size >= PENDING_COUNT_MAX || this.#pendingBytes + envelope.length > PENDING_BYTES_MAX) {
      return settle(new MemberError('OVERLOADED', `${this.#pending.size} commands are in flight on this node`))
    }
    this.#pending.set(name, { envelope, deadlineMs, settles: [settle], proposalCount: 0, retryAtMs: 0 })
    this.#pendingBytes += envelope.length
    this.#due.push(name)
  }

  /** Whether the command was handed to a leader more than once: then a session that is gone may have seen it. */
  wasRepeated(name: string): boolean {
    return (this.#pending.get(name)?.proposalCount ?? 0) > 1
  }

  /** Nobody waits for it any more, and it is not proposed again. */
  forget(name: string): void {
    const pending = this.#pending.get(name)
    if (pending !== undefined && this.#pending.delete(name)) this.#pendingBytes -= pending.envelope.length
  }

  settle(name: string, outcome: Applied | MemberError): void {
    const pending = this.#pending.get(name)
    if (pending === undefined) return
    this.forget(name)
    for (const settle of pending.settles) settle(outcome)
  }

  /** Hands what is due to the core in one go. */
  flush(propose: (commands: readonly Uint8Array[], options: { isRetry: boolean }) => ProposeOutcome, nowMs: number): void {
    if (this.#due.length === 0) return
    const due = this.#due.map((name) => this.#pending.get(name)).filter((p) => p !== undefined)
    if (due.length === 0) {
      this.#due = []
      return
    }
    const outcome = propose(
      due.map((p) => p.envelope),
      { isRetry: this.#hasOverdue },
    )
    this.#hasOverdue = false
    if (outcome === 'noLeader') return
    this.#due = []
    for (const pending of due) {
      // An overloaded leader took nothing: ask again a little later.
      pending.retryAtMs = nowMs + (outcome === 'sent' ? RETRY_DELAY_MS : RETRY_DELAY_MS / 10)
      if (outcome === 'sent') pending.proposalCount++
    }
  }

  /** Another node leads: what the last one was handed may be lost with it. */
  onLeaderChanged(): void {
    this.#due = [...this.#pending.keys()]
  }

  tick(nowMs: number): void {
    if (nowMs < this.#nextSweepMs) return
    this.#nextSweepMs = nowMs + RETRY_DELAY_MS / 20
    const isDue = new Set(this.#due)
    for (const [name, pending] of this.#pending) {
      if (nowMs >= pending.deadlineMs) this.settle(name, timedOut(pending))
      else if (pending.retryAtMs !== 0 && nowMs >= pending.retryAtMs && !isDue.has(name)) {
        this.#due.push(name)
        this.#hasOverdue ||= pending.proposalCount > 0
      }
    }
  }

  /** The member stops: nobody will be told any more. */
  stop(message: string): void {
    for (const [name, { proposalCount }] of this.#pending) {
      this.settle(name, new MemberError(proposalCount === 0 ? 'STOPPED' : 'OUTCOME_UNKNOWN', message))
    }
  }
}

function timedOut({ proposalCount }: Pending): MemberError {
  return proposalCount === 0
    ? new MemberError('NO_QUORUM', 'no leader with a majority was found in time; the command was not proposed')
    : new MemberError('OUTCOME_UNKNOWN', 'the command was proposed but not known to be decided in time; it may still take effect')
}
