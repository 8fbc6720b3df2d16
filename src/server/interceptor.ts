import type { CallContext } from './call-context.js'

/** Carries calls of one method out. What it throws, or rejects with, becomes the call's status. */
export type Handler<Input, Output> = (input: Input, context: CallContext) => Promise<Output>

/** Stands around handlers of one kind: it may refuse a call, watch it or change its answer. */
export type InterceptorOf<Input, Output> = (next: Handler<Input, Output>) => Handler<Input, Output>

/** Stands around handlers of any kind: it looks at the context alone. */
export type Interceptor = <Input, Output>(next: Handler<Input, Output>) => Handler<Input, Output>

/** Puts interceptors around a handler, the first one outermost. Done once per method, not per call. */
export function intercept<Input, Output>(
  handler: Handler<Input, Output>,
  interceptors: readonly InterceptorOf<Input, Output>[],
): Handler<Input, Output> {
  return interceptors.reduceRight((next, interceptor) => interceptor(next), handler)
}
