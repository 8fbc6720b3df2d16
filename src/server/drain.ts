import { MemberError } from '../host/api.js'
import type { CallContext } from './call-context.js'
import type { Interceptor } from './interceptor.js'

/** The end of a server's service: what is new is refused, what is under way is waited for. */
export class Drain {
  #hasBegun = false
  #underWay = 0
  #onIdle: () => void = () => {}
  readonly #listeners = new Set<() => void>()

  get hasBegun(): boolean {
    return this.#hasBegun
  }

  /** Resolves when no call is under way any more. */
  begin(): Promise<void> {
    return new Promise((resolve) => {
      this.#hasBegun = true
      this.#onIdle = resolve
      for (const listener of this.#listeners) listener()
      if (this.#underWay === 0) resolve()
    })
  }

  /** Counts a call as under way until it ends. */
  watch(context: CallContext): void {
    this.#underWay++
    context.onEnd(() => {
      if (--this.#underWay === 0) this.#onIdle()
    })
  }

  /** Has `listener` called when the drain begins, for calls that would not end by themselves. Gives what takes that back. */
  onBegun(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** Refuses calls that come once the drain has begun; the drain waits for all others. */
export function refuseWhileDraining(drain: Drain): Interceptor {
  return (next) => (input, context) => {
    if (drain.hasBegun) throw new MemberError('STOPPED', 'this node is stopping; ask another')
    drain.watch(context)
    return next(input, context)
  }
}
