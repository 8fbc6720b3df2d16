import { type Answer as HostAnswer, MemberError } from '../../host/api.js'
import type { NodeId } from '../../paxos/types.js'
import type { SessionName } from '../../replication/session-table.js'
import { promise } from '../checkers/broken-promise.js'
import type { ClientPort } from '../cluster/client-port.js'
import type { Scheduler } from '../cluster/scheduler.js'
import { type Asked, type History, type Invocation, sessionName, tellInvocation } from '../history/history.js'
import type { Random } from '../random.js'
import type { EventTrace } from '../trace/event-trace.js'
import { tellOperation } from '../trace/trace-words.js'
import { decodeAnswer } from './decode-result.js'
import type { ClientHabits } from './habits.js'
import { isSafeToRepeat } from './operations.js'
import { ClientSession } from './session.js'
import { Way } from './way.js'

/** What happens to clients, and to what they send. */
export type ClientTrouble =
  | 'loss'
  | 'clientTimeout'
  | 'duplicateRequest'
  | 'clientDeath'
  | 'clientAbsence'
  | 'sessionExpired'
  | 'sessionFull'
  | 'sessionClosed'
  | 'misuse'

export interface CallerSettings {
  readonly name: string
  readonly habits: ClientHabits
  /** Without one, each call stands alone, in the session of the node that it is sent to. */
  readonly hasSession: boolean
  /** The nodes that it knows. */
  readonly ports: readonly ClientPort[]
  readonly history: History
  readonly random: Random
  readonly scheduler: Scheduler
  readonly trace: EventTrace
  readonly count: (trouble: ClientTrouble) => void
}

/** One request under way, from the first try to the last. */
interface Call {
  readonly invocation: Invocation
  /** The session that it was last sent in, and its number there; undefined, 0: in none so far. */
  session: SessionName | undefined
  requestNumber: number
  /** Counts tries: what becomes of one that was given up concerns nobody any more, unless it is an answer. */
  tryCount: number
  /** Tries of which nobody has said that they led to nothing. */
  unresolvedCount: number
  /** What the client does next, once this is answered or given up. */
  readonly onDone: () => void
}

const BACKOFF_MS = 60
/** A cluster that is slow must not be buried under retries: each waits twice as long as the one before, up to so many times. */
const PATIENCE_MAX = 8

/**
 * Sees a client's requests through: asks again and again, here and there, until it is answered, or until to ask again would perhaps
 * be to do it twice. With a session it behaves as the SDK does, without as a careful user of grpcurl.
 */
export class Caller {
  readonly #settings: CallerSettings
  readonly #session = new ClientSession()
  readonly #way: Way
  /** Told of each session that has been opened. */
  readonly #onReady: () => void
  #ports: readonly ClientPort[]
  #port: ClientPort
  /** Neither answered nor given up. */
  readonly #calls = new Set<Call>()
  #lastAnswered: Call | undefined
  #answeredCount = 0
  #openingTryCount = 0
  #isDead = false

  constructor(settings: CallerSettings, onReady: () => void) {
    this.#settings = settings
    this.#way = new Way(settings)
    this.#onReady = onReady
    this.#ports = settings.ports
    this.#port = settings.random.pick(settings.ports)
  }

  /** Whether it can ask for operations: who needs no session always can. */
  get isReady(): boolean {
    return this.#session.name !== undefined || !this.#settings.hasSession
  }

  get answeredCount(): number {
    return this.#answeredCount
  }

  /** From now on it knows only these nodes. */
  useOnly(ports: readonly ClientPort[]): void {
    this.#ports = ports
    this.#failOver()
  }

  /** Whatever it sends arrives from now on, and every answer to it. */
  healWay(): void {
    this.#way.heal()
  }

  /** Turns to that node. */
  standWith(nodeId: NodeId): void {
    this.#port = this.#ports.find((port) => port.id === nodeId) ?? this.#port
  }

  start(): void {
    if (!this.isReady) this.#openSession()
  }

  /** Asks at once; `onDone` is called when it is answered, or when nobody can know what became of it. */
  ask(asked: Asked, onDone: () => void): Invocation {
    const { name, history, scheduler } = this.#settings
    const invocation = history.invoke(name, asked, scheduler.nowUs)
    const call: Call = { invocation, session: undefined, requestNumber: 0, tryCount: 0, unresolvedCount: 0, onDone }
    this.#calls.add(call)
    this.#try(call)
    return invocation
  }

