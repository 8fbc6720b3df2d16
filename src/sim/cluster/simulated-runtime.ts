import type { CallOff, Runtime } from '../../host/runtime.js'
import type { Random } from '../random.js'
import type { Scheduler } from './scheduler.js'

interface Settings {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly wallMs: () => number
  /** Maximum duration of a turn of the event loop. */
  readonly turnMsMax: () => number
}

/**
 * The runtime of one incarnation of a process, for as long as it lives. Its timers stand still while it is paused, and are gone
 * when it is dead; its monotonic clock may stand still, too.
 */
export class SimulatedRuntime implements Runtime {
  readonly #settings: Settings
  #isOver = false
  #isPaused = false
  /** Everything that happened during a pause. */
  readonly #inbox: (() => void)[] = []
  readonly #whenOver: (() => void)[] = []
  /** Lag of the monotonic clock behind the world's, in ms. */
  #clockLagMs = 0
  #clockStoppedAtMs: number | undefined

  constructor(settings: Settings) {
    this.#settings = settings
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  nowMs(): number {
    return this.#clockStoppedAtMs ?? this.#settings.scheduler.nowMs - this.#clockLagMs
  }

  wallMs(): number {
    return this.#settings.wallMs()
  }

  random(): number {
    return this.#settings.random.next()
  }

  uuid(): string {
    return this.#settings.random.uuid()
  }

  token(): Uint8Array {
    return this.#settings.random.bytes(16)
  }

  defer(run: () => void): void {
    const { scheduler, random, turnMsMax } = this.#settings
    scheduler.after(random.next() * turnMsMax(), () => this.whenAwake(run))
  }

  after(delayMs: number, run: () => void): CallOff {
    let isCalledOff = false
    this.#settings.scheduler.after(delayMs, () =>
      this.whenAwake(() => {
        if (!isCalledOff) run()
      }),
    )
    return () => {
      isCalledOff = true
    }
  }

  every(intervalMs: number, run: () => void): CallOff {
    let isCalledOff = false
    const again = (): void => {
      this.#settings.scheduler.after(intervalMs, () => {
        if (this.#isOver || isCalledOff) return
        // All ticks of a pause become one tick when it is over.
        if (this.#isPaused) return void this.#inbox.push(runAndGoOn)
        runAndGoOn()
      })
    }
    const runAndGoOn = (): void => {
      if (isCalledOff) return
      run()
      again()
    }
    again()
    return () => {
      isCalledOff = true
    }
  }

  /** Runs something now, or at the end of a pause; never, if the process is dead by then. */
  readonly whenAwake = (run: () => void): void => {
    if (this.#isOver) return
    if (this.#isPaused) this.#inbox.push(run)
    else run()
  }

  /**
   * Pauses the process. `clockStops`: the whole machine stands still, like a suspended virtual machine, and its monotonic clock
   * with it.
   */
  pause({ clockStops }: { readonly clockStops: boolean }): void {
    this.#clockStoppedAtMs = clockStops ? this.nowMs() : undefined
    this.#isPaused = true
  }

  /** Ends the pause: the process finds everything that happened meanwhile, in order. */
  wake(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    if (this.#clockStoppedAtMs !== undefined) this.#clockLagMs = this.#settings.scheduler.nowMs - this.#clockStoppedAtMs
    this.#clockStoppedAtMs = undefined
    for (const run of this.#inbox.splice(0)) this.whenAwake(run)
  }

  /** Calls `run` when the process is dead. */
  whenOver(run: () => void): void {
    this.#whenOver.push(run)
  }

  /** Ends the process: nothing of it happens any more. */
  end(): void {
    this.#isOver = true
    this.#inbox.length = 0
    for (const run of this.#whenOver.splice(0)) run()
  }
}
