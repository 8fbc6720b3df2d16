import type { Slot } from '../../paxos/types.js'
import { encodeCloseSession, encodeOpenSession, encodeRaiseLevel, encodeSessionCommand } from '../../replication/envelope.js'
import type { SessionName } from '../../replication/session-table.js'
import type { SessionCommand, SessionOutcome } from '../../replication/sessions.js'
import { type Answer, type Cancellation, MemberError, type SessionRequest } from '../api.js'
import type { AnsweredOutcome, AppliedListener } from '../apply/applied-listener.js'
import type { Runtime } from '../runtime.js'
import { type Applied, type Settle, wasRepeated } from './pending.js'
import type { Requester } from './requester.js'
import type { SafeReads } from './safe-reads.js'

/** A call without a session of its own. */
interface Invocation {
  readonly command: Uint8Array
  /** In the place of a command; 0: there is one. */
  readonly quotaBytes: number
  readonly deadlineMs: number
  readonly settle: Settle<Answer>
  readonly signal: Cancellation | undefined
}

/** One that this member opened for itself. */
interface OwnSession extends SessionName {
  lastRequestNumber: number
  /** The numbers that are not settled, ascending. */
  readonly open: Set<number>
}

type Refused = Exclude<SessionOutcome['kind'], 'result'>

const OUTCOME_ERRORS: Readonly<Record<Refused, () => MemberError>> = {
  sessionExpired: () =>
    new MemberError(
      'SESSION_EXPIRED',
      'the cluster does not know this session: it was closed, was idle for an hour, or was expired to make room',
    ),
  alreadyAcknowledged: () =>
    new MemberError('ALREADY_ACKNOWLEDGED', 'the request number is below first_unacknowledged; its result has been forgotten'),
  idReused: () => new MemberError('ID_REUSED', 'the request number was used for another command'),
  beyondAsked: () =>
    new MemberError(
      'BEYOND_ASKED',
      'request_number: must be at most 1,048,576 above every number asked before, and at least first_unacknowledged',
    ),
  skipped: () =>
    new MemberError(
      'OUTCOME_UNKNOWN',
      'the slot of the command was skipped, because carrying it out failed: under this request number it is never carried out',
    ),
  sessionFull: () =>
    new MemberError(
      'SESSION_FULL',
      'the session keeps as many unacknowledged answers as it may; acknowledge some and ask again under another number',
    ),
}

/** Calls that wait for the own session to be opened, or to have room; past either bound further ones are refused at once. */
const WAITING_COUNT_MAX = 8_192
const WAITING_BYTES_MAX = 128 << 20
const SWEEP_INTERVAL_MS = 50

const NO_BYTES = new Uint8Array(0)

/**
 * The sessions that this member's requests travel in: its clients' own, and one of its own for calls that come without (a bare
 * grpcurl, Member.invoke). The own session is opened through the log at the first need, and again when it has expired.
 */
export class SessionDesk implements AppliedListener {
  readonly #requester: Requester
  readonly #runtime: Pick<Runtime, 'token'>
  readonly #reads: SafeReads
  #own: OwnSession | undefined
  /** Wait for the own session to be opened. */
  #waiting: Invocation[] = []
  #waitingBytes = 0
  /** There was no room for them in the own session: sent again at the next tick, under another number. */
  #crowdedOut: Invocation[] = []
  #nextSweepMs = 0
  #isOpening = false

  constructor(requester: Requester, runtime: Pick<Runtime, 'token'>, reads: SafeReads) {
    this.#requester = requester
    this.#runtime = runtime
    this.#reads = reads
  }

  /** In a session of the client's own. */
  submit(request: SessionRequest, deadlineMs: number, settle: Settle<Answer>, signal?: Cancellation): void {
    this.#requester.submit(request, encodeSessionCommand(request), deadlineMs, settle, signal)
  }

  /** Opens a session; settles with its name. */
  openSession(deadlineMs: number, settle: Settle<SessionName>, signal?: Cancellation): void {
    const token = this.#runtime.token()
    const settleWithName = (outcome: Applied | MemberError): void =>
      settle(outcome instanceof MemberError ? outcome : { clientId: outcome.openedClientId, token })
    this.#requester.submit(namedBy(token), encodeOpenSession(token), deadlineMs, settleWithName, signal)
  }