  /** The process is gone, and with it whatever it was told later. What it can ask for again it had written down before. */
  die(): void {
    this.#isDead = true
    this.#way.onDeath()
    for (const call of this.#calls) {
      call.tryCount++
      if (call.invocation.asked.kind === 'read' || !this.#mayRepeat(call)) this.#giveUp(call)
    }
  }

  /** Comes back under the same client id, its request numbers going on, and asks again for what was not answered. */
  revive(): void {
    const { random } = this.#settings
    this.#isDead = false
    this.#failOver()
    if (!this.isReady) this.#openSession()
    this.#tryCommands()
    // It may have died before it noted the last answer.
    const last = this.#lastAnswered
    if (last !== undefined && this.#mayRepeat(last) && random.chance(0.5)) this.#send(this.#port, last, () => undefined)
  }

  // --- one request ----------------------------------------------------------------------------------------------------------------

  /** A retry is the same bytes, under the same number if it has one. */
  #try(call: Call): void {
    const { random, scheduler, habits, count } = this.#settings
    if (!this.#calls.has(call) || this.#isDead || !this.#enter(call)) return
    const attempt = ++call.tryCount
    call.unresolvedCount++
    scheduler.after(this.#timeoutMsOf(call) * random.between(0.75, 1.25), () => {
      if (!this.#calls.has(call) || call.tryCount !== attempt) return
      count('clientTimeout')
      this.#tellFailed(call, 'no answer in time')
      this.#onUnresolved(call)
    })
    this.#send(this.#port, call, (error) => {
      if (this.#calls.has(call) && call.tryCount === attempt) this.#onError(call, error)
    })
    if (!this.#mayRepeat(call) || !random.chance(habits.duplicateRate)) return
    count('duplicateRequest')
    call.unresolvedCount++
    this.#send(random.pick(this.#ports), call, () => undefined)
  }

  /** Gives the call its number, if it needs one. False: it has to wait for a session. */
  #enter(call: Call): boolean {
    if (!this.#settings.hasSession || call.invocation.asked.kind === 'read') return true
    const { name } = this.#session
    if (name === undefined) return false
    if (call.session === name) return true
    call.session = name
    call.requestNumber = this.#session.nextRequestNumber()
    call.invocation.sentAs.push(sessionName(name.clientId, call.requestNumber))
    return true
  }

  #send(port: ClientPort, call: Call, onError: (error: MemberError) => void): void {
    const { name, trace } = this.#settings
    const { session, requestNumber, tryCount } = call
    const { asked, bytes, number } = call.invocation
    const what = (): string => tellOperation(asked.kind === 'read' ? asked.query : asked.request.operation)
    trace.tell({ kind: 'asked', client: name, request: number, node: port.id, attempt: tryCount, what })
    const timeoutMs = this.#timeoutMsOf(call)
    const firstUnacknowledged = Math.min(this.#session.firstUnacknowledged, requestNumber)
    const settle = this.#way.back((outcome: HostAnswer | MemberError) => {
      if (outcome instanceof MemberError) onError(outcome)
      else this.#onAnswer(call, outcome, port.id)
    })
    this.#way.travel(() => {
      if (asked.kind === 'read') port.read(bytes, timeoutMs, settle)
      else if (session === undefined) port.invoke(bytes, timeoutMs, settle)
      else port.submit({ ...session, requestNumber, firstUnacknowledged, command: bytes }, timeoutMs, settle)
    })
  }

  #onAnswer(call: Call, { slot, result }: HostAnswer, node: NodeId): void {
    const { name, history, scheduler, trace } = this.#settings
    const answer = decodeAnswer({ slot, result })
    const outcome = (): string => tellOperation(answer.outcome)
    trace.tell({ kind: 'answered', client: name, request: call.invocation.number, node, slot, result, outcome })
    if (!history.onAnswer(call.invocation, answer, scheduler.nowUs)) return
    this.#answeredCount++
    this.#lastAnswered = call
    this.#maybeMisuse(call)
    this.#close(call)
    this.#maybeCloseSession()
  }

  #onError(call: Call, { code }: MemberError): void {
    this.#tellFailed(call, code)
    switch (code) {
      case 'NO_QUORUM':
      case 'OVERLOADED':
      case 'NOT_JOINED':
      case 'STOPPED': // not proposed
        call.unresolvedCount--
        return this.#retryLater(call)
      case 'OUTCOME_UNKNOWN':
      case 'DATA_DAMAGED': // of a read; another node may have it whole
        return this.#onUnresolved(call)
      case 'SESSION_FULL': // the number stays refused, whoever asked under it
        this.#settings.count('sessionFull')
        this.#session.acknowledge(call.session, call.requestNumber)
        call.session = undefined
        call.unresolvedCount = 0
        return this.#retryLater(call)
      case 'SESSION_EXPIRED':
        call.unresolvedCount--
        return this.#settings.hasSession ? this.#onExpired() : this.#onUnresolved(call)
      case 'ALREADY_ACKNOWLEDGED':
      case 'ID_REUSED':
      case 'BEYOND_ASKED':
        return promise(
          false,
          () => `${tellInvocation(call.invocation)}, is told ${code}, though it was asked once and never answered`,
        )
      case 'NODE_ID_USED':
      case 'NODE_ID_TOO_HIGH':
      case 'ADDRESS_USED':
      case 'MEMBER_NOT_FOUND':
      case 'LEVEL_UNKNOWN_TO_MEMBER':
      case 'NOT_CAUGHT_UP':
      case 'CHANGE_IN_PROGRESS':
      case 'QUORUM_AT_RISK':
      case 'TOO_MANY_MEMBERS':
      case 'DATA_DIR_MISMATCH':
        return promise(false, () => `${tellInvocation(call.invocation)}, is told ${code}, as a change of the membership is`)
    }
  }

  /** Nobody knows whether this try led to anything. */
  #onUnresolved(call: Call): void {
    if (this.#mayRepeat(call)) this.#retryLater(call)
    else this.#giveUp(call)
  }

  #timeoutMsOf({ tryCount }: Call): number {
    return this.#settings.habits.timeoutMs * Math.min(PATIENCE_MAX, 2 ** Math.floor(tryCount / 2))
  }

  #mayRepeat({ invocation: { asked } }: Call): boolean {
    return this.#settings.hasSession || asked.kind === 'read' || isSafeToRepeat(asked.request)
  }

  #retryLater(call: Call): void {
    const { random, scheduler } = this.#settings
    const attempt = ++call.tryCount
    scheduler.after(random.between(0.5, 1.5) * BACKOFF_MS, () => {
      if (call.tryCount !== attempt) return
      this.#failOver()
      this.#try(call)
    })
  }

  #tellFailed({ invocation }: Call, reason: string): void {
    const { name, trace } = this.#settings
    trace.tell({ kind: 'tryFailed', client: name, request: invocation.number, reason })
  }

  #giveUp(call: Call): void {
    const { name, history, trace } = this.#settings
    trace.tell({ kind: 'gaveUp', client: name, request: call.invocation.number })
    history.abandon(call.invocation)
    this.#close(call)
  }

  #close(call: Call): void {
    this.#calls.delete(call)
    this.#session.acknowledge(call.session, call.requestNumber)
    call.onDone()
  }

  // --- the session ----------------------------------------------------------------------------------------------------------------

  #openSession(): void {
    const { name, habits, history, random, scheduler, trace } = this.#settings
    const port = this.#port
    const attempt = ++this.#openingTryCount
    const tryAgain = (): void => {
      if (this.#session.name !== undefined || this.#openingTryCount !== attempt || this.#isDead) return
      this.#failOver()
      this.#openSession()
    }
    scheduler.after(habits.timeoutMs * random.between(0.75, 1.25), tryAgain)
    const settle = this.#way.back((outcome: SessionName | MemberError) => {
      if (outcome instanceof MemberError) {
        scheduler.after(random.between(0.5, 1.5) * BACKOFF_MS, tryAgain)
      } else if (this.#session.name === undefined) {
        trace.tell({ kind: 'sessionOpened', client: name, node: port.id, clientId: outcome.clientId })
        history.onSessionOpened(name, outcome.clientId)
        this.#session.begin(outcome)
        this.#tryCommands()
        this.#onReady()
      }
    })
    this.#way.travel(() => port.openSession(habits.timeoutMs, settle))
  }

  /** What may have happened in a session that is gone can only be asked for again if an id of its own makes that safe. */
  #onExpired(): void {
    this.#settings.count('sessionExpired')
    this.#session.end()
    for (const call of this.#calls) {
      const { asked } = call.invocation
      if (asked.kind === 'read') continue
      call.tryCount++
      if (call.unresolvedCount > 0 && !isSafeToRepeat(asked.request)) this.#giveUp(call)
    }
    this.#openSession()
  }

  /** Now and then a client closes its session, and opens another; what was sent twice may still be on its way. */
  #maybeCloseSession(): void {
    const { random, habits, count } = this.#settings
    const { name } = this.#session
    if (name === undefined || this.#calls.size > 0 || !random.chance(habits.closeRate)) return
    count('sessionClosed')
    this.#way.travel(() => this.#port.closeSession(name, habits.timeoutMs, () => undefined))
    this.#session.end()
    this.#openSession()
  }

  /** Somebody who has guessed the client id, or the client itself by mistake, asks something else under a number that has been answered. */
  #maybeMisuse({ session, requestNumber, invocation }: Call): void {
    const { random, habits, count, history } = this.#settings
    if (session === undefined || !random.chance(habits.misuseRate)) return
    count('misuse')
    const isGuess = random.chance(0.5)
    const token = isGuess ? session.token.map((byte) => byte ^ 1) : session.token
    const number = isGuess ? random.pick([requestNumber, requestNumber + 1, Number.MAX_SAFE_INTEGER]) : requestNumber
    const command = history.misuse(`misuse of ${sessionName(session.clientId, number)}`)
    const request = {
      clientId: session.clientId,
      token,
      requestNumber: number,
      firstUnacknowledged: isGuess ? number : 1,
      command,
    }
    const port = random.pick(this.#ports)
    this.#way.travel(() =>
      port.submit(request, habits.timeoutMs, (outcome) =>
        promise(outcome instanceof MemberError, () => `${tellInvocation(invocation)}, was misused, and that was carried out`),
      ),
    )
  }

  #tryCommands(): void {
    for (const call of this.#calls) if (call.invocation.asked.kind === 'command') this.#try(call)
  }

  #failOver(): void {
    this.#port = this.#settings.random.pick(this.#ports)
  }
}
