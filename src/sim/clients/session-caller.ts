import { type Call, type CallParts, makeCall } from '../../client/call.js'
import { ClientSessions } from '../../client/client-sessions.js'
import type { SessionName } from '../../client/session-port.js'
import type { SynodError } from '../../client/synod-error.js'
import { Consistency, type ResponseHeader } from '../../gen/synod/common/v1/common.js'
import { type Answer, type Request, Result } from '../../gen/synod/session/v1/session.js'
import { MemberError } from '../../host/api.js'
import type { NodeId } from '../../paxos/types.js'
import { check } from '../checkers/violation.js'
import type { ClientPort } from '../cluster/client-port.js'
import { SimulatedRuntime } from '../cluster/simulated-runtime.js'
import { type Asked, type ClientInvocation, sessionName, tellInvocation } from '../history/client-history.js'
import { ClientNetwork } from './client-network.js'
import { decodeAnswer, toOutcome } from './decode-result.js'
import { expectedOf, expectedOfQuery, toWireQuery } from './encode-request.js'
import { type CallerSettings, CallTrace, type SimulatedCaller } from './simulated-caller.js'
import { SimulatedPort } from './simulated-port.js'

type Told = ReturnType<typeof decodeAnswer>

/** One request, from the first try to the last. */
interface Asking {
  readonly invocation: ClientInvocation
  readonly call: Call
  readonly onDone: () => void
  attemptCount: number
  /** The session that it was last sent in, and its number there. */
  session: SessionName | undefined
  requestNumber: number
  /** The last answer that was not late. */
  taken: Told | undefined
  isSettled: boolean
}

const TURN_MS_MAX = 0.2
/** Time limit of a copy at the node. */
const COPY_TIMEOUT_MS = 1_000

/** Carries requests out through the SDK's session, keeps the history, and makes mistakes on purpose. */
export class SessionCaller implements SimulatedCaller {
  readonly #settings: CallerSettings
  readonly #trace: CallTrace
  readonly #network: ClientNetwork
  readonly #port: SimulatedPort
  readonly #asking = new Map<Request['body'], Asking>()
  /** ClientSessions that a node has reported as expired. */
  readonly #expired = new Set<number>()
  #nodes: readonly ClientPort[]
  #runtime: SimulatedRuntime
  #sessions: ClientSessions
  #answeredCount = 0
  #unsettledCount = 0

