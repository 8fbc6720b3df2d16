import type { SimulatedRequest } from '../clients/simulated-operations.js'
import type { Effect, SlotTime } from './bank-model.js'
import type { Model } from './model.js'

/** The effect of a request in a session. `isFirst`: it was carried out now, not earlier. */
export type SessionEffect =
  | { readonly kind: 'result'; readonly effect: Effect; readonly isFirst: boolean }
  | { readonly kind: 'sessionExpired' | 'alreadyAcknowledged' | 'idReused' | 'beyondAsked' | 'sessionFull' }

/** A session that is idle for an hour of log time ends (docs/limits.md). */
const IDLE_MS_MAX = 3_600_000
const NUMBERS_AHEAD_MAX = 1_048_576

interface SentCommand {
  readonly clientId: number
  readonly token: Uint8Array
  readonly requestNumber: number
  readonly firstUnacknowledged: number
}

/** Undefined: refused for lack of room. */
interface KeptResult {
  readonly content: string
  readonly effect: Effect | undefined
}

interface ModelSession {
  readonly clientId: number
  readonly token: string
  firstUnacknowledged: number
  askedUpTo: number
  lastActiveMs: number
  /** Answers by request number, never pruned: acknowledged requests are refused by their number. */
  readonly answers: Map<number, KeptResult>
}

/** Exactly-once execution by (client id, token, request number), as docs/protocol.md and session.proto describe it. */
export class SessionsModel {
  readonly #model: Model
  readonly #limits: { readonly sessionCountMax: number; readonly answersPerSessionMax: number }
  /** Sessions by their last activity, the most recent at the end. */
  #sessions: ModelSession[] = []
  #lastClientId = 0

  constructor(model: Model, limits: { readonly sessionCountMax: number; readonly answersPerSessionMax: number }) {
    this.#model = model
    this.#limits = limits
  }

  /** Opens a session. Returns its client id: from 1, never used twice. */
  open(token: Uint8Array, { timeMs }: SlotTime): number {
    this.#expire(timeMs)
    const clientId = ++this.#lastClientId
    const session = {
      clientId,
      token: hex(token),
      firstUnacknowledged: 1,
      askedUpTo: 0,
      lastActiveMs: timeMs,
      answers: new Map(),
    }
    this.#sessions.push(session)
    if (this.#sessions.length > this.#limits.sessionCountMax) this.#sessions.shift()
    return clientId
  }

  close({ clientId, token }: Pick<SentCommand, 'clientId' | 'token'>, { timeMs }: SlotTime): void {
    this.#expire(timeMs)
    this.#sessions = this.#sessions.filter((session) => session.clientId !== clientId || session.token !== hex(token))
  }

  apply(sent: SentCommand, request: SimulatedRequest, at: SlotTime): SessionEffect {
    this.#expire(at.timeMs)
    const session = this.#sessions.find(({ clientId, token }) => clientId === sent.clientId && token === hex(sent.token))
    if (session === undefined) return { kind: 'sessionExpired' }
    session.lastActiveMs = at.timeMs
    this.#sessions = [...this.#sessions.filter((other) => other !== session), session]
    return this.#applyIn(session, sent, request, at)
  }

  #applyIn(
    session: ModelSession,
    { requestNumber, firstUnacknowledged }: SentCommand,
    request: SimulatedRequest,
    at: SlotTime,
  ): SessionEffect {
    if (requestNumber < session.firstUnacknowledged) return { kind: 'alreadyAcknowledged' }
    if (firstUnacknowledged > requestNumber || requestNumber > session.askedUpTo + NUMBERS_AHEAD_MAX)
      return { kind: 'beyondAsked' }
    const content = JSON.stringify(request)
    const known = session.answers.get(requestNumber)
    if (known !== undefined && known.content !== content) return { kind: 'idReused' }
    session.firstUnacknowledged = Math.max(session.firstUnacknowledged, firstUnacknowledged)
    session.askedUpTo = Math.max(session.askedUpTo, requestNumber)
    if (known !== undefined) {
      return known.effect === undefined ? { kind: 'sessionFull' } : { kind: 'result', effect: known.effect, isFirst: false }
    }
    const { answersPerSessionMax } = this.#limits
    const isFull = keptCount(session) >= answersPerSessionMax
    if (keptCount(session) >= 2 * answersPerSessionMax) {
      this.#sessions.pop()
      return { kind: 'sessionExpired' }
    }
    const effect = isFull ? undefined : this.#model.apply(request, at)
    session.answers.set(requestNumber, { content, effect })
    return effect === undefined ? { kind: 'sessionFull' } : { kind: 'result', effect, isFirst: true }
  }

  #expire(nowMs: number): void {
    this.#sessions = this.#sessions.filter(({ lastActiveMs }) => nowMs - lastActiveMs < IDLE_MS_MAX)
  }
}

/** Number of answers that are not acknowledged. */
function keptCount({ answers, firstUnacknowledged }: ModelSession): number {
  return [...answers.keys()].filter((number) => number >= firstUnacknowledged).length
}

function hex(token: Uint8Array): string {
  return Buffer.from(token).toString('hex')
}
