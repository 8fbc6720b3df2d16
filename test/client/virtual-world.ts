import type { SessionWorld, Stream } from '../../src/client/session-world.js'
import type { StreamOptions } from '../../src/client/stream.js'
import { type Answer, type Request, type RequestFrame, Result } from '../../src/gen/synod/session/v1/session.js'
import { ANSWER_SLOT, putResult } from './scripted-server.js'

interface Timer {
  readonly atMs: number
  readonly run: () => void
}

/** Time that goes on when it is told to, and one node that answers one request after the other, in `msPerRequest` each. */
export class VirtualWorld implements SessionWorld {
  msPerRequest: number
  /** Every request that the node got. */
  readonly received: Request[] = []
  /** Until then the node says nothing: an election. */
  pausedUntilMs = 0
  #nowMs = 0
  /** By their times, and those of one time in the order in which they were asked for. */
  readonly #timers: Timer[] = []
  #soon: (() => void)[] = []
  #freeAtMs = 0

  constructor(msPerRequest: number) {
    this.msPerRequest = msPerRequest
  }

  nowMs(): number {
    return this.#nowMs
  }

  random(): number {
    return 0.5
  }

  soon(run: () => void): void {
    this.#soon.push(run)
  }

  later(delayMs: number, run: () => void): void {
    const atMs = this.#nowMs + delayMs
    let at = this.#timers.length
    while (at > 0 && (this.#timers[at - 1]?.atMs ?? 0) > atMs) at--
    this.#timers.splice(at, 0, { atMs, run })
  }

  every(intervalMs: number, run: () => void): () => void {
    let isOver = false
    const again = (): void => {
      if (isOver) return
      run()
      this.later(intervalMs, again)
    }
    this.later(intervalMs, again)
    return () => {
      isOver = true
    }
  }

  openStream({ endpoint, events }: StreamOptions): Stream {
    let isOpen = true
    const welcome = { clientId: 1, token: new Uint8Array(16), clusterId: 'cluster', nodeId: 1, leaderAddress: '' }
    this.soon(() => events.onWelcome(welcome))
    const close = (): void => {
      isOpen = false
    }
    const send = ({ requests }: RequestFrame): void => {
      this.received.push(...requests)
      this.#freeAtMs = Math.max(this.#freeAtMs, this.#nowMs, this.pausedUntilMs)
      for (const request of requests) {
        this.#freeAtMs += this.msPerRequest
        this.later(this.#freeAtMs - this.#nowMs, () => isOpen && events.onAnswers({ answers: [answerTo(request)] }))
      }
    }
    return { endpoint, canSend: true, send, finish: close, destroy: close }
  }

  /** Runs everything that is due until then, in order. */
  runUntil(untilMs: number): void {
    this.#endTurn()
    for (let next = this.#timers[0]; next !== undefined && next.atMs <= untilMs; next = this.#timers[0]) {
      this.#timers.shift()
      this.#nowMs = next.atMs
      next.run()
      this.#endTurn()
    }
    this.#nowMs = untilMs
  }

  #endTurn(): void {
    while (this.#soon.length > 0) for (const run of this.#soon.splice(0)) run()
  }
}

function answerTo(request: Request): Answer {
  const result = Result.encode(putResult(request.requestNumber)).finish()
  return { requestNumber: request.requestNumber, query: request.body?.$case === 'query', slot: ANSWER_SLOT, result }
}
