import type { AnswerFrame, RequestFrame, ServerWelcome } from '../gen/synod/session/v1/session.js'
import type { CallOff } from '../host/runtime.js'
import type { SessionStream, SessionWorld, StreamPurpose } from './session-port.js'
import { SynodError } from './synod-error.js'

const FAIL_OVER_DELAY_MS_MIN = 20
const FAIL_OVER_DELAY_MS_MAX = 1_000
/** Minimum time that a node has to send something, however short the deadline is. */
const SILENCE_MS_MIN = 100

type Phase = 'idle' | 'backingOff' | 'opening' | 'open' | 'closed'

export interface ConnectionEvents {
  /** The purpose of the stream that is about to be opened. */
  purpose(): StreamPurpose
  /** The first frame of a stream: the connection is open once `accept` is called. */
  onWelcome(welcome: ServerWelcome): void
  onAnswers(frame: AnswerFrame): void
  /** Frames may be sent again, or the pause after a failure is over and `open` may be called. */
  onReady(): void
  onEnd(error: SynodError): void
}

interface Endpoints {
  /** May change while the connection lives. */
  readonly endpoints: readonly string[]
  readonly firstIndex?: number
}

/** One stream at a time, to one endpoint after the other, with a random pause after each failure. */
export class Connection {
  readonly #endpoints: readonly string[]
  readonly #world: SessionWorld
  readonly #events: ConnectionEvents
  #phase: Phase = 'idle'
  #stream: SessionStream | undefined
  #endpointIndex: number
  /** Time since which the node owes an answer or a welcome and has sent nothing; undefined while it owes nothing. */
  #silentSinceMs: number | undefined
  #failuresInARow = 0
  #callOffPause: CallOff = () => undefined

  constructor({ endpoints, firstIndex }: Endpoints, world: SessionWorld, events: ConnectionEvents) {
    this.#endpoints = endpoints
    this.#world = world
    this.#events = events
    // Clients begin at different nodes, so that the load spreads.
    this.#endpointIndex = firstIndex ?? Math.floor(world.runtime.random() * endpoints.length)
  }

  get phase(): Phase {
    return this.#phase
  }

  get endpoint(): string {
    return this.#endpoints[this.#endpointIndex % this.#endpoints.length] ?? ''
  }

  get canSend(): boolean {
    return this.#phase === 'open' && this.#stream?.canSend === true
  }

  /** Duration for which the node has owed something and sent nothing; undefined if it owes nothing. */
  get silentMs(): number | undefined {
    return this.#silentSinceMs === undefined ? undefined : this.#world.runtime.nowMs() - this.#silentSinceMs
  }

  /**
   * The failure of a node that has kept silent too long; undefined if it has not. One silent endpoint must leave a short deadline time for
   * another: a third of it to be welcomed in, half of it to be answered in.
   */
  stallOf(stallTimeoutMs: number, shortestTimeoutMs: number): SynodError | undefined {
    const { silentMs } = this
    if (silentMs === undefined) return undefined
    const shareMs = shortestTimeoutMs / (this.#phase === 'opening' ? 3 : 2)
    const silenceMsMax =
      this.#endpoints.length === 1 ? stallTimeoutMs : Math.min(stallTimeoutMs, Math.max(SILENCE_MS_MIN, shareMs))
    if (silentMs <= silenceMsMax) return undefined
    const message = `${this.endpoint} has not answered for ${Math.round(silenceMsMax)} ms`
    return new SynodError('UNAVAILABLE', 'UNREACHABLE', message)
  }

  /** Opens a stream to the present endpoint. */
  open(): void {
    const { runtime, port } = this.#world
    const events = this.#events
    this.#phase = 'opening'
    this.#silentSinceMs = runtime.nowMs()
    this.#stream = port.openStream({
      endpoint: this.endpoint,
      purpose: events.purpose(),
      events: {
        onWelcome: (welcome) => {
          if (this.#phase === 'opening') events.onWelcome(welcome)
        },
        onAnswers: (frame) => events.onAnswers(frame),
        onDrain: () => events.onReady(),
        onEnd: (error) => events.onEnd(error),
      },
    })
  }

  /** Accepts the welcome: frames may be sent. */
  accept(): void {
    this.#phase = 'open'
    this.#silentSinceMs = undefined
  }

  send(frame: RequestFrame): void {
    this.#silentSinceMs ??= this.#world.runtime.nowMs()
    this.#stream?.send(frame)
  }

  /** Notes that the node has sent something. `owesMore`: it has not answered everything yet. */
  heard({ owesMore }: { readonly owesMore: boolean }): void {
    this.#silentSinceMs = owesMore ? this.#world.runtime.nowMs() : undefined
  }

  /** Resets the back-off: the node works. */
  forgiveFailures(): void {
    this.#failuresInARow = 0
  }

  /** Breaks the stream off and opens another one to the same endpoint. */
  reopen(): void {
    this.#leave()
    this.open()
  }

  /** Leaves this endpoint for the next one, which is tried after a short, random pause: `onReady` tells. */
  moveOn(): void {
    const { runtime } = this.#world
    this.#leave()
    this.#endpointIndex++
    this.#failuresInARow++
    this.#phase = 'backingOff'
    const longestMs = Math.min(FAIL_OVER_DELAY_MS_MAX, FAIL_OVER_DELAY_MS_MIN * 2 ** Math.min(this.#failuresInARow, 10))
    this.#callOffPause = runtime.after(longestMs * (0.5 + 0.5 * runtime.random()), () => {
      this.#phase = 'idle'
      this.#events.onReady()
    })
  }

  /** Ends the connection for good. Lets the node finish its side. */
  close(): void {
    this.#phase = 'closed'
    this.#callOffPause()
    this.#stream?.finish()
  }

  #leave(): void {
    this.#stream?.destroy()
    this.#silentSinceMs = undefined
  }
}