  constructor(settings: CallerSettings) {
    this.#settings = settings
    this.#trace = new CallTrace(settings)
    this.#network = new ClientNetwork(settings)
    this.#nodes = settings.nodes
    const { nodes, habits, random, scheduler, count } = settings
    this.#port = new SimulatedPort({
      nodes,
      quality: habits,
      random,
      scheduler,
      onLoss: () => count('loss'),
      watcher: {
        onWelcome: (node, session) => this.#onWelcome(node, session),
        onSent: (node, session, request) => this.#onSent(node, session, request),
        onAnswer: (node, request, answer, isLate) => this.#onAnswer(node, request, answer, isLate),
        onStalled: () => count('clientTimeout'),
      },
    })
    this.#runtime = this.#newRuntime()
    this.#sessions = this.#newSessions()
  }

  get answeredCount(): number {
    return this.#answeredCount
  }

  setNodes(nodes: readonly ClientPort[]): void {
    this.#nodes = nodes
    this.#port.setNodes(nodes)
  }

  useOnly(nodes: readonly ClientPort[]): void {
    this.#nodes = nodes
    this.#port.useOnly(nodes)
  }

  healNetwork(): void {
    this.#network.heal()
    this.#port.heal()
  }

  ask(asked: Asked, timeoutMs: number, onDone: () => void): ClientInvocation {
    const { name, history, scheduler } = this.#settings
    const invocation = history.invoke(name, asked, scheduler.nowUs)
    const call = makeCall({
      ...partsOf(invocation),
      timeoutMs,
      resolve: (value) => this.#onResolved(asking, value as typeof value & { header: ResponseHeader }),
      reject: (error) => this.#onRejected(asking, error),
    })
    const asking: Asking = {
      invocation,
      call,
      onDone,
      attemptCount: 0,
      session: undefined,
      requestNumber: 0,
      taken: undefined,
      isSettled: false,
    }
    this.#unsettledCount++
    this.#asking.set(call.body, asking)
    this.#sessions.submit(call)
    return invocation
  }

  die(): void {
    this.#runtime.end()
    this.#port.onClientDied()
    for (const asking of this.#asking.values()) if (!asking.isSettled) this.#giveUp(asking)
  }

  revive(): void {
    this.#runtime = this.#newRuntime()
    this.#sessions = this.#newSessions()
  }

  #newRuntime(): SimulatedRuntime {
    const { scheduler, random } = this.#settings
    return new SimulatedRuntime({ scheduler, random, wallMs: () => scheduler.nowMs, turnMsMax: () => TURN_MS_MAX })
  }

  #newSessions(): ClientSessions {
    const { endpoints } = this.#port
    const { timeoutMs: stallTimeoutMs } = this.#settings.habits
    const settings = { endpoints, stallTimeoutMs, maxInFlight: 4_096, maxQueued: 16_384 }
    return new ClientSessions(settings, { runtime: this.#runtime, port: this.#port })
  }

  // --- what goes over its streams -------------------------------------------------------------------------------------------------

  #onWelcome(node: NodeId, { clientId }: SessionName): void {
    const { name, history } = this.#settings
    if (history.ownerOf(clientId) === name) return
    this.#trace.sessionOpened(node, clientId)
    history.onSessionOpened(name, clientId)
  }

  #onSent(node: NodeId, session: SessionName | undefined, request: Request): void {
    const asking = this.#asking.get(request.body)
    if (asking === undefined) return
    const { invocation } = asking
    this.#trace.asked(invocation, node, ++asking.attemptCount)
    if (session === undefined || request.body?.$case === 'query') return
    asking.session = session
    asking.requestNumber = request.requestNumber
    const sentAs = sessionName(session.clientId, request.requestNumber)
    if (!invocation.sentAs.includes(sentAs)) invocation.sentAs.push(sentAs)
    this.#maybeCopy(asking)
  }

  /** Sends a copy to another node now and then. The call counts it as a send whose fate no node will report. */
  #maybeCopy({ invocation, call, session, requestNumber }: Asking): void {
    const { random, habits, count, history } = this.#settings
    if (session === undefined || !random.chance(habits.duplicateRate)) return
    count('duplicateRequest')
    call.unresolvedSends++
    const port = random.pick(this.#nodes)
    const { clientId, token } = session
    const hear = this.#network.back((outcome: Parameters<typeof decodeAnswer>[0] | MemberError) => {
      if (!(outcome instanceof MemberError)) history.hear(invocation, decodeAnswer(outcome))
    })
    // It acknowledges nothing.
    const copy = { clientId, token, requestNumber, firstUnacknowledged: 1, command: invocation.bytes }
    this.#network.travel(() => port.submit(copy, COPY_TIMEOUT_MS, hear))
  }

  #onAnswer(node: NodeId, request: Request, answer: Answer, isLate: boolean): void {
    const asking = this.#asking.get(request.body)
    if (asking === undefined) return
    const { invocation } = asking
    const { outcome } = Result.decode(answer.result)
    if (outcome?.$case === 'refusal' && isOfNode(answer, outcome.value.reason)) {
      this.#trace.failed(invocation, outcome.value.reason)
      if (!isLate && !asking.isSettled) this.#onRefusedByNode(asking, outcome.value.reason)
      return
    }
    this.#trace.answered(invocation, node, answer)
    const told = decodeAnswer(answer)
    if (!isLate) asking.taken = told
    this.#settings.history.hear(invocation, told)
  }

  /** A node refuses a request that the client waits for. */
  #onRefusedByNode({ invocation, session }: Asking, reason: string): void {
    const { count } = this.#settings
    if (reason === 'SESSION_FULL') count('sessionFull')
    if (reason === 'SESSION_EXPIRED' && session !== undefined && !this.#expired.has(session.clientId)) {
      this.#expired.add(session.clientId)
      count('sessionExpired')
    }
    check(
      !IMPOSSIBLE.has(reason),
      () => `${tellInvocation(invocation)}, is told ${reason}, though it was asked once and never answered`,
    )
  }

  // --- how requests end -----------------------------------------------------------------------------------------------------------

  #onResolved(asking: Asking, value: Parameters<Call['resolve']>[0] & { header: ResponseHeader }): void {
    const { call } = asking
    const outcome = toOutcome({ $case: call.expected, value } as Parameters<typeof toOutcome>[0])
    this.#onAnswered(asking, { slot: value.header.slot, outcome })
  }

  #onRejected(asking: Asking, error: SynodError): void {
    const { invocation, taken } = asking
    if (error.reason === 'OUTCOME_UNKNOWN') return this.#giveUp(asking)
    if (taken?.outcome.kind === 'refused' && taken.outcome.reason === error.reason) return this.#onAnswered(asking, taken)
    check(
      error.retrySafe || NOT_CARRIED_OUT.has(error.reason),
      () => `${tellInvocation(invocation)}, is told ${error.reason}: ${error.message}`,
    )
    this.#trace.failed(invocation, error.reason)
    this.#settings.history.deny(invocation)
    this.#close(asking)
  }

  #onAnswered(asking: Asking, answer: Told): void {
    const { history, scheduler } = this.#settings
    if (!history.onAnswer(asking.invocation, answer, scheduler.nowUs)) return
    this.#answeredCount++
    this.#maybeMisuse(asking)
    this.#close(asking)
    this.#maybeCloseSession()
  }

  #giveUp(asking: Asking): void {
    this.#trace.gaveUp(asking.invocation)
    this.#settings.history.abandon(asking.invocation)
    this.#close(asking)
  }

  #close(asking: Asking): void {
    asking.isSettled = true
    this.#unsettledCount--
    asking.onDone()
  }

  // --- what it does by mistake ----------------------------------------------------------------------------------------------------

  /** Closes the SDK's client now and then, and makes another; copies of requests may still be on their way. */
  #maybeCloseSession(): void {
    const { random, habits, count } = this.#settings
    if (this.#unsettledCount > 0 || !random.chance(habits.closeRate)) return
    count('sessionClosed')
    this.#sessions.close()
    this.#sessions = this.#newSessions()
  }

  /** Sends another command under a number that was answered: by mistake, or with a guessed client id. */
  #maybeMisuse({ session, requestNumber, invocation }: Asking): void {
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
    const port = random.pick(this.#nodes)
    this.#network.travel(() =>
      port.submit(request, habits.timeoutMs, (outcome) =>
        check(outcome instanceof MemberError, () => `${tellInvocation(invocation)}, was misused, and that was carried out`),
      ),
    )
  }
}

