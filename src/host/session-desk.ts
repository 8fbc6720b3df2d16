import type { SessionOutcome } from '../machine/sessions.js'
import type { Slot } from '../paxos/types.js'
import { encodeOpenSession, encodeSessionCommand } from '../wire/envelope.js'
import { type Answer, MemberError, type SessionRequest } from './api.js'
import type { AppliedListener } from './applier.js'
import type { Requester, RequestName, Settle } from './requester.js'
import type { Runtime } from './runtime.js'

/** An invocation that has a request number in this member's session. */
interface Invocation {
  readonly command: Uint8Array
  /** In the place of a command; 0: there is one. */
  readonly quotaBytes: number
  readonly deadlineMs: number
  readonly settle: Settle<Answer>
}

const OUTCOME_ERRORS = {
  sessionExpired: () =>
    new MemberError('SESSION_EXPIRED', 'the cluster does not know this client id; it may have expired after an idle hour'),
  alreadyAcknowledged: () =>
    new MemberError('ALREADY_ACKNOWLEDGED', 'the request number is below first_unacknowledged; its result has been forgotten'),
  skipped: () =>
    new MemberError(
      'OUTCOME_UNKNOWN',
      'the slot of the command was skipped, because carrying it out failed: under this request number it is never carried out',
    ),
  overloaded: () =>
    new MemberError('OVERLOADED', 'the session has as many unacknowledged results as it may; acknowledge some and try again'),
}

/** Calls that wait for the own session to be opened; past either bound further ones are refused at once. */
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
  readonly #runtime: Pick<Runtime, 'uuid'>
  /** The own session; 0 while there is none. */
  #clientId = 0
  #lastRequestNumber = 0
  /** By own session, expired ones included: the numbers that are not settled, ascending. */
  readonly #open = new Map<number, Map<number, Invocation>>()
  /** Wait for the own session to be opened. */
  #waiting: Invocation[] = []
  #waitingBytes = 0
  #nextSweepMs = 0
  #isOpening = false

  constructor(requester: Requester, runtime: Pick<Runtime, 'uuid'>) {
    this.#requester = requester
    this.#runtime = runtime
  }

  /** In a session of the client's own. */
  submit(request: SessionRequest, deadlineMs: number, settle: Settle<Answer>): void {
    this.#requester.submit(request, encodeSessionCommand(request), deadlineMs, settle)
  }

  /** Opens a session; settles with its client id. */
  openSession(deadlineMs: number, settle: Settle<number>): void {
    const nonce = this.#runtime.uuid()
    this.#requester.submit(openingOf(nonce), encodeOpenSession(nonce), deadlineMs, (outcome) =>
      settle(outcome instanceof MemberError ? outcome : outcome.openedClientId),
    )
  }

  /** In this member's own session. `quotaBytes`: in the place of a command, the state's quota from now on. */
  invoke(command: Uint8Array, deadlineMs: number, settle: Settle<Answer>, quotaBytes = 0): void {
    this.#invoke({ command, quotaBytes, deadlineMs, settle })
  }

  #invoke(invocation: Invocation): void {
    const { command, deadlineMs, settle } = invocation
    if (this.#clientId !== 0) return this.#send(invocation)
    if (this.#waiting.length >= WAITING_COUNT_MAX || this.#waitingBytes + command.length > WAITING_BYTES_MAX) {
      return settle(new MemberError('OVERLOADED', `${this.#waiting.length} calls wait on this node for a leader`))
    }
    this.#keepWaiting(invocation)
    if (!this.#isOpening) this.#openOwn(deadlineMs)
  }

  /** Ends the waits for the own session whose time is up before that of the call which opens it. */
  tick(nowMs: number): void {
    if (nowMs < this.#nextSweepMs || this.#waiting.length === 0) return
    this.#nextSweepMs = nowMs + SWEEP_INTERVAL_MS
    const waiting = this.#takeWaiting()
    for (const w of waiting) if (w.deadlineMs > nowMs) this.#keepWaiting(w)
    const error = new MemberError('NO_QUORUM', 'no leader with a majority was found in time; the command was not proposed')
    for (const w of waiting) if (w.deadlineMs <= nowMs) w.settle(error)
  }

  onOpened(nonce: string, clientId: number, slot: Slot): void {
    this.#requester.settle(openingOf(nonce), { slot, result: NO_BYTES, openedClientId: clientId })
  }

  onOutcome(name: { readonly clientId: number; readonly requestNumber: number }, outcome: SessionOutcome): void {
    const { clientId, requestNumber } = name
    if (outcome.kind === 'result') {
      return this.#requester.settle(name, { slot: outcome.slot, result: outcome.result, openedClientId: 0 })
    }
    if (outcome.kind === 'sessionExpired' && this.#open.has(clientId)) return this.#onOwnExpired(clientId, requestNumber)
    this.#requester.settle(name, this.#requester.wasRepeated(name) ? unknown(outcome.kind) : OUTCOME_ERRORS[outcome.kind]())
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
    this.openSession(deadlineMs, (outcome) => {
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
      this.#clientId = outcome
      this.#lastRequestNumber = 0
      this.#open.set(outcome, new Map())
      for (const w of waiting) this.#send(w)
    })
  }

  #send(invocation: Invocation): void {
    const { command, quotaBytes, deadlineMs, settle } = invocation
    const clientId = this.#clientId
    const requestNumber = ++this.#lastRequestNumber
    const open = this.#open.get(clientId)
    open?.set(requestNumber, invocation)
    const firstUnacknowledged = open?.keys().next().value ?? requestNumber
    const request = { clientId, requestNumber, firstUnacknowledged, command, quotaBytes }
    this.#requester.submit(request, encodeSessionCommand(request), deadlineMs, (outcome) => {
      this.#close(clientId, requestNumber)
      settle(outcome)
    })
  }

  #close(clientId: number, requestNumber: number): void {
    const open = this.#open.get(clientId)
    open?.delete(requestNumber)
    if (open?.size === 0 && clientId !== this.#clientId) this.#open.delete(clientId)
  }

  /** Nobody has seen a command that was proposed only once, in a session that is gone: it goes on in a new one. */
  #onOwnExpired(clientId: number, requestNumber: number): void {
    const invocation = this.#open.get(clientId)?.get(requestNumber)
    if (invocation === undefined) return
    if (this.#clientId === clientId) this.#clientId = 0
    const name = { clientId, requestNumber }
    if (this.#requester.wasRepeated(name)) return this.#requester.settle(name, unknown('sessionExpired'))
    this.#requester.forget(name)
    this.#close(clientId, requestNumber)
    this.#invoke(invocation)
  }
}

/** What refused one proposal of a command says nothing of the others: one may have been carried out before, or may still be. */
function unknown(kind: keyof typeof OUTCOME_ERRORS): MemberError {
  const { message } = OUTCOME_ERRORS[kind]()
  return new MemberError('OUTCOME_UNKNOWN', `the command was proposed more than once, and one of these was refused: ${message}`)
}

function openingOf(nonce: string): RequestName {
  return { clientId: 0, requestNumber: nonce }
}