  /** Has the log raise its level; settles with the slot. `version`: of the binary that wants it. */
  raiseLevel(
    { level, version }: { readonly level: number; readonly version: string },
    deadlineMs: number,
    settle: Settle<Answer>,
    signal?: Cancellation,
  ): void {
    const token = this.#runtime.token()
    this.#requester.submit(namedBy(token), encodeRaiseLevel(level, version, token), deadlineMs, settle, signal)
  }

  /** Closes a session; settles with whether there was one, and where in the log. */
  closeSession(
    session: SessionName,
    deadlineMs: number,
    settle: Settle<{ readonly closed: boolean; readonly slot: Slot }>,
    signal?: Cancellation,
  ): void {
    this.#requester.submit(closingOf(session), encodeCloseSession(session), deadlineMs, settle, signal)
  }

  /** In this member's own session. `quotaBytes`: in the place of a command, the state's quota from now on. */
  invoke(
    command: Uint8Array,
    deadlineMs: number,
    settle: Settle<Answer>,
    { quotaBytes = 0, signal }: { readonly quotaBytes?: number; readonly signal?: Cancellation } = {},
  ): void {
    this.#invoke({ command, quotaBytes, deadlineMs, settle, signal })
  }

  #invoke(invocation: Invocation): void {
    const { command, deadlineMs, settle } = invocation
    if (this.#own !== undefined) return this.#send(this.#own, invocation)
    if (this.#waiting.length >= WAITING_COUNT_MAX || this.#waitingBytes + command.length > WAITING_BYTES_MAX) {
      return settle(new MemberError('OVERLOADED', `${this.#waiting.length} calls wait on this node for a leader`))
    }
    this.#keepWaiting(invocation)
    if (!this.#isOpening) this.#openOwn(deadlineMs)
  }

  /** Ends the waits for the own session whose time is up before that of the call which opens it, or whose callers have gone; tries again what found no room. */
  tick(nowMs: number): void {
    if (nowMs < this.#nextSweepMs || this.#waiting.length + this.#crowdedOut.length === 0) return
    this.#nextSweepMs = nowMs + SWEEP_INTERVAL_MS
    const waiting = this.#takeWaiting()
    for (const w of waiting) if (w.deadlineMs > nowMs && w.signal?.aborted !== true) this.#keepWaiting(w)
    for (const w of waiting) {
      if (w.signal?.aborted === true) w.settle(gaveUp())
      else if (w.deadlineMs <= nowMs) w.settle(noLeaderInTime())
    }
    const crowdedOut = this.#crowdedOut
    this.#crowdedOut = []
    for (const invocation of crowdedOut) {
      if (invocation.signal?.aborted === true) invocation.settle(gaveUp())
      else if (invocation.deadlineMs > nowMs) this.#invoke(invocation)
      else invocation.settle(noRoom())
    }
  }

  /** The member stops. What the requester holds is told by it. */
  stop(message: string): void {
    const waiting = [...this.#takeWaiting(), ...this.#crowdedOut]
    this.#crowdedOut = []
    for (const { settle } of waiting) settle(new MemberError('STOPPED', message))
  }

  onOpened(token: Uint8Array, clientId: number, slot: Slot): void {
    this.#settle(namedBy(token), { slot, openedClientId: clientId })
  }

  onLevel(token: Uint8Array, slot: Slot): void {
    this.#settle(namedBy(token), { slot })
  }

  onClosed(session: SessionName, closed: boolean, slot: Slot): void {
    this.#settle(closingOf(session), { slot, closed })
  }

  isAwaited(command: SessionCommand): boolean {
    return this.#requester.find(command) !== undefined
  }

  onOutcome(command: SessionCommand, outcome: SessionOutcome | AnsweredOutcome): void {
    if (outcome.kind === 'result' || outcome.kind === 'answer') {
      return this.#settle(command, { slot: outcome.slot, result: outcome.result })
    }
    const pending = this.#requester.find(command)
    if (pending === undefined) return
    if (outcome.kind === 'unanswered') return this.#requester.settle(pending, this.#reads.damaged(outcome.cause))
    this.#requester.settle(pending, wasRepeated(pending) ? refusedOnce(outcome.kind) : OUTCOME_ERRORS[outcome.kind]())
  }

  #settle(command: Named, applied: Partial<Applied> & { readonly slot: Slot }): void {
    const pending = this.#requester.find(command)
    if (pending === undefined) return
    const { slot, result = NO_BYTES, openedClientId = 0, closed = false } = applied
    this.#requester.settle(pending, { slot, result, openedClientId, closed })
  }

  #keepWaiting(invocation: Invocation): void {
    this.#waiting.push(invocation)
    this.#waitingBytes += invocation.command.length
  }

  #takeWaiting(): readonly Invocation[] {
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    return waiting
  }