function partsOf({ asked, bytes }: ClientInvocation): Pick<CallParts, 'body' | 'byteLength' | 'expected'> {
  if (asked.kind === 'command')
    return { body: { $case: 'command', value: bytes }, byteLength: bytes.length, expected: expectedOf(asked.request) }
  const value = toWireQuery(asked.query, Consistency.LINEARIZABLE)
  return { body: { $case: 'query', value }, byteLength: bytes.length, expected: expectedOfQuery(value) }
}

/** Refusals of nodes; all others are the state machine's. */
const OF_NODES: ReadonlySet<string> = new Set([
  'NO_QUORUM',
  'OVERLOADED',
  'NOT_JOINED',
  'STOPPED',
  'OUTCOME_UNKNOWN',
  'DATA_DAMAGED',
  'SESSION_FULL',
  'SESSION_EXPIRED',
  'ALREADY_ACKNOWLEDGED',
  'ID_REUSED',
  'BEYOND_ASKED',
])

/** Reasons that a correct client never gets for a request that it waits for. */
const IMPOSSIBLE: ReadonlySet<string> = new Set(['ALREADY_ACKNOWLEDGED', 'ID_REUSED', 'BEYOND_ASKED'])

/** Further reasons that the SDK gives for requests that were not carried out. */
const NOT_CARRIED_OUT: ReadonlySet<string> = new Set(['CLIENT_CLOSED', 'SESSION_EXPIRED', 'DATA_DAMAGED', 'UNREACHABLE'])

/** Tells a node's refusal from the state machine's, which may have the same reason but has a slot. */
function isOfNode({ slot }: Answer, reason: string): boolean {
  return slot === 0 && OF_NODES.has(reason)
}
