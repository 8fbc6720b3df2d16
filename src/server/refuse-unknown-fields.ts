import { requestTypeOf } from '../api/unknown-fields.js'
import { objectionToUnknown } from '../api/validate.js'
import type { CallContext } from './call-context.js'
import { objected } from './call-error.js'
import type { InterceptorOf } from './interceptor.js'

/**
 * Refuses requests with a field that this version does not know, with LEVEL_TOO_LOW: carried out, they would come to something else than the
 * client has asked for.
 */
export function refuseUnknownFields(level: () => number): InterceptorOf<Uint8Array, Uint8Array> {
  return (next) => (request, context) => {
    check(context, request, level())
    return next(request, context)
  }
}

/** As refuseUnknownFields, of methods that answer with a stream; a stream of requests has a dialogue that looks at each. */
export function refuseUnknownFieldsOfStreams<Stream>(level: () => number): InterceptorOf<Stream, void> {
  return (next) => (stream, context) => {
    const { request } = stream as { readonly request?: unknown }
    if (request instanceof Uint8Array) check(context, request, level())
    return next(stream, context)
  }
}

/** @throws CallError */
function check({ method }: CallContext, request: Uint8Array, level: number): void {
  const objection = objectionToUnknown(requestTypeOf(method), request, level)
  if (objection !== undefined) throw objected(objection)
}
