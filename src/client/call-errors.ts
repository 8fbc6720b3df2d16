import type { Call } from './call.js'
import type { Connection } from './connection.js'
import type { FailureReport } from './failure-report.js'
import { outcomeUnknown, overloaded, SynodError } from './synod-error.js'

/** The error of a call that is refused before it is sent. */
export function tooLate(before: number): SynodError {
  const message = `${before} requests are before it, and at the pace of the last answers its own would come too late: it is not sent`
  return overloaded(message)
}

export function closedBefore(call: Call): SynodError {
  const message = 'the client was closed before the answer came'
  return mayHaveHappened(call) ? outcomeUnknown(message) : new SynodError('CANCELLED', 'CLIENT_CLOSED', message)
}

export function notExpected({ expected }: Call, found: string | undefined): SynodError {
  return new SynodError('INTERNAL', 'INTERNAL', `expected a result of ${expected}, got ${found ?? 'none'}`)
}

/** The error of a call whose deadline has passed: whether it may have been carried out, and if not, what prevented it. */
export function expired(call: Call, failures: FailureReport, { phase, endpoint, silentMs }: Connection): SynodError {
  const { last: cause } = failures
  const silence = silentMs === undefined ? '' : `; ${endpoint} has said nothing for ${Math.round(silentMs)} ms`
  const waiting = phase === 'opening' ? `${endpoint} does not let this client in${silence}` : undefined
  const trouble = failures.tellTrouble(waiting)
  const detail = trouble !== undefined ? `; ${trouble}` : cause !== undefined ? `; the last failure: ${cause.message}` : silence
  if (mayHaveHappened(call)) return outcomeUnknown(`no answer within the time given${detail}`, cause)
  if (cause?.reason === 'OVERLOADED' || (cause === undefined && call.requestNumber === 0 && phase === 'open')) {
    return overloaded(`there was no room for it within the time given; it was not carried out${detail}`, cause)
  }
  if (trouble !== undefined) return new SynodError('UNAVAILABLE', 'UNREACHABLE', trouble, { cause, retrySafe: true })
  return new SynodError('UNAVAILABLE', 'NO_QUORUM', `no node could answer within the time given${detail}`, { cause })
}

/** Returns true for a command that was sent and that no node has reported as not proposed. */
function mayHaveHappened(call: Call): boolean {
  return call.unresolvedSends > 0 && !call.isQuery
}
