import { randomBytes, randomUUID } from 'node:crypto'

/** Calls off what was asked for; nothing, if it has happened. */
export type CallOff = () => void

/**
 * All that a member takes from the world around it, but for its disk and its peers: time, turns of the event loop, and chance. The
 * simulator has one of its own, in which a seed decides.
 */
export interface Runtime {
  /** A clock that never goes back, in ms. */
  nowMs(): number
  /** The wall clock, in ms since 1970. May jump. */
  wallMs(): number
  /** When this turn of the event loop is over. */
  defer(run: () => void): void
  after(delayMs: number, run: () => void): CallOff
  every(intervalMs: number, run: () => void): CallOff
  /** Uniform in [0, 1). */
  random(): number
  /** A random UUID. */
  uuid(): string
  /** 16 random bytes that nobody can guess. */
  token(): Uint8Array
}

export const REAL_RUNTIME: Runtime = Object.freeze({
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  defer: (run: () => void) => {
    setImmediate(run)
  },
  after: (delayMs: number, run: () => void) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
  every: (intervalMs: number, run: () => void) => {
    const timer = setInterval(run, intervalMs)
    return () => clearInterval(timer)
  },
  random: () => Math.random(),
  uuid: () => randomUUID(),
  token: () => randomBytes(16),
})
