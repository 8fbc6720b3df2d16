import type { ProposeOutcome } from '../paxos/node.js'
import { type Answer, MemberError } from './api.js'
import { type Content, PendingTable, type RequestName, sameContent } from './pending-table.js'
import { SharedLimit } from './shared-limit.js'

/** Called once. */
export type Settle<T> = (outcome: T | MemberError) => void

/** What a decided command came to. */
export interface Applied extends Answer {
  /** The session that it opened; 0 if it was another command. */
  readonly openedClientId: number
  /** Of a closing: whether there was such a session. */
  readonly closed: boolean
}

/**
 * A proposal made while a leader is known is made again if its decision has not shown after this long: it may have been lost. Or the
 * cluster is behind: so the next time it waits twice as long, and so on up to a bound.
 */
const RETRY_DELAY_MS = 1_000
const RETRY_DELAY_MS_MAX = 8_000
/** The first wait is longer where answers take longer: what stands in a queue is not lost, and would only make the queue longer. */
const RETRY_DELAY_MS_SLOW = 4_000
const ANSWERS_WAITED = 2
/** How much each new answer counts in what answers take. */
const ANSWER_WEIGHT = 1 / 8
/** The leader has no room: it is asked again after this long. */
const REFUSED_DELAY_MS = 100
/** A refusal comes at once or never: what was proposed together is kept so long for it. */
const PAGE_KEPT_MS = 1_000
/** Where answers take longer than this, less is taken: what waits past its deadline is carried out for nobody, and all wait for it. */
const ANSWER_MS_GOOD = 250
/** What a member holds for its clients at once, which they share; past it callers are refused at once. */
const PENDING_COUNT_MAX = 16_384
const PENDING_BYTES_MAX = 128 << 20
/** What is proposed in one go: all that is pending would be more than a message between nodes may hold. */
const PROPOSAL_BYTES_MAX = 1 << 20

interface Waiter {
  readonly deadlineMs: number
  readonly settle: Settle<Applied>
}

/** A command that somebody waits for. */
export interface Pending {
  readonly name: RequestName
  readonly content: Content
  readonly envelope: Uint8Array
  /** At least one. */
  waiters: Waiter[]
  /** Of the waiters, the earliest. */
  deadlineMs: number
  /** How often it was handed to a leader. 0: certainly not decided. */
  proposalCount: number
  /** When it was handed to a leader last. */
  proposedMs: number
  retryAtMs: number
  /** It may have been carried out where this node has not seen it. */
  isFateUnknown: boolean
  /** Among those to propose with the next flush. */
  isDue: boolean
  isSettled: boolean
  /** The leader was heard, and had no room for it when it was proposed last: that tells nothing of the way there, or of its pace. */
  wasRefused: boolean
}

/**
 * Sees clients' commands through (the chapter's Requester): proposes them, again and again under the same name until the local state
 * machine has applied them, and gives up at their deadlines. Exactly-once is the session table's work; a repeated proposal is harmless.
 */
export class Requester {
  readonly #pending = new PendingTable<Pending>()
  #pendingBytes = 0
  /** Who waits, by session. */
  readonly #waiters = new SharedLimit<number>(PENDING_COUNT_MAX)
  /** Up to 1: of what it may hold it takes this much. */
  share = 1
  /** To propose with the next flush, but for those that have been settled meanwhile. */
  #due: Pending[] = []
  /** Some of them have come since the last flush. */
  #hasNew = false
  /** Some of them have been proposed before, without a sign of their decision. */
  #hasOverdue = false
  /** What was handed to a leader together of late, the latest last. */
  readonly #pages = new Map<number, { readonly page: readonly Pending[]; readonly atMs: number }>()
  #lastPageId = 0
  #nextSweepMs = 0
  #nowMs = 0
  /** About what a decision takes to show at present. */
  #answerMs = 0
  /** Of what has been carried out, when the last one had been proposed: what was proposed before it is late, or lost. */
  #newestAnsweredMs = Number.NEGATIVE_INFINITY
  /** When something was carried out last. */
  #lastAnswerMs = Number.NEGATIVE_INFINITY

  get pendingCount(): number {
    return this.#pending.size
  }

  /** Whether a flush is worth while now. What no leader took waits for the next tick: nothing is won by asking in a loop. */
  get hasNew(): boolean {
    return this.#hasNew
  }

