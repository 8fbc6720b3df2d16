import type { CallOff, Runtime } from './runtime.js'

interface Settings {
  readonly runtime: Pick<Runtime, 'defer' | 'every'>
  readonly tickIntervalMs: number
  readonly drain: () => void
}

/** When the host drains: once at the end of a turn of the event loop in which something came in, and with every tick. */
export class DrainSchedule {
  readonly #s: Settings
  #stopTicking: CallOff | undefined
  #isRequested = false
  #isStopped = false

  constructor(settings: Settings) {
    this.#s = settings
  }

  start(): void {
    // At the end of the turn: messages that have arrived must be taken before a peer counts as silent.
    this.#stopTicking = this.#s.runtime.every(this.#s.tickIntervalMs, () => this.request())
    this.request()
  }

  /** There is something to do: once more this turn's inputs are in. */
  request(): void {
    if (this.#isRequested || this.#isStopped) return
    this.#isRequested = true
    this.#s.runtime.defer(() => {
      this.#isRequested = false
      this.#s.drain()
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#stopTicking?.()
  }
}
