import type { CallOff, Runtime } from '../../src/host/runtime.js'
import { TOKEN } from '../support/token.js'

/** Time that passes only when a test says so. */
export class FakeRuntime implements Runtime {
  #nowMs = 0
  #timers: { atMs: number; run: () => void }[] = []
  /** What random() gives. */
  chance = 0.5

  nowMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return this.#nowMs
  }

  defer(run: () => void): void {
    this.after(0, run)
  }

  after(delayMs: number, run: () => void): CallOff {
    const timer = { atMs: this.#nowMs + delayMs, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  every(intervalMs: number, run: () => void): CallOff {
    let callOff: CallOff | undefined
    const again = (): void => {
      callOff = this.after(intervalMs, () => {
        again()
        run()
      })
    }
    again()
    return () => callOff?.()
  }

  random(): number {
    return this.chance
  }

  uuid(): string {
    return 'uuid'
  }

  token(): Uint8Array {
    return TOKEN
  }

  get timerCount(): number {
    return this.#timers.length
  }

  /** Lets so much time pass; what is due runs in order, and what it awaits goes on. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const [next] = this.#timers.filter((timer) => timer.atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#nowMs = next.atMs
      next.run()
      await turns()
    }
    this.#nowMs = untilMs
    await turns()
  }
}

/** Lets everything go on that waits for nothing but its turn. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}
