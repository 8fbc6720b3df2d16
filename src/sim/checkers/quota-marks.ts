import { BankAndKeys } from '../../api/bank-and-keys.js'
import { Result } from '../../gen/synod/session/v1/session.js'
import type { Moment } from '../../replication/state-machine.js'

/** The part of a command that was refused for the quota: all of it, or these transfers of a batch; undefined: nothing. */
export type QuotaMark = 'whole' | readonly number[] | undefined

/**
 * The bank and the keys, which also record their refusals for the quota. The model cannot know how full the state is, as it does
 * not know the sizes of sessions and answers. So it is told, and checks that the refusal was allowed and changed nothing.
 */
export class MarkedBankAndKeys extends BankAndKeys {
  #slot = 0
  #marks: QuotaMark[] = []

  /** Returns a mark for each command that was carried out in this slot, if it was the last one; none without a quota. */
  marksOf(slot: number): readonly QuotaMark[] {
    return slot === this.#slot ? this.#marks : []
  }

  override apply(bytes: Uint8Array, at: Moment): Uint8Array {
    const result = super.apply(bytes, at)
    if (at.slot !== this.#slot) this.#marks = []
    this.#slot = at.slot
    if (at.quotaBytes !== undefined) this.#marks.push(markOf(Result.decode(result)))
    return result
  }
}

function markOf({ outcome }: Result): QuotaMark {
  if (outcome?.$case === 'refusal') return outcome.value.reason === 'QUOTA_EXCEEDED' ? 'whole' : undefined
  if (outcome?.$case !== 'transferBatch') return undefined
  const refused = [...outcome.value.results.keys()].filter((i) => outcome.value.results[i]?.reason === 'QUOTA_EXCEEDED')
  return refused.length === 0 ? undefined : refused
}
