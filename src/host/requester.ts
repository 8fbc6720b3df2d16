import type { ProposeOutcome } from '../paxos/node.js'
import { type Answer, MemberError } from './api.js'

/** Called once. */
export type Settle<T> = (outcome: T | MemberError) => void

/** What a decided command came to. */
export interface Applied extends Answer {
  /** The session that it opened; 0 if it was another command. */
  readonly openedClientId: number
}

/**
 * A proposal made while a leader is known is made again if its decision has not shown after this long: it may have been lost. Or the
 * cluster is behind: so the next time it waits twice as long, and so on up to a bound.
 */
const RETRY_DELAY_MS = 1_000
const RETRY_DELAY_MS_MAX = 8_000
/** What a member holds for its clients at once; past it callers are refused at once. */
const PENDING_COUNT_MAX = 8_192
const PENDING_BYTES_MAX = 128 << 20
/** What is proposed in one go: all that is pending would be more than a message between nodes may hold. */
const PROPOSAL_BYTES_MAX = 1 << 20

/** What tells a command from every other. */
export interface RequestName {
  /** 0 for the opening of a session. */
  readonly clientId: number
  /** Of an opening: its nonce. */
  readonly requestNumber: number | string
}

interface Waiter {
  readonly deadlineMs: number
  readonly settle: Settle<Applied>
}

interface Pending {
  readonly name: RequestName
  readonly envelope: Uint8Array
  /** At least one. */
  waiters: Waiter[]
  /** Of the waiters, the earliest. */
  deadlineMs: number
  /** How often it was handed to a leader. 0: certainly not decided. */
  proposalCount: number
  retryAtMs: number
  /** It may have been carried out where this node has not seen it. */
  isFateUnknown: boolean
  /** Among those to propose with the next flush. */
  isDue: boolean
  isSettled: boolean
}

/**
 * Sees clients' commands through (the chapter's Requester): proposes them, again and again under the same name until the local state
 * machine has applied them, and gives up at their deadlines. Exactly-once is the session table's work; a repeated proposal is harmless.
 */
export class Requester {
  /** By client and request number. A node looks for each command that it applies: of most, no client of its own has anything here. */
  readonly #pending = new Map<number, Map<number | string, Pending>>()
  #pendingCount = 0
  #pendingBytes = 0
  #waiterCount = 0
  /** To propose with the next flush, but for those that have been settled meanwhile. */
  #due: Pending[] = []
  /** Some of them have come since the last flush. */
  #hasNew = false
  /** Some of them have been proposed before, without a sign of their decision. */
  #hasOverdue = false
  #nextSweepMs = 0

  get pendingCount(): number {
    return this.#pendingCount
  }

  /** Whether a flush is worth while now. What no leader took waits for the next tick: nothing is won by asking in a loop. */
  get hasNew(): boolean {
    return this.#hasNew
  }

  /** Who waits under the same name gets the same answer. */
  submit(name: RequestName, envelope: Uint8Array, deadlineMs: number, settle: Settle<Applied>): void {
    const known = this.#find(name)
    const bytes = known === undefined ? envelope.length : 0
    if (this.#waiterCount >= PENDING_COUNT_MAX || this.#pendingBytes + bytes > PENDING_BYTES_MAX) {
      const code = known === undefined || known.proposalCount === 0 ? 'OVERLOADED' : 'OUTCOME_UNKNOWN'
      return settle(new MemberError(code, `${this.#waiterCount} commands are in flight on this node`))
    }
    this.#waiterCount++
    if (known !== undefined) {
      known.waiters.push({ deadlineMs, settle })
      known.deadlineMs = Math.min(known.deadlineMs, deadlineMs)
      return
    }
    const pending: Pending = {
      name,
      envelope,
      waiters: [{ deadlineMs, settle }],
      deadlineMs,
      proposalCount: 0,
      retryAtMs: 0,
      isFateUnknown: false,
      isDue: true,
      isSettled: false,
    }
    this.#add(pending)
    this.#due.push(pending)
    this.#hasNew = true
  }

  /** Whether the command may stand in the log more than once: then what becomes of it in one place says nothing of the others. */
  wasRepeated(name: RequestName): boolean {
    const pending = this.#find(name)
    return pending !== undefined && (pending.proposalCount > 1 || pending.isFateUnknown)
  }

  /** Nobody waits for it any more, and it is not proposed again. */
  forget(name: RequestName): void {
    const pending = this.#find(name)
    if (pending !== undefined) this.#remove(pending)
  }

  settle(name: RequestName, outcome: Applied | MemberError): void {
    const pending = this.#find(name)
    if (pending === undefined) return
    this.#remove(pending)
    for (const { settle } of pending.waiters) settle(outcome)
  }