  /** Who waits for the same command under the same name gets the same answer; another command under it is refused. */
  submit(request: RequestName & Content, envelope: Uint8Array, deadlineMs: number, settle: Settle<Applied>): void {
    const known = this.#pending.get(request)
    if (known !== undefined && !sameContent(known.content, request)) {
      return settle(
        new MemberError('ID_REUSED', `another command is under way as number ${request.requestNumber} of this session`),
      )
    }
    if (
      !this.#waiters.hasRoom(request.clientId, Math.min(this.share, this.#answerShare)) ||
      (known === undefined && this.#pendingBytes + envelope.length > PENDING_BYTES_MAX)
    ) {
      const code = known === undefined || known.proposalCount === 0 ? 'OVERLOADED' : 'OUTCOME_UNKNOWN'
      return settle(new MemberError(code, `${this.#waiters.count} commands are in flight on this node`))
    }
    this.#waiters.add(request.clientId)
    if (known !== undefined) {
      known.waiters.push({ deadlineMs, settle })
      known.deadlineMs = Math.min(known.deadlineMs, deadlineMs)
      return
    }
    const { clientId, token, requestNumber, command, quotaBytes = 0 } = request
    const pending: Pending = {
      name: { clientId, token, requestNumber },
      content: { command, quotaBytes },
      envelope,
      waiters: [{ deadlineMs, settle }],
      deadlineMs,
      proposalCount: 0,
      proposedMs: 0,
      retryAtMs: 0,
      isFateUnknown: false,
      isDue: true,
      isSettled: false,
      wasRefused: false,
    }
    this.#add(pending)
    this.#due.push(pending)
    this.#hasNew = true
  }

  /** Who waits here for this very command; undefined when nobody does. */
  find(request: RequestName & Content): Pending | undefined {
    const pending = this.#pending.get(request)
    return pending !== undefined && sameContent(pending.content, request) ? pending : undefined
  }

  /** What has been found, and not been settled yet. */
  settle(pending: Pending, outcome: Applied | MemberError): void {
    this.#remove(pending)
    if (!(outcome instanceof MemberError) && pending.proposalCount === 1 && !pending.wasRefused)
      this.#noteAnswered(pending.proposedMs)
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
    let isRetry = this.#hasOverdue
    this.#hasOverdue = false
    for (let from = 0; from < due.length; ) {
      const { page, next } = pageOf(due, from)
      if (page.length > 0) {
        const outcome = propose(
          page.map((p) => p.envelope),
          { isRetry, pageId: this.#lastPageId + 1 },
        )
        if (outcome === 'noLeader') {
          this.#due = from === 0 ? due : due.slice(from)
          return
        }
        isRetry = false
        this.#onProposed(page, outcome)
        if (outcome === 'sent') this.#pages.set(++this.#lastPageId, { page, atMs: nowMs })
      }
      from = next
    }
  }

  /** The leader had no room for that page. Nothing says that it did not take another copy of it: it counts as proposed. */
  onRefused(pageId: number, nowMs: number): void {
    const refused = this.#pages.get(pageId)
    this.#pages.delete(pageId)
    for (const pending of refused?.page ?? []) {
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
    this.#answerMs = 0
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

  tick(nowMs: number): void {
    if (nowMs < this.#nextSweepMs) return
    this.#nextSweepMs = nowMs + RETRY_DELAY_MS / 20
    this.#nowMs = nowMs
    for (const [pageId, { atMs }] of this.#pages) {
      if (nowMs - atMs < PAGE_KEPT_MS) break
      this.#pages.delete(pageId)
    }
    for (const pending of this.#pending.values()) {
      // Nothing that was proposed after it has been carried out: an answer takes that long now, at least.
      if (pending.proposalCount > 0 && !pending.wasRefused && pending.proposedMs > this.#newestAnsweredMs) {
        this.#answerMs = Math.max(this.#answerMs, nowMs - pending.proposedMs)
      }
      if (nowMs >= pending.deadlineMs) this.#expire(pending, nowMs)
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
    const firstMs = Math.min(ANSWERS_WAITED * this.#answerMs, RETRY_DELAY_MS_SLOW)
    for (const pending of page) {
      pending.isDue = false
      pending.wasRefused = false
      // An overloaded leader took nothing: ask again a little later.
      const delayMs = outcome === 'sent' ? Math.max(firstMs, RETRY_DELAY_MS * 2 ** pending.proposalCount) : REFUSED_DELAY_MS
      pending.retryAtMs = this.#nowMs + Math.min(delayMs, RETRY_DELAY_MS_MAX)
      if (outcome !== 'sent') continue
      pending.proposalCount++
      pending.proposedMs = this.#nowMs
    }
  }

  /** Up to 1, of what it may hold: less and less, so that what waits is answered in some seconds, however slow the cluster is. */
  get #answerShare(): number {
    return Math.min(1, ANSWER_MS_GOOD / this.#answerMs)
  }

  /** Commands are carried out in the order in which they are proposed: those before it are, and none of those after it has been. */
  #isOnItsWay({ proposalCount, proposedMs, wasRefused }: Pending): boolean {
    if (proposalCount === 0 || wasRefused || proposedMs < this.#newestAnsweredMs) return false
    return this.#nowMs - this.#lastAnswerMs < RETRY_DELAY_MS && this.#nowMs - proposedMs < RETRY_DELAY_MS_MAX
  }

  #noteAnswered(proposedMs: number): void {
    this.#lastAnswerMs = this.#nowMs
    this.#newestAnsweredMs = Math.max(this.#newestAnsweredMs, proposedMs)
    this.#answerMs += (this.#nowMs - proposedMs - this.#answerMs) * ANSWER_WEIGHT
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

/** Whether the command may stand in the log more than once: then what becomes of it in one place says nothing of the others. */
export function wasRepeated({ proposalCount, isFateUnknown }: Pending): boolean {
  return proposalCount > 1 || isFateUnknown
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

function timedOut({ proposalCount }: Pending): MemberError {
  return proposalCount === 0
    ? new MemberError('NO_QUORUM', 'no leader with a majority was found in time; the command was not proposed')
    : new MemberError('OUTCOME_UNKNOWN', 'the command was proposed but not known to be decided in time; it may still take effect')
}
