import { REAL_RUNTIME, type Runtime } from '../host/runtime.js'
import { SynodError } from './errors.js'

/** Between two rounds over all endpoints. */
const ROUND_INTERVAL_MS = 200
/** With less time left a try would most likely end without an answer, and hide why the ones before it were refused. */
const TRY_MS_MIN = 500

/**
 * Asks one endpoint after the other, round and round, until one says something final or the time is up. For what may be asked twice:
 * an endpoint that is cut off may have heard it.
 * @throws SynodError: what was final, or the last thing that was not
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

/** Another endpoint, or the same one later, may do better. */
function mayPass(error: unknown): boolean {
  return error instanceof SynodError && (error.retrySafe || error.reason === 'UNREACHABLE')
}
