import type { ServiceError } from '@grpc/grpc-js'
import { REASONS } from '../api/reasons.js'
import { withWords } from '../api/words.js'
import { type Answer, type AnswerFrame, type Refusal, Result, type ServerWelcome } from '../gen/synod/session/v1/session.js'
import type { Call, CallSink } from './call.js'
import { probeEndpoint } from './endpoint-probe.js'
import { errorOfRefusal, errorOfService, outcomeUnknown, overloaded, SynodError } from './errors.js'
import type { Settings } from './options.js'
import { Outstanding } from './outstanding.js'
import { Pace } from './pace.js'
import { REAL_WORLD, type SessionWorld, type Stream } from './session-world.js'
import { closeSession, type SessionName } from './stream.js'

const TICK_MS = 25
const OVERLOADED_DELAY_MS_MAX = 200
const FULL_DELAY_MS = 50
/** However short a deadline is, a node has so long to say something. */
const SILENCE_MS_MIN = 100
const PROBE_MS_MAX = 1_000
/** All that is waiting or under way together. */
const OUTSTANDING_BYTES_MAX = 256 * 1024 * 1024
const FAIL_OVER_DELAY_MS_MIN = 20
const FAIL_OVER_DELAY_MS_MAX = 1_000

type Phase = 'idle' | 'backingOff' | 'opening' | 'open' | 'closed'

/**
 * One client's session with the cluster: requests in, answers out, exactly once.
 *
 * When a stream breaks, stalls, or its node has no majority, the next endpoint gets the same client id and the same request numbers
 * again, and the replicas give the first answer to what was done already (RIFL, SOSP '15).
 */
export class Session implements CallSink {
  readonly #settings: Settings
  readonly #isReadsOnly: boolean
  readonly #world: SessionWorld
  readonly #calls: Outstanding
  readonly #pace: Pace
  #phase: Phase = 'idle'
  #stream: Stream | undefined
  #endpointIndex: number
  #welcome: ServerWelcome | undefined
  /** Undefined until the cluster has given one. */
  #name: SessionName | undefined
  /** The cluster has forgotten our session: what is under way is answered or given up, then a new session begins. */
  #hasExpired = false
  /** Since when the node owes an answer or a welcome and has said nothing. */
  #silentSinceMs: number | undefined
  #failuresInARow = 0
  #lastFailure: SynodError | undefined
  /** By endpoint: who was met there in the place of a node; empty until that is known. Since the last welcome. */
  readonly #troubles = new Map<string, string>()
  readonly #closing = new AbortController()
  #isFlushScheduled = false
  /** The session keeps as many answers as it may: new commands wait so long for some to be acknowledged. */
  #fullUntilMs = 0
  #stopTicking: (() => void) | undefined

  /** @param options.readsOnly it is given queries only: the cluster opens no session for them, which would take a slot and a majority */
  constructor(settings: Settings, { readsOnly = false, world = REAL_WORLD }: { readsOnly?: boolean; world?: SessionWorld } = {}) {
    this.#settings = settings
    this.#isReadsOnly = readsOnly
    this.#world = world
    this.#calls = new Outstanding(settings.maxInFlight)
    this.#pace = new Pace(settings.maxInFlight)
    // Clients begin at different nodes, so that the load spreads.
    this.#endpointIndex = Math.floor(world.random() * settings.endpoints.length)
  }

  /** The cluster has given it a name; queries that go with it cost nothing more. */
  get isNamed(): boolean {
    return this.#name !== undefined
  }

  get isClosed(): boolean {
    return this.#phase === 'closed'
  }

  /** Nothing waits, and nothing is under way. */
  get isIdle(): boolean {
    return this.#calls.isEmpty
  }

