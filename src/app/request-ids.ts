import { shareOf } from '../replication/quota-share.js'
import type { Moment } from '../replication/state-machine.js'
import type { Deadlines } from '../tables/deadlines.js'
import type { Crypto } from './bank/signing.js'
import { type FirstAnswerLimits, FirstAnswers } from './first-answers.js'
import { Refusal } from './refusal.js'
import { type StoredUsedId, UsedIds } from './used-ids.js'

/** An outcome, and the bytes that answer with it. */
export interface CarriedOut {
  readonly outcome: object
  readonly answer: Uint8Array
}

/** Exactly once for callers without a session: the first answer to a request_id is the answer to it. */
export class RequestIds {
  readonly answers: FirstAnswers
  readonly used: UsedIds
  readonly #crypto: Crypto

  /** `stored`: the ids that stand on disk. */
  constructor(
    crypto: Crypto,
    deadlines: Deadlines,
    { limits, stored = () => undefined }: { readonly limits: FirstAnswerLimits; readonly stored?: StoredUsedId | undefined },
  ) {
    this.#crypto = crypto
    this.answers = new FirstAnswers(deadlines, limits)
    this.used = new UsedIds(stored)
  }

  /** Memory that they take, in bytes. */
  get bytes(): number {
    return this.answers.bytes + this.used.bytes
  }

  /** See StateMachine.writtenBytes. */
  get writtenBytes(): number {
    return this.answers.writtenBytes + this.used.writtenBytes
  }

  /**
   * Carries a request out, unless its id was used: then it is answered as before, or refused. `content`: the
   * command's bytes, which a repeat must have in common; doors encode alike what asks the same.
   */
  carryOutOnce(
    request: { readonly requestId: string; readonly content: Uint8Array },
    at: Moment,
    carryOut: () => CarriedOut,
  ): Uint8Array | Refusal {
    const { requestId, content } = request
    const digest = this.#crypto.digest(content)
    const first = this.answers.get(requestId)
    if (first !== undefined && first.digest === digest) return first.answer
    if (first !== undefined) return Refusal.of('ID_REUSED', { request_id: requestId })
    // The answer is gone, but the id was used: perhaps by this very request, a late retry then.
    const used = this.used.get(requestId)
    if (used !== undefined) {
      return Refusal.of('EXPIRED_ID', { request_id: requestId, slot: String(used.slot) })
    }
    const { outcome, answer } = carryOut()
    // Nothing was done, and the same may be asked again when there is room.
    if (outcome instanceof Refusal && outcome.reason === 'QUOTA_EXCEEDED') return answer
    this.answers.memoryBytesMax = shareOf(at.quotaBytes ?? 0)
    // Kept long after its neighbours in the pool.
    this.answers.keep(requestId, { digest, answer: answer.slice() }, at.timeMs)
    this.used.add(requestId, { slot: at.slot })
    return answer
  }
}
