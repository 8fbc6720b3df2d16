import { requestTypeOf } from '../api/unknown-fields.js'
import { objectionToUnknown } from '../api/validate.js'
import { objected } from './call-error.js'
import type { InterceptorOf } from './interceptor.js'

/**
 * Refuses requests with a field that this version does not know, with LEVEL_TOO_LOW: carried out, they would come to something else than the
 * client has asked for. Bytes that are no message are left to the decoder, which says what is wrong with them.
 */
export function refuseUnknownFields(level: () => number): InterceptorOf<Uint8Array, Uint8Array> {
  return (next) => (request, context) => {
    const objection = objectionTo(context.method, request, level())
    if (objection !== undefined) throw objected(objection)
    return next(request, context)
  }
}

function objectionTo(method: string, request: Uint8Array, level: number): ReturnType<typeof objectionToUnknown> {
  try {
    return objectionToUnknown(requestTypeOf(method), request, level)
  } catch {
    return undefined
  }
}
