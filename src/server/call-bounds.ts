import { MemberError } from '../host/api.js'
import { SharedLimit } from '../host/requests/shared-limit.js'
import type { Interceptor } from './interceptor.js'

/**
 * Refuses a call at once when as many are under way as the node takes at a time. Connections share the bound. All methods that the
 * interceptor is put around count together.
 */
export function boundCallsUnderWay(countMax: number, what: string): Interceptor {
  /** Calls under way, by connection. */
  const underWay = new SharedLimit<string>(countMax)
  // It is thrown many times a second when it is thrown at all: it is made once.
  const overloaded = new MemberError(
    'OVERLOADED',
    `this node takes ${countMax} ${what} at a time, which its clients share; try again later`,
  )
  return (next) => (input, context) => {
    const { peer } = context
    if (!underWay.hasRoom(peer)) throw overloaded
    underWay.add(peer)
    context.onEnd(() => underWay.remove(peer))
    return next(input, context)
  }
}
