import type { Observer } from '../../observer/observer.js'
import type { ProposeOutcome } from '../../paxos/node.js'
import { type Cancellation, MemberError } from '../api.js'
import { TurnGauge } from '../watches/turn-gauge.js'
import { DecisionLatency } from './decision-latency.js'
import { type Applied, cancelled, isAbandoned, newPending, type Pending, type Settle, timedOut } from './pending.js'
import { type Content, PendingTable, type RequestName, sameContent } from './pending-table.js'
import { ProposalPages, pageOf } from './proposal-pages.js'
import { SharedLimit } from './shared-limit.js'

/** The leader has no room: it is asked again after this long. */
const REFUSED_DELAY_MS = 100
const SWEEP_INTERVAL_MS = 50
/** The bounds of pending commands, which all clients share; past them callers are refused at once. */
const PENDING_COUNT_MAX = 16_384
const PENDING_BYTES_MAX = 128 << 20

/**
 * Sees clients' commands through (the chapter's Requester): proposes them, again and again under the same name until the local state
 * machine has applied them, and gives up at their deadlines. Exactly-once is the session table's work; a repeated proposal is harmless.
 */
export class Requester {
  readonly #pending = new PendingTable<Pending>()
  #pendingBytes = 0
  /** Waiters by session. */
  readonly #waiters = new SharedLimit<number>(PENDING_COUNT_MAX)
  readonly #turns = new TurnGauge()
  /** To propose with the next flush, but for those that have been settled meanwhile. */
  #due: Pending[] = []
  /** Some of them have come since the last flush. */
  #hasNew = false
  /** Some of them have been proposed before, without a sign of their decision. */
  #hasOverdue = false
  readonly #pages: ProposalPages
  readonly #latency: DecisionLatency
  #nextSweepMs = 0
  #nowMs = 0

  constructor(observer?: Observer) {
    this.#pages = new ProposalPages(observer)
    this.#latency = new DecisionLatency(observer)
  }

  get pendingCount(): number {
    return this.#pending.size
  }

  /** True when a flush is useful now. Commands that no leader took wait for the next tick: asking in a loop gains nothing. */
  get hasNew(): boolean {
    return this.#hasNew
  }