  #openOwn(deadlineMs: number): void {
    this.#isOpening = true
    const settle = (outcome: SessionName | MemberError): void => {
      this.#isOpening = false
      const waiting = this.#takeWaiting()
      if (outcome instanceof MemberError) {
        // The session was never opened, so none of these was proposed; those with more time left may try once more.
        const error = new MemberError(outcome.code === 'OVERLOADED' ? 'OVERLOADED' : 'NO_QUORUM', outcome.message)
        for (const w of waiting) if (w.deadlineMs <= deadlineMs || outcome.code === 'STOPPED') w.settle(error)
        const others = outcome.code === 'STOPPED' ? [] : waiting.filter((w) => w.deadlineMs > deadlineMs)
        for (const w of others) this.#invoke(w)
        return
      }
      const own = { ...outcome, lastRequestNumber: 0, open: new Set<number>() }
      this.#own = own
      for (const w of waiting) this.#send(own, w)
    }
    // Given up, unless it has been proposed, when those who wanted it have gone.
    const hasWaiting = (): boolean => this.#waiting.length > 0
    const signal: Cancellation = {
      get aborted() {
        return !hasWaiting()
      },
    }
    this.openSession(deadlineMs, settle, signal)
  }

  #crowdOut(invocation: Invocation): void {
    if (this.#crowdedOut.length < WAITING_COUNT_MAX) this.#crowdedOut.push(invocation)
    else invocation.settle(noRoom())
  }

  #send(own: OwnSession, invocation: Invocation): void {
    const { clientId, token, open } = own
    const { command, quotaBytes, deadlineMs, settle, signal } = invocation
    const requestNumber = ++own.lastRequestNumber
    open.add(requestNumber)
    const firstUnacknowledged = open.values().next().value ?? requestNumber
    const request = { clientId, token, requestNumber, firstUnacknowledged, command, quotaBytes }
    const onSettled = (outcome: Applied | MemberError): void => {
      open.delete(requestNumber)
      if (!(outcome instanceof MemberError)) return settle(outcome)
      // Both say for certain that the command was not carried out, and never will be under this number.
      if (outcome.code === 'SESSION_FULL') return this.#crowdOut(invocation)
      if (outcome.code !== 'SESSION_EXPIRED') return settle(outcome)
      if (this.#own === own) this.#own = undefined
      this.#invoke(invocation)
    }
    this.#requester.submit(request, encodeSessionCommand(request), deadlineMs, onSettled, signal)
  }
}

function gaveUp(): MemberError {
  return new MemberError('CANCELLED', 'the caller gave up before the command was proposed')
}

function noLeaderInTime(): MemberError {
  return new MemberError('NO_QUORUM', 'no leader with a majority was found in time; the command was not proposed')
}

function noRoom(): MemberError {
  return new MemberError('OVERLOADED', 'too many large answers are in flight on this node')
}

type Named = Parameters<Requester['find']>[0]

/** The name of a request that needs no session. */
function namedBy(token: Uint8Array): Named {
  return { clientId: 0, token, requestNumber: 0, command: NO_BYTES }
}

function closingOf({ clientId, token }: SessionName): Named {
  return { clientId, token, requestNumber: 0, command: NO_BYTES }
}

/**
 * The command was proposed more than once, and one of these was refused: that says nothing of the others, which may have been carried out
 * before. But a number that is full, or another command's, stays so.
 */
function refusedOnce(kind: Refused): MemberError {
  const error = OUTCOME_ERRORS[kind]()
  if (kind === 'sessionFull' || kind === 'idReused' || kind === 'skipped') return error
  return new MemberError(
    'OUTCOME_UNKNOWN',
    `the command was proposed more than once, and one of these was refused: ${error.message}`,
  )
}