  submit(call: Call): void {
    if (this.#phase === 'closed') return call.reject(new SynodError('CANCELLED', 'CLIENT_CLOSED', 'the client is closed'))
    if (this.#calls.waitingCount >= this.#settings.maxQueued) {
      const message = `${this.#calls.waitingCount} requests wait already (maxQueued)`
      return call.reject(overloaded(message))
    }
    if (this.#calls.byteLength + call.byteLength > OUTSTANDING_BYTES_MAX) {
      const message = `requests of ${this.#calls.byteLength} bytes are unanswered already`
      return call.reject(overloaded(message))
    }
    const nowMs = this.#world.nowMs()
    call.deadlineMs = nowMs + call.timeoutMs
    const before = this.#calls.underWayCount + this.#calls.waitingCount
    if (!call.isQuery && this.#isTooLate(call, before, nowMs)) return call.reject(tooLate(before))
    this.#calls.wait(call)
    this.#stopTicking ??= this.#world.every(TICK_MS, () => this.#tick(this.#world.nowMs()))
    this.#scheduleFlush()
  }

  /** Gives up what is under way, has the session closed and lets the node go. */
  close(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#closing.abort()
    this.#stream?.finish()
    if (this.#name !== undefined) closeSession(this.#endpoint, this.#settings.credentials, this.#name)
    this.#stopTicking?.()
    for (const call of this.#calls.all()) {
      this.#calls.forget(call)
      const message = 'the client was closed before the answer came'
      call.reject(mayHaveHappened(call) ? outcomeUnknown(message) : new SynodError('CANCELLED', 'CLIENT_CLOSED', message))
    }
  }

  /** Sends at the end of this turn of the event loop: whatever is called until then shares a frame. */
  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return
    this.#isFlushScheduled = true
    this.#world.soon(() => {
      this.#isFlushScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#phase === 'idle' && !this.#calls.isEmpty) return this.#open()
    while (this.#phase === 'open' && this.#stream?.canSend === true) {
      const nowMs = this.#world.nowMs()
      const requests = this.#calls.takeFrame({
        withNewCommands: !this.#hasExpired && nowMs >= this.#fullUntilMs,
        nowMs,
        window: this.#pace.window,
        isTooLate: (call, before) => this.#isTooLate(call, before, nowMs),
        giveUp: (call) => this.#giveUp(call, nowMs),
      })
      if (requests.length === 0) return
      this.#silentSinceMs ??= nowMs
      this.#stream.send({ firstUnacknowledged: this.#calls.firstUnacknowledged, requests })
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

  get #endpoint(): string {
    return this.#settings.endpoints[this.#endpointIndex % this.#settings.endpoints.length] ?? ''
  }

  #open(): void {
    this.#phase = 'opening'
    this.#silentSinceMs = this.#world.nowMs()
    this.#stream = this.#world.openStream({
      endpoint: this.#endpoint,
      credentials: this.#settings.credentials,
      purpose: this.#isReadsOnly ? 'reads' : { session: this.#name },
      events: {
        onWelcome: (welcome) => this.#onWelcome(welcome),
        onAnswers: (frame) => this.#onAnswers(frame),
        onDrain: () => this.#flush(),
        onEnd: (error) => this.#onEnd(error),
      },
    })
  }

  #onWelcome(welcome: ServerWelcome): void {
    if (this.#phase !== 'opening') return
    // Made anew at the same addresses, say: there, nobody knows this session.
    const isOtherCluster = this.#welcome !== undefined && this.#welcome.clusterId !== welcome.clusterId
    if (this.#name !== undefined && isOtherCluster) {
      this.#welcome = welcome
      return this.#restartSession()
    }
    if (this.#name !== undefined && welcome.clientId !== this.#name.clientId) this.#abandonSession()
    if (!this.#isReadsOnly) this.#name = { clientId: welcome.clientId, token: welcome.token }
    this.#welcome = welcome
    this.#troubles.clear()
    if (this.#lastFailure !== undefined && isTrouble(this.#lastFailure)) this.#lastFailure = undefined
    this.#phase = 'open'
    this.#silentSinceMs = undefined
    this.#flush()
  }

  #onAnswers(frame: AnswerFrame): void {
    this.#lastFailure = undefined
    let moveOn: SynodError | undefined
    const nowMs = this.#world.nowMs()
    for (const answer of frame.answers) moveOn = this.#onAnswer(answer, nowMs) ?? moveOn
    this.#silentSinceMs = this.#calls.onWireCount > 0 ? nowMs : undefined
    if (this.#hasExpired && this.#calls.commandCount === 0) return this.#restartSession()
    if (moveOn !== undefined) return this.#failOver(moveOn)
    this.#failuresInARow = 0
    this.#scheduleFlush()
  }

  /** Settles the call, or keeps it for a retry. Gives the reason to try another node, if the answer is one. */
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
      call.reject(
        new SynodError('INTERNAL', 'INTERNAL', `expected a result of ${call.expected}, got ${outcome?.$case ?? 'none'}`),
      )
      return undefined
    }
    outcome.value.header = {
      clusterId: this.#welcome?.clusterId ?? '',
      nodeId: this.#welcome?.nodeId ?? 0,
      slot: slot || answer.slot,
    }
    call.resolve(outcome.value)
    return undefined
  }

  /** The second answer to a command comes at once: it tells nothing of the pace. */
  #measure(call: Call, nowMs: number): void {
    if (call.isQuery || call.unresolvedSends !== 1) return
    const { sentBehind: before, sentAtMs, deadlineMs, timeoutMs } = call
    const waitedMs = nowMs - deadlineMs + timeoutMs
    this.#pace.measure({ before, onWireCount: this.#calls.onWireCount, waitedMs, tookMs: nowMs - sentAtMs, nowMs })
  }

  #onRefusal(call: Call, refusal: Refusal, nowMs: number): SynodError | undefined {
    switch (refusal.reason) {
      case 'OVERLOADED': // not proposed; the node lives
        call.unresolvedSends--
        this.#lastFailure = errorOfRefusal(refusal)
        this.#calls.resendAt(call, nowMs + OVERLOADED_DELAY_MS_MAX * (0.25 + 0.75 * this.#world.random()))
        return undefined
      case 'NO_QUORUM': // not proposed; another node may reach a majority
      case 'NOT_JOINED':
      case 'STOPPED':
        call.unresolvedSends--
        return errorOfRefusal(refusal)
      case 'ALREADY_ACKNOWLEDGED': // answered once, and forgotten
        this.#calls.forget(call)
        call.reject(outcomeUnknown(refusal.message, errorOfRefusal(refusal)))
        return undefined
      case 'OUTCOME_UNKNOWN': // perhaps proposed; another node will know
        return errorOfRefusal(refusal)
      case 'SESSION_FULL': // not carried out, whoever asks under this number
        this.#calls.forget(call)
        call.requestNumber = 0
        call.unresolvedSends = 0
        this.#calls.wait(call)
        this.#lastFailure = errorOfRefusal(refusal)
        this.#fullUntilMs = nowMs + FULL_DELAY_MS
        return undefined
      case 'SESSION_EXPIRED':
      case 'BEYOND_ASKED': // so much was given up without an answer that the numbers have run away
        call.unresolvedSends--
        this.#onExpired(call, errorOfRefusal(refusal))
        return undefined
      default:
        this.#calls.forget(call)
        this.#pace.widen()
        call.reject(errorOfRefusal(refusal))
        return undefined
    }
  }

  /** This try was not carried out; whether an earlier one was, nobody can tell any more. */
  #onExpired(call: Call, cause: SynodError): void {
    this.#hasExpired = true
    this.#calls.forget(call)
    if (call.isQuery) call.reject(cause)
    else this.#restartOrReject(call, cause)
    // Those that are not on the wire will get no answer of their own.
    for (const other of this.#calls.commandsOffTheWire()) {
      this.#calls.forget(other)
      this.#restartOrReject(other, cause)
    }
  }

  #restartOrReject(call: Call, cause: unknown): void {
    if (call.unresolvedSends > 0) return call.reject(outcomeUnknown('the session expired before the answer came', cause))
    call.requestNumber = 0
    this.#calls.wait(call)
  }

  #restartSession(): void {
    this.#abandonSession()
    this.#leaveStream()
    this.#open()
  }

  /** The session is of no use any more: whatever was sent under it can no longer be asked for. */
  #abandonSession(): void {
    for (const call of this.#calls.allCommandsUnderWay()) {
      this.#calls.forget(call)
      this.#restartOrReject(call, this.#lastFailure)
    }
    this.#name = undefined
    this.#calls.restartNumbers()
    this.#hasExpired = false
  }

  #onEnd(error: ServiceError): void {
    this.#failOver(errorOfService(error))
  }

  /** Leaves this node; the next one gets everything that is unanswered, after a short, random pause. */
  #failOver(cause: SynodError): void {
    this.#lastFailure = cause
    if (isTrouble(cause) && this.#phase === 'opening') void this.#findTrouble(this.#endpoint)
    if (this.#hasExpired || cause.reason === 'SESSION_EXPIRED') this.#abandonSession()
    this.#leaveStream()
    this.#endpointIndex++
    this.#failuresInARow++
    this.#phase = 'backingOff'
    const longestMs = Math.min(FAIL_OVER_DELAY_MS_MAX, FAIL_OVER_DELAY_MS_MIN * 2 ** Math.min(this.#failuresInARow, 10))
    this.#world.later(longestMs * (0.5 + 0.5 * this.#world.random()), () => this.#endBackoff())
  }

  #endBackoff(): void {
    if (this.#phase !== 'backingOff') return
    this.#phase = 'idle'
    this.#flush()
  }

  /** Finds out who is met at an endpoint that gives no session, for the message that a call may end with. */
  async #findTrouble(endpoint: string): Promise<void> {
    const { probing } = this.#settings
    if (probing === undefined || this.#troubles.has(endpoint)) return
    this.#troubles.set(endpoint, '')
    const state = await probeEndpoint(endpoint, { timeoutMs: PROBE_MS_MAX, security: probing, signal: this.#closing.signal })
    if (state.serves) this.#troubles.delete(endpoint)
    else this.#troubles.set(endpoint, state.trouble)
  }

  /** Why no node is heard, if it is not a node that said so: who was met at each endpoint. */
  get #troubleNow(): string | undefined {
    const cause = this.#lastFailure
    const isWaiting = cause === undefined && this.#phase === 'opening'
    if (!isWaiting && (cause === undefined || !isTrouble(cause))) return undefined
    const told = [...this.#troubles]
      .filter(([, trouble]) => trouble !== '')
      .map(([endpoint, trouble]) => `${endpoint}: ${trouble}`)
    if (told.length === 0) told.push(cause?.message ?? `${this.#endpoint} does not let this client in${this.#silence}`)
    return `no node can be reached; ${told.join('; ')}`
  }

  /** How long a node that owes something has kept silent. */
  get #silence(): string {
    if (this.#silentSinceMs === undefined) return ''
    return `; ${this.#endpoint} has said nothing for ${Math.round(this.#world.nowMs() - this.#silentSinceMs)} ms`
  }

  /** Everything that is unanswered will be sent again. */
  #leaveStream(): void {
    this.#stream?.destroy()
    this.#silentSinceMs = undefined
    this.#calls.resendAll()
  }

  #tick(nowMs: number): void {
    for (const call of this.#calls.all()) if (call.deadlineMs <= nowMs) this.#expire(call)
    if (this.#calls.isEmpty) {
      this.#stopTicking?.()
      this.#stopTicking = undefined
      this.#pace.rest()
      return
    }
    const silenceMsMax = this.#silenceMsMax
    if (this.#silentSinceMs !== undefined && nowMs - this.#silentSinceMs > silenceMsMax) {
      const message = `${this.#stream?.endpoint ?? ''} has not answered for ${Math.round(silenceMsMax)} ms`
      return this.#failOver(new SynodError('UNAVAILABLE', 'UNREACHABLE', message))
    }
    this.#calls.endPauses(nowMs)
    // What was given up above, or may be tried again, has made room.
    this.#flush()
  }

  /** One silent endpoint must leave a short deadline time for another: a third of it to be welcomed in, half of it to be answered in. */
  get #silenceMsMax(): number {
    const { endpoints, stallTimeoutMs } = this.#settings
    if (endpoints.length === 1) return stallTimeoutMs
    let timeoutMs = Number.POSITIVE_INFINITY
    for (const call of this.#calls.all()) timeoutMs = Math.min(timeoutMs, call.timeoutMs)
    return Math.min(stallTimeoutMs, Math.max(SILENCE_MS_MIN, timeoutMs / (this.#phase === 'opening' ? 3 : 2)))
  }

  #expire(call: Call): void {
    const cause = this.#lastFailure
    const trouble = this.#troubleNow
    const detail =
      trouble !== undefined ? `; ${trouble}` : cause !== undefined ? `; the last failure: ${cause.message}` : this.#silence
    this.#calls.abandon(call)
    if (mayHaveHappened(call)) call.reject(outcomeUnknown(`no answer within the time given${detail}`, cause))
    else if (cause?.reason === 'OVERLOADED' || (cause === undefined && call.requestNumber === 0 && this.#phase === 'open')) {
      const message = 'there was no room for it within the time given; it was not carried out'
      call.reject(overloaded(`${message}${detail}`, cause))
    } else if (trouble !== undefined)
      call.reject(new SynodError('UNAVAILABLE', 'UNREACHABLE', trouble, { cause, retrySafe: true }))
    else call.reject(new SynodError('UNAVAILABLE', 'NO_QUORUM', `no node could answer within the time given${detail}`, { cause }))
  }
}

function tooLate(before: number): SynodError {
  const message = `${before} requests are before it, and at the pace of the last answers its own would come too late: it is not sent`
  return overloaded(message)
}

/** The connection's, and not what a node has answered. */
function isTrouble({ reason }: SynodError): boolean {
  return !Object.hasOwn(REASONS, reason)
}

/** A command that was sent, and of which no node has said that it was not proposed. */
function mayHaveHappened(call: Call): boolean {
  return call.unresolvedSends > 0 && !call.isQuery
}

/** What cannot be decoded is a result without an outcome, which no call expects. */
function decodeResult(bytes: Uint8Array): Result {
  try {
    return withWords(Result.decode(bytes))
  } catch {
    return Result.create()
  }
}
