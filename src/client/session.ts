import type { Answer, AnswerFrame, Refusal, ServerWelcome } from '../gen/synod/session/v1/session.js'
import type { CallOff } from '../host/runtime.js'
import { type Call, type CallSink, decodeResult } from './call.js'
import { closedBefore, expired, notExpected, tooLate } from './call-errors.js'
import type { Settings } from './client-options.js'
import { Connection } from './connection.js'
import { FailureReport } from './failure-report.js'
import { Outstanding } from './outstanding.js'
import { Pace } from './pace.js'
import { SessionIdentity } from './session-identity.js'
import type { SessionWorld } from './session-port.js'
import { errorOfRefusal, outcomeUnknown, overloaded, SynodError } from './synod-error.js'

const TICK_MS = 25
const OVERLOADED_DELAY_MS_MAX = 200
const FULL_DELAY_MS = 50
/** Maximum total size of the calls that wait or are under way. */
const OUTSTANDING_BYTES_MAX = 256 * 1024 * 1024

export interface SessionSettings extends Pick<Settings, 'endpoints' | 'stallTimeoutMs' | 'maxInFlight' | 'maxQueued'> {
  /** Index of the first endpoint to use. Default: random. */
  readonly firstIndex?: number
}

/**
 * One client's session with the cluster: requests in, answers out, exactly once.
 *
 * When a stream breaks, stalls, or its node has no majority, the next endpoint gets the same client id and the same request numbers
 * again, and the replicas give the first answer to what was done already (RIFL, SOSP '15).
 */
