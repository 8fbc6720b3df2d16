import type { Request } from '../clients/operations.js'
import type { Effect, Moment } from './bank-model.js'
import type { Model } from './model.js'

/** What became of a request in a session. `isFirst`: it was carried out now, not earlier. */
export type SessionEffect =
  | { readonly kind: 'result'; readonly effect: Effect; readonly isFirst: boolean }
  | { readonly kind: 'sessionExpired' }
  | { readonly kind: 'alreadyAcknowledged' }

/** README.md: a session that is idle for an hour of log time goes. They are looked over at most once a minute of log time. */
const IDLE_MS_MAX = 3_600_000
const SWEEP_INTERVAL_MS = 60_000

interface Session {
  firstUnacknowledged: number
  lastActiveMs: number
  /** By request number, never pruned: what is acknowledged is refused by its number. */
  readonly effects: Map<number, Effect>
}

/** Exactly once, by (client id, request number), as README.md and session.proto tell it. */
export class SessionsModel {
  readonly #model: Model
  readonly #sessions = new Map<number, Session>()
  #lastClientId = 0
  #lastSweepMs = 0

  constructor(model: Model) {
    this.#model = model
  }

  /** Gives the new session's client id: from 1, each once. */
  open({ timeMs }: Moment): number {
    this.#maybeSweep(timeMs)
    this.#lastClientId++
    this.#sessions.set(this.#lastClientId, { firstUnacknowledged: 1, lastActiveMs: timeMs, effects: new Map() })
    return this.#lastClientId
  }

  apply(
    sent: { readonly clientId: number; readonly requestNumber: number; readonly firstUnacknowledged: number },
    request: Request,
    at: Moment,
  ): SessionEffect {
    this.#maybeSweep(at.timeMs)
    const session = this.#sessions.get(sent.clientId)
    if (session === undefined) return { kind: 'sessionExpired' }
    session.lastActiveMs = at.timeMs
    session.firstUnacknowledged = Math.max(session.firstUnacknowledged, sent.firstUnacknowledged)
    if (sent.requestNumber < session.firstUnacknowledged) return { kind: 'alreadyAcknowledged' }
    const known = session.effects.get(sent.requestNumber)
    if (known !== undefined) return { kind: 'result', effect: known, isFirst: false }
    const effect = this.#model.apply(request, at)
    session.effects.set(sent.requestNumber, effect)
    return { kind: 'result', effect, isFirst: true }
  }

  #maybeSweep(nowMs: number): void {
    if (nowMs - this.#lastSweepMs < SWEEP_INTERVAL_MS) return
    this.#lastSweepMs = nowMs
    for (const [clientId, { lastActiveMs }] of this.#sessions) {
      if (nowMs - lastActiveMs >= IDLE_MS_MAX) this.#sessions.delete(clientId)
    }
  }
}