  /** Takes a command. Repetitions under the same name get the same answer; another command under it is refused. */
  submit(
    request: RequestName & Content,
    envelope: Uint8Array,
    deadlineMs: number,
    settle: Settle<Applied>,
    signal?: Cancellation,
  ): void {
    const known = this.#pending.get(request)
    if (known !== undefined && !sameContent(known.content, request)) {
      return settle(
        new MemberError('ID_REUSED', `another command is under way as number ${request.requestNumber} of this session`),
      )
    }
    if (
      !this.#waiters.hasRoom(request.clientId, Math.min(this.#turns.share, this.#latency.share)) ||
      (known === undefined && this.#pendingBytes + envelope.length > PENDING_BYTES_MAX)
    ) {
      const code = known === undefined || known.proposalCount === 0 ? 'OVERLOADED' : 'OUTCOME_UNKNOWN'
      return settle(new MemberError(code, `${this.#waiters.count} commands are in flight on this node`))
    }
    this.#waiters.add(request.clientId)
    if (known !== undefined) {
      known.waiters.push({ deadlineMs, settle, signal })
      known.deadlineMs = Math.min(known.deadlineMs, deadlineMs)
      return
    }
    const pending = newPending(request, envelope, { deadlineMs, settle, signal })
    this.#add(pending)
    this.#due.push(pending)
    this.#hasNew = true
  }

  /** Finds this very command among those pending; undefined when nobody waits for it. */
  find(request: RequestName & Content): Pending | undefined {
    const pending = this.#pending.get(request)
    return pending !== undefined && sameContent(pending.content, request) ? pending : undefined
  }

  /** Settles a pending command that is not settled yet. */
  settle(pending: Pending, outcome: Applied | MemberError): void {
    this.#remove(pending)
    if (!(outcome instanceof MemberError) && pending.proposalCount === 1 && !pending.wasRefused) {
      this.#latency.onDecided(pending.proposedMs, this.#nowMs)
    }
    for (const { settle } of pending.waiters) settle(outcome)
  }

  /** Hands what is due to the core, in pages. */
  flush(
    propose: (commands: readonly Uint8Array[], options: { isRetry: boolean; pageId: number }) => ProposeOutcome,
    nowMs: number,
  ): void {
    this.#hasNew = false
    this.#nowMs = nowMs
    if (this.#due.length === 0) return
    const due = this.#due
    this.#due = []
    // What nobody waits for any more is not proposed (again).
    for (const pending of due) if (!pending.isSettled && isAbandoned(pending)) this.settle(pending, cancelled(pending))
    let isRetry = this.#hasOverdue
    this.#hasOverdue = false
    for (let from = 0; from < due.length; ) {
      const { page, next } = pageOf(due, from)
      if (page.length > 0) {
        const outcome = propose(
          page.map((p) => p.envelope),
          { isRetry, pageId: this.#pages.nextId },
        )
        if (outcome === 'noLeader') {
          this.#due = from === 0 ? due : due.slice(from)
          return
        }
        isRetry = false
        this.#onProposed(page, outcome)
        if (outcome === 'sent') this.#pages.add(page, nowMs)
      }
      from = next
    }
  }

  /** The leader had no room for that page. Nothing says that it did not take another copy of it: it counts as proposed. */
  onRefused(pageId: number, nowMs: number): void {
    for (const pending of this.#pages.take(pageId)) {
      if (pending.isSettled || pending.isDue) continue
      pending.retryAtMs = nowMs + REFUSED_DELAY_MS
      pending.wasRefused = true
    }
  }

  /**
   * There is another leader: what the last one was handed may be lost with it, and is proposed again at once. What was proposed again
   * before waits for its time: where leaders come and go, most of it stands in the log already, and each copy makes all slower.
   */
  onLeaderChanged(): void {
    this.#latency.onLeaderChanged()
    this.#proposeAgain((pending) => pending.proposalCount <= 1)
  }

  /**
   * The state has been replaced by a peer's: what was proposed may have been carried out in a slot that is not applied here any more. It is
   * asked for again.
   */
  onStateReplaced(): void {
    for (const pending of this.#pending.values()) if (pending.proposalCount > 0) pending.isFateUnknown = true
    this.#proposeAgain(() => true)
  }

  /** Called in each turn of the event loop. */
  tick(nowMs: number): void {
    this.#turns.look(nowMs)
    if (nowMs < this.#nextSweepMs) return
    this.#nextSweepMs = nowMs + SWEEP_INTERVAL_MS
    this.#nowMs = nowMs
    this.#pages.tick(nowMs)
    for (const pending of this.#pending.values()) {
      if (pending.proposalCount > 0 && !pending.wasRefused) this.#latency.onUndecided(pending.proposedMs, nowMs)
      if (nowMs >= pending.deadlineMs) this.#expire(pending, nowMs)
      // What was proposed goes on.
      else if (pending.proposalCount === 0 && isAbandoned(pending)) this.settle(pending, cancelled(pending))
      else if (pending.retryAtMs !== 0 && nowMs >= pending.retryAtMs && !pending.isDue && !this.#isOnItsWay(pending)) {
        pending.isDue = true
        this.#due.push(pending)
        this.#hasOverdue ||= pending.proposalCount > 0 && !pending.wasRefused
      }
    }
  }

  /** The member stops: nobody will be told any more. */
  stop(message: string): void {
    for (const pending of this.#pending.values()) {
      this.settle(pending, new MemberError(pending.proposalCount === 0 ? 'STOPPED' : 'OUTCOME_UNKNOWN', message))
    }
  }

  #proposeAgain(isMeant: (pending: Pending) => boolean): void {
    for (const pending of this.#pending.values()) {
      if (pending.isDue || !isMeant(pending)) continue
      pending.isDue = true
      this.#due.push(pending)
    }
    this.#hasNew = this.#due.length > 0
  }

  #onProposed(page: readonly Pending[], outcome: 'sent' | 'overloaded'): void {
    for (const pending of page) {
      pending.isDue = false
      pending.wasRefused = false
      // An overloaded leader took nothing: ask again a little later.
      const delayMs = outcome === 'sent' ? this.#latency.retryDelayMs(pending.proposalCount) : REFUSED_DELAY_MS
      pending.retryAtMs = this.#nowMs + delayMs
      if (outcome !== 'sent') continue
      pending.proposalCount++
      pending.proposedMs = this.#nowMs
    }
  }

  #isOnItsWay({ proposalCount, proposedMs, wasRefused }: Pending): boolean {
    return proposalCount > 0 && !wasRefused && this.#latency.isOnItsWay(proposedMs, this.#nowMs)
  }

  /** Those who waited longest under the name need not be those whose time is up first. */
  #expire(pending: Pending, nowMs: number): void {
    const expired = pending.waiters.filter((w) => w.deadlineMs <= nowMs)
    if (expired.length === pending.waiters.length) return this.settle(pending, timedOut(pending))
    this.#waiters.remove(pending.name.clientId, expired.length)
    pending.waiters = pending.waiters.filter((w) => w.deadlineMs > nowMs)
    pending.deadlineMs = Math.min(...pending.waiters.map((w) => w.deadlineMs))
    for (const { settle } of expired) settle(timedOut(pending))
  }

  #add(pending: Pending): void {
    this.#pending.add(pending.name, pending)
    this.#pendingBytes += pending.envelope.length
  }

  #remove(pending: Pending): void {
    this.#pending.delete(pending.name)
    pending.isSettled = true
    this.#pendingBytes -= pending.envelope.length
    this.#waiters.remove(pending.name.clientId, pending.waiters.length)
  }
}
