import { REAL_RUNTIME, type Runtime } from '../host/runtime.js'
import { SynodError } from './synod-error.js'

/** Pause between two rounds over all endpoints. */
const ROUND_INTERVAL_MS = 200
/** Minimum time left for another round: a shorter try would mostly end without an answer, and hide the reasons of the earlier refusals. */
const TRY_MS_MIN = 500

/**
 * Calls one endpoint after the other, in rounds, until one gives a final answer or the time is up. Only for calls that may be repeated:
 * an endpoint whose connection breaks may have carried the call out.
 * @throws SynodError the final error, or the last temporary one
 */
export async function failingOver<T>(
  endpoints: readonly string[],
  timeoutMs: number,
  ask: (endpoint: string, leftMs: number) => Promise<T>,
  runtime: Pick<Runtime, 'nowMs' | 'after'> = REAL_RUNTIME,
): Promise<T> {
  const deadlineMs = runtime.nowMs() + timeoutMs
  for (;;) {
    let failure: unknown
    for (const endpoint of endpoints) {
      try {
        return await ask(endpoint, Math.max(1, Math.ceil(deadlineMs - runtime.nowMs())))
      } catch (error) {
        if (!mayPass(error)) throw error
        failure = error
      }
    }
    if (deadlineMs - runtime.nowMs() < ROUND_INTERVAL_MS + TRY_MS_MIN) throw failure
    await new Promise<void>((resolve) => runtime.after(ROUND_INTERVAL_MS, resolve))
  }
}

/** Returns true if another endpoint, or the same one later, may succeed. */
function mayPass(error: unknown): boolean {
  return error instanceof SynodError && (error.retrySafe || error.reason === 'UNREACHABLE')
}