  /** Hands what is due to the core, in pages. */
  flush(propose: (commands: readonly Uint8Array[], options: { isRetry: boolean }) => ProposeOutcome, nowMs: number): void {
    this.#hasNew = false
    if (this.#due.length === 0) return
    const due = this.#due
    this.#due = []
    let isRetry = this.#hasOverdue
    this.#hasOverdue = false
    for (let from = 0; from < due.length; ) {
      const { page, next } = pageOf(due, from)
      if (page.length > 0) {
        const outcome = propose(
          page.map((p) => p.envelope),
          { isRetry },
        )
        if (outcome === 'noLeader') {
          this.#due = from === 0 ? due : due.slice(from)
          return
        }
        isRetry = false
        onProposed(page, outcome, nowMs)
      }
      from = next
    }
  }

  /** Another node leads: what the last one was handed may be lost with it. */
  onLeaderChanged(): void {
    this.#due = [...this.#all()]
    for (const pending of this.#due) pending.isDue = true
    this.#hasNew = this.#due.length > 0
  }

  /**
   * The state has been replaced by a peer's: what was proposed may have been carried out in a slot that is not applied here any more. It is
   * asked for again.
   */
  onStateReplaced(): void {
    for (const pending of this.#all()) if (pending.proposalCount > 0) pending.isFateUnknown = true
    this.onLeaderChanged()
  }

  tick(nowMs: number): void {
    if (nowMs < this.#nextSweepMs) return
    this.#nextSweepMs = nowMs + RETRY_DELAY_MS / 20
    for (const pending of this.#all()) {
      if (nowMs >= pending.deadlineMs) this.#expire(pending, nowMs)
      else if (pending.retryAtMs !== 0 && nowMs >= pending.retryAtMs && !pending.isDue) {
        pending.isDue = true
        this.#due.push(pending)
        this.#hasOverdue ||= pending.proposalCount > 0
      }
    }
  }

  /** The member stops: nobody will be told any more. */
  stop(message: string): void {
    for (const { name, proposalCount } of this.#all()) {
      this.settle(name, new MemberError(proposalCount === 0 ? 'STOPPED' : 'OUTCOME_UNKNOWN', message))
    }
  }

  /** Those who waited longest under the name need not be those whose time is up first. */
  #expire(pending: Pending, nowMs: number): void {
    const expired = pending.waiters.filter((w) => w.deadlineMs <= nowMs)
    if (expired.length === pending.waiters.length) return this.settle(pending.name, timedOut(pending))
    this.#waiterCount -= expired.length
    pending.waiters = pending.waiters.filter((w) => w.deadlineMs > nowMs)
    pending.deadlineMs = Math.min(...pending.waiters.map((w) => w.deadlineMs))
    for (const { settle } of expired) settle(timedOut(pending))
  }

  *#all(): Generator<Pending> {
    for (const ofClient of this.#pending.values()) yield* ofClient.values()
  }

  #find({ clientId, requestNumber }: RequestName): Pending | undefined {
    return this.#pending.get(clientId)?.get(requestNumber)
  }

  #add(pending: Pending): void {
    const { clientId, requestNumber } = pending.name
    let ofClient = this.#pending.get(clientId)
    if (ofClient === undefined) {
      ofClient = new Map()
      this.#pending.set(clientId, ofClient)
    }
    ofClient.set(requestNumber, pending)
    this.#pendingCount++
    this.#pendingBytes += pending.envelope.length
  }

  #remove(pending: Pending): void {
    const { clientId, requestNumber } = pending.name
    const ofClient = this.#pending.get(clientId)
    ofClient?.delete(requestNumber)
    if (ofClient?.size === 0) this.#pending.delete(clientId)
    pending.isSettled = true
    this.#pendingCount--
    this.#pendingBytes -= pending.envelope.length
    this.#waiterCount -= pending.waiters.length
  }
}

/** What is proposed in one go, from that place on. */
function pageOf(due: readonly Pending[], from: number): { page: Pending[]; next: number } {
  const page: Pending[] = []
  let next = from
  for (let bytes = 0; next < due.length && bytes < PROPOSAL_BYTES_MAX; next++) {
    const pending = due[next] as Pending
    if (pending.isSettled) continue
    page.push(pending)
    bytes += pending.envelope.length
  }
  return { page, next }
}

function onProposed(page: readonly Pending[], outcome: 'sent' | 'overloaded', nowMs: number): void {
  for (const pending of page) {
    pending.isDue = false
    // An overloaded leader took nothing: ask again a little later.
    const delayMs = outcome === 'sent' ? RETRY_DELAY_MS * 2 ** pending.proposalCount : RETRY_DELAY_MS / 10
    pending.retryAtMs = nowMs + Math.min(delayMs, RETRY_DELAY_MS_MAX)
    if (outcome === 'sent') pending.proposalCount++
  }
}

function timedOut({ proposalCount }: Pending): MemberError {
  return proposalCount === 0
    ? new MemberError('NO_QUORUM', 'no leader with a majority was found in time; the command was not proposed')
    : new MemberError('OUTCOME_UNKNOWN', 'the command was proposed but not known to be decided in time; it may still take effect')
}
