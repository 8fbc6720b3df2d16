import type { SessionPort, SessionStream, SessionWorld, StreamOptions } from '../../src/client/session-port.js'
import { type Answer, type Request, type RequestFrame, Result } from '../../src/gen/synod/session/v1/session.js'
import { ANSWER_SLOT, putResult } from './scripted-server.js'

interface Timer {
  readonly atMs: number
  readonly run: () => void
}

/** Time that goes on when it is told to, and one node that answers one request after the other, in `msPerRequest` each. */
export class VirtualWorld implements SessionPort {
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

  get runtime(): SessionWorld['runtime'] {
    return this
  }

  get port(): SessionPort {
    return this
  }

  nowMs(): number {
    return this.#nowMs
  }

  random(): number {
    return 0.5
  }

  defer(run: () => void): void {
    this.#soon.push(run)
  }

  after(delayMs: number, run: () => void): () => void {
    const atMs = this.#nowMs + delayMs
    let at = this.#timers.length
    while (at > 0 && (this.#timers[at - 1]?.atMs ?? 0) > atMs) at--
    const timer = { atMs, run }
    this.#timers.splice(at, 0, timer)
    return () => {
      const index = this.#timers.indexOf(timer)
      if (index !== -1) this.#timers.splice(index, 1)
    }
  }

  every(intervalMs: number, run: () => void): () => void {
    let isOver = false
    const again = (): void => {
      if (isOver) return
      run()
      this.after(intervalMs, again)
    }
    this.after(intervalMs, again)
    return () => {
      isOver = true
    }
  }

  openStream({ endpoint, events }: StreamOptions): SessionStream {
    let isOpen = true
    const welcome = { clientId: 1, token: new Uint8Array(16), clusterId: 'cluster', nodeId: 1, leaderAddress: '' }
    this.defer(() => events.onWelcome(welcome))
    const close = (): void => {
      isOpen = false
    }
    const send = ({ requests }: RequestFrame): void => {
      this.received.push(...requests)
      this.#freeAtMs = Math.max(this.#freeAtMs, this.#nowMs, this.pausedUntilMs)
      for (const request of requests) {
        this.#freeAtMs += this.msPerRequest
        this.after(this.#freeAtMs - this.#nowMs, () => isOpen && events.onAnswers({ answers: [answerTo(request)] }))
      }
    }
    return { endpoint, canSend: true, send, finish: close, destroy: close }
  }

  closeSession(): void {}

  async findTrouble(): Promise<undefined> {
    return undefined
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
