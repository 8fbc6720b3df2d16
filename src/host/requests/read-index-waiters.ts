import type { ReadIndexGrant } from '../../paxos/outbox.js'
import type { Slot } from '../../paxos/types.js'
import { type Cancellation, MemberError } from '../api.js'
import type { Settle } from './pending.js'

const WAITING_MAX = 20_000
const SWEEP_INTERVAL_MS = 50

interface Waiter {
  readonly deadlineMs: number
  readonly settle: Settle<Slot>
  readonly signal: Cancellation | undefined
}

/** Linearizable reads that wait for their read index, then until this node has applied that slot. One read index serves all reads of a turn. */
export class ReadIndexWaiters {
  #gathering: Waiter[] = []
  readonly #asked = new Map<number, readonly Waiter[]>()
  /** Read indexes that are not applied here yet, with the reads that wait for them. */
  #granted: { readonly slot: Slot; readonly waiters: readonly Waiter[] }[] = []
  /** Those who wait only until the state is that of a slot. */
  #local: readonly Waiter[] = []
  #lastToken = 0
  #waitingCount = 0
  #nextSweepMs = 0

  get hasGathered(): boolean {
    return this.#gathering.length > 0
  }

  add(deadlineMs: number, settle: Settle<Slot>, signal?: Cancellation): void {
    if (this.#admits(settle)) this.#gathering.push({ deadlineMs, settle, signal })
  }

  /** Waits for no more than that the state is that of a slot, whichever. */
  addLocal(deadlineMs: number, settle: Settle<Slot>, signal?: Cancellation): void {
    if (this.#admits(settle)) this.#local = [...this.#local, { deadlineMs, settle, signal }]
  }

  /** Asks the core for one read index on behalf of all reads that have come since the last time. */
  flush(readIndex: (token: number) => void): void {
    if (this.#gathering.length === 0) return
    this.#asked.set(++this.#lastToken, this.#gathering)
    this.#gathering = []
    readIndex(this.#lastToken)
  }

  onGranted(grants: readonly ReadIndexGrant[]): void {
    for (const { token, slot } of grants) {
      const waiters = this.#asked.get(token)
      if (waiters === undefined) continue
      this.#asked.delete(token)
      this.#granted.push({ slot, waiters })
    }
  }

  /** The state may be read, and is that after this slot. */
  onApplied(appliedUpTo: Slot): void {
    const local = this.#local
    this.#local = []
    for (const waiter of local) this.#settle(waiter, appliedUpTo)
    if (this.#granted.length === 0) return
    const ready = this.#granted.filter((g) => g.slot <= appliedUpTo)
    this.#granted = this.#granted.filter((g) => g.slot > appliedUpTo)
    for (const { waiters } of ready) for (const waiter of waiters) this.#settle(waiter, appliedUpTo)
  }

  tick(nowMs: number): void {
    if (nowMs < this.#nextSweepMs || this.#waitingCount === 0) return
    this.#nextSweepMs = nowMs + SWEEP_INTERVAL_MS
    this.#gathering = this.#expire(this.#gathering, nowMs)
    this.#local = this.#expire(this.#local, nowMs, stateNotThere)
    for (const [token, waiters] of this.#asked) {
      const left = this.#expire(waiters, nowMs)
      if (left.length === 0) this.#asked.delete(token)
      else if (left.length < waiters.length) this.#asked.set(token, left)
    }
    this.#granted = this.#granted.map(({ slot, waiters }) => ({ slot, waiters: this.#expire(waiters, nowMs) }))
  }

  stop(message: string): void {
    const told = [...this.#asked.values(), ...this.#granted.map((g) => g.waiters)].flat()
    const waiters = [...this.#gathering, ...this.#local, ...told]
    this.#gathering = []
    this.#local = []
    this.#asked.clear()
    this.#granted = []
    for (const waiter of waiters) this.#settle(waiter, new MemberError('STOPPED', message))
  }

  #admits(settle: Settle<Slot>): boolean {
    if (this.#waitingCount >= WAITING_MAX) {
      settle(new MemberError('OVERLOADED', `${this.#waitingCount} reads wait on this node`))
      return false
    }
    this.#waitingCount++
    return true
  }

  #settle(waiter: Waiter, outcome: Slot | MemberError): void {
    this.#waitingCount--
    waiter.settle(outcome)
  }

  #expire(waiters: readonly Waiter[], nowMs: number, tooLate = notConfirmed): Waiter[] {
    const left = waiters.filter((w) => w.deadlineMs > nowMs && w.signal?.aborted !== true)
    if (left.length < waiters.length) {
      for (const waiter of waiters) {
        if (waiter.signal?.aborted === true) this.#settle(waiter, gaveUp())
        else if (waiter.deadlineMs <= nowMs) this.#settle(waiter, tooLate())
      }
    }
    return left
  }
}

function gaveUp(): MemberError {
  return new MemberError('CANCELLED', 'the caller of the read gave up')
}

function notConfirmed(): MemberError {
  return new MemberError('NO_QUORUM', 'no leader with a majority confirmed the read in time')
}

function stateNotThere(): MemberError {
  return new MemberError('NOT_JOINED', 'this node is installing the state of a peer; ask another')
}
