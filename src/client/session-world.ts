import { SessionStream, type StreamOptions } from './stream.js'

/** What a session needs of its stream. */
export type Stream = Pick<SessionStream, 'endpoint' | 'canSend' | 'send' | 'finish' | 'destroy'>

/** Time, chance and the network, as a session sees them: tests have others. */
export interface SessionWorld {
  nowMs(): number
  /** From 0 to below 1. */
  random(): number
  /** Runs it at the end of this turn of the event loop. */
  soon(run: () => void): void
  /** Runs it once; the process need not wait for it. */
  later(delayMs: number, run: () => void): void
  /** Runs it again and again, until what is returned is called. */
  every(intervalMs: number, run: () => void): () => void
  openStream(options: StreamOptions): Stream
}

export const REAL_WORLD: SessionWorld = {
  nowMs: () => performance.now(),
  random: () => Math.random(),
  soon: (run) => void setImmediate(run),
  later: (delayMs, run) => void setTimeout(run, delayMs).unref(),
  every: (intervalMs, run) => {
    const timer = setInterval(run, intervalMs)
    return () => clearInterval(timer)
  },
  openStream: (options) => new SessionStream(options),
}