export class Session implements CallSink {
  readonly #settings: SessionSettings
  readonly #world: SessionWorld
  readonly #calls: Outstanding
  readonly #pace: Pace
  readonly #connection: Connection
  readonly #failures: FailureReport
  readonly #identity: SessionIdentity
  #isFlushScheduled = false
  /** Time until which new commands wait, because the session keeps as many answers as it may. */
  #fullUntilMs = 0
  #stopTicking: CallOff | undefined
  readonly #onTurnEnd = (): void => {
    this.#isFlushScheduled = false
    this.#flush()
  }

  /** @param options.readsOnly only queries will be submitted: no session is opened, which would take a slot and a majority */
  constructor(settings: SessionSettings, world: SessionWorld, { readsOnly = false } = {}) {
    this.#settings = settings
    this.#world = world
    this.#calls = new Outstanding(settings.maxInFlight)
    this.#pace = new Pace(settings.maxInFlight)
    this.#failures = new FailureReport(world.port)
    this.#identity = new SessionIdentity({ isReadsOnly: readsOnly })
    this.#connection = new Connection(settings, world, {
      purpose: () => this.#identity.purpose,
      onWelcome: (welcome) => this.#onWelcome(welcome),
      onAnswers: (frame) => this.#onAnswers(frame),
      onReady: () => this.#flush(),
      onEnd: (error) => this.#failOver(error),
    })
  }

  /** True once the cluster has given it a name: then queries that go with it cost nothing more. */
  get isNamed(): boolean {
    return this.#identity.name !== undefined
  }

  get isClosed(): boolean {
    return this.#connection.phase === 'closed'
  }

  /** True if nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return this.#calls.isEmpty
  }

  submit(call: Call): void {
    if (this.isClosed) return call.reject(new SynodError('CANCELLED', 'CLIENT_CLOSED', 'the client is closed'))
    const { waitingCount, byteLength } = this.#calls
    if (waitingCount >= this.#settings.maxQueued)
      return call.reject(overloaded(`${waitingCount} requests wait already (maxQueued)`))
    if (byteLength + call.byteLength > OUTSTANDING_BYTES_MAX)
      return call.reject(overloaded(`requests of ${byteLength} bytes are unanswered already`))
    const nowMs = this.#world.runtime.nowMs()
    call.deadlineMs = nowMs + call.timeoutMs
    const before = this.#calls.underWayCount + this.#calls.waitingCount
    if (!call.isQuery && this.#isTooLate(call, before, nowMs)) return call.reject(tooLate(before))
    this.#calls.wait(call)
    this.#stopTicking ??= this.#world.runtime.every(TICK_MS, () => this.#tick(this.#world.runtime.nowMs()))
    this.#scheduleFlush()
  }

  /** Gives up what is under way, asks the cluster to close the session, and ends the stream. */
  close(): void {
    if (this.isClosed) return
    const { endpoint } = this.#connection
    this.#connection.close()
    this.#failures.close()
    if (this.#identity.name !== undefined) this.#world.port.closeSession(endpoint, this.#identity.name)
    this.#stopTicking?.()
    for (const call of this.#calls.all()) {
      this.#calls.forget(call)
      call.reject(closedBefore(call))
    }
  }

  /** Sends at the end of this turn of the event loop: calls made in one turn share a frame. */
  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return
    this.#isFlushScheduled = true
    this.#world.runtime.defer(this.#onTurnEnd)
  }

  #flush(): void {
    if (this.#connection.phase === 'idle' && !this.#calls.isEmpty) return this.#connection.open()
    while (this.#connection.canSend) {
      const nowMs = this.#world.runtime.nowMs()
      const requests = this.#calls.takeFrame({
        withNewCommands: !this.#identity.hasExpired && nowMs >= this.#fullUntilMs,
        nowMs,
        window: this.#pace.window,
        isTooLate: (call, before) => this.#isTooLate(call, before, nowMs),
        giveUp: (call) => this.#giveUp(call, nowMs),
      })
      if (requests.length === 0) return
      this.#connection.send({ firstUnacknowledged: this.#calls.firstUnacknowledged, requests })
    }
  }

  #isTooLate({ deadlineMs, timeoutMs }: Call, before: number, nowMs: number): boolean {
    return this.#pace.isTooLate({ before, deadlineMs, timeoutMs, nowMs })
  }

  #giveUp(call: Call, nowMs: number): void {
    if (call.deadlineMs <= nowMs) return this.#expire(call)
    this.#calls.forget(call)
    call.reject(tooLate(this.#calls.onWireCount))
  }

  #onWelcome(welcome: ServerWelcome): void {
    if (this.#identity.isOfAnotherCluster(welcome)) {
      this.#identity.meet(welcome)
      return this.#restartSession()
    }
    if (this.#identity.isOfAnotherSession(welcome)) this.#abandonSession()
    this.#identity.adopt(welcome)
    this.#failures.onWelcome()
    this.#connection.accept()
    this.#flush()
  }

  #onAnswers(frame: AnswerFrame): void {
    this.#failures.onAnswer()
    let moveOn: SynodError | undefined
    const nowMs = this.#world.runtime.nowMs()
    for (const answer of frame.answers) moveOn = this.#onAnswer(answer, nowMs) ?? moveOn
    this.#connection.heard({ owesMore: this.#calls.onWireCount > 0 })
    if (this.#identity.hasExpired && this.#calls.commandCount === 0) return this.#restartSession()
    if (moveOn !== undefined) return this.#failOver(moveOn)
    this.#connection.forgiveFailures()
    this.#scheduleFlush()
  }

  /** Settles the call, or keeps it for a retry. Returns the reason to try another node, if the answer is one. */
  #onAnswer(answer: Answer, nowMs: number): SynodError | undefined {
    const call = this.#calls.find(answer.requestNumber, answer.query)
    if (call === undefined) {
      const abandoned = answer.query ? undefined : this.#calls.takeAbandoned(answer.requestNumber)
      if (abandoned !== undefined) this.#measure(abandoned, nowMs)
      return undefined
    }
    const { outcome, slot } = decodeResult(answer.result)
    if (outcome?.$case === 'refusal') return this.#onRefusal(call, outcome.value, nowMs)
    this.#measure(call, nowMs)
    this.#calls.forget(call)
    this.#pace.widen()
    if (outcome?.$case !== call.expected) {
      call.reject(notExpected(call, outcome?.$case))
      return undefined
    }
    outcome.value.header = this.#identity.headerOf(slot || answer.slot)
    call.resolve(outcome.value)
    return undefined
  }

  /** Measures the pace. The second answer to a command comes at once and says nothing of it. */
  #measure(call: Call, nowMs: number): void {
    if (call.isQuery || call.unresolvedSends !== 1) return
    const { sentBehind: before, sentAtMs, deadlineMs, timeoutMs } = call
    const waitedMs = nowMs - deadlineMs + timeoutMs
    this.#pace.measure({ before, onWireCount: this.#calls.onWireCount, waitedMs, tookMs: nowMs - sentAtMs, nowMs })
  }

  #onRefusal(call: Call, refusal: Refusal, nowMs: number): SynodError | undefined {
    const error = errorOfRefusal(refusal)
    switch (refusal.reason) {
      case 'OVERLOADED': // not proposed; the node lives
        call.unresolvedSends--
        this.#failures.note(error)
        this.#calls.resendAt(call, nowMs + OVERLOADED_DELAY_MS_MAX * (0.25 + 0.75 * this.#world.runtime.random()))
        return undefined
      case 'NO_QUORUM': // not proposed; another node may reach a majority
      case 'NOT_JOINED':
      case 'STOPPED':
        call.unresolvedSends--
        return error
      case 'ALREADY_ACKNOWLEDGED': // answered once, and forgotten
        this.#calls.forget(call)
        call.reject(outcomeUnknown(refusal.message, error))
        return undefined
      case 'OUTCOME_UNKNOWN': // perhaps proposed; another node will know
        return error
      case 'SESSION_FULL': // not carried out, whoever asks under this number
        this.#calls.forget(call)
        this.#beginAgain(call)
        this.#failures.note(error)
        this.#fullUntilMs = nowMs + FULL_DELAY_MS
        return undefined
      case 'SESSION_EXPIRED':
      case 'BEYOND_ASKED': // so much was given up without an answer that the numbers have run away
        call.unresolvedSends--
        this.#onExpired(call, error)
        return undefined
      default:
        this.#calls.forget(call)
        this.#pace.widen()
        call.reject(error)
        return undefined
    }
  }

  /** Handles an expired session: this send was not carried out, but the fate of earlier sends can no longer be known. */
  #onExpired(call: Call, cause: SynodError): void {
    this.#identity.hasExpired = true
    this.#calls.forget(call)
    if (call.isQuery) call.reject(cause)
    else this.#restartOrReject(call, cause)
    // Commands that are not on the wire get no answer of their own.
    for (const other of this.#calls.commandsOffTheWire()) {
      this.#calls.forget(other)
      this.#restartOrReject(other, cause)
    }
  }

  #restartOrReject(call: Call, cause: unknown): void {
    if (call.unresolvedSends > 0) return call.reject(outcomeUnknown('the session expired before the answer came', cause))
    this.#beginAgain(call)
  }

  /** Queues a command that was certainly not carried out, as if it had never been sent. */
  #beginAgain(call: Call): void {
    call.requestNumber = 0
    call.unresolvedSends = 0
    this.#calls.wait(call)
  }

  #restartSession(): void {
    this.#abandonSession()
    this.#calls.resendAll()
    this.#connection.reopen()
  }

  /** Gives the session up: commands sent in it can no longer be retried. */
  #abandonSession(): void {
    for (const call of this.#calls.allCommandsUnderWay()) {
      this.#calls.forget(call)
      this.#restartOrReject(call, this.#failures.last)
    }
    this.#identity.drop()
    this.#calls.restartNumbers()
  }

  /** Leaves this node and sends everything that is unanswered to the next one. */
  #failOver(cause: SynodError): void {
    this.#failures.note(cause)
    if (this.#connection.phase === 'opening') void this.#failures.probe(this.#connection.endpoint)
    if (this.#identity.hasExpired || cause.reason === 'SESSION_EXPIRED') this.#abandonSession()
    this.#calls.resendAll()
    this.#connection.moveOn()
  }

  #tick(nowMs: number): void {
    for (const call of this.#calls.all()) if (call.deadlineMs <= nowMs) this.#expire(call)
    if (this.#calls.isEmpty) {
      this.#stopTicking?.()
      this.#stopTicking = undefined
      this.#pace.rest()
      return
    }
    const stall = this.#connection.stallOf(this.#settings.stallTimeoutMs, this.#calls.shortestTimeoutMs)
    if (stall !== undefined) return this.#failOver(stall)
    this.#calls.endPauses(nowMs)
    // Calls given up above, or ready to be sent again, have made room.
    this.#flush()
  }

  #expire(call: Call): void {
    const error = expired(call, this.#failures, this.#connection)
    this.#calls.abandon(call)
    call.reject(error)
  }
}
