import { setImmediate as allElse } from 'node:timers/promises'
import type { Clock } from '../../scripts/bench/load.js'

/** Time that passes only when all is done that can be done now. */
export class VirtualClock implements Clock {
  #nowMs = 0
  #timers: { readonly atMs: number; readonly callback: () => void }[] = []

  now(): number {
    return this.#nowMs
  }

  after(ms: number, callback: () => void): void {
    this.#timers.push({ atMs: this.#nowMs + ms, callback })
  }

  /** Resolves in so many virtual ms. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  /** Has time pass until the promise is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    const unsettled = Symbol('unsettled')
    for (;;) {
      const outcome = await Promise.race([promise, allElse(unsettled)])
      if (outcome !== unsettled) return outcome
      this.#passToNext()
    }
  }

  #passToNext(): void {
    const nextMs = Math.min(...this.#timers.map(({ atMs }) => atMs))
    if (nextMs === Number.POSITIVE_INFINITY) return
    this.#nowMs = nextMs
    const due = this.#timers.filter(({ atMs }) => atMs === nextMs)
    this.#timers = this.#timers.filter(({ atMs }) => atMs !== nextMs)
    for (const { callback } of due) callback()
  }
}
