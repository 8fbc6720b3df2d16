import { MemberError } from '../host/api.js'
import { SharedLimit } from '../host/requests/shared-limit.js'
import type { InterceptorOf } from './interceptor.js'

/** Untaken answers are buffers outside V8's heap, which no quota counts. */
const BYTES_MAX = 128 << 20

/** Answers that clients have asked for and do not read: by connection, in bytes. Together they must not fill this node's memory. */
export class UntakenAnswers {
  /** The refusal of a read when there is no room. */
  readonly refusal: MemberError
  readonly #limit: SharedLimit<string>

  constructor(bytesMax: number = BYTES_MAX) {
    this.#limit = new SharedLimit(bytesMax)
    this.refusal = new MemberError(
      'OVERLOADED',
      `this node holds ${bytesMax} bytes at most of answers that clients have not taken, which they share; take those first`,
    )
  }

  hasRoom(client: string): boolean {
    return this.#limit.hasRoom(client)
  }

  add(client: string, bytes: number): void {
    this.#limit.add(client, bytes)
  }

  /** Releases bytes that the client has taken, or that are lost with it. */
  remove(client: string, bytes: number): void {
    this.#limit.remove(client, bytes)
  }
}

/**
 * Refuses calls of clients that leave too much untaken. A read is refused once more where its answer finds no room; what changes
 * something is answered once it is carried out, however large the answer.
 */
export function boundUntakenAnswers(
  untaken: UntakenAnswers,
  { isRead }: { readonly isRead: boolean },
): InterceptorOf<Uint8Array, Uint8Array> {
  return (next) => async (request, context) => {
    const { peer } = context
    if (!untaken.hasRoom(peer)) throw untaken.refusal
    const response = await next(request, context)
    if (isRead && !untaken.hasRoom(peer)) throw untaken.refusal
    const { length } = response
    untaken.add(peer, length)
    context.onEnd(() => untaken.remove(peer, length))
    return response
  }
}
