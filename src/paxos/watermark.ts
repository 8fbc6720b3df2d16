import type { Outbox } from './outbox.js'
import type { Slot } from './types.js'

/** Writes the watermark of the decided slots to disk, together with other records, or by itself on request. */
export class Watermark {
  readonly #replica: { readonly decidedUpTo: Slot }
  readonly #out: Outbox
  /** The watermark in the last record. */
  #persistedUpTo: Slot
  #durableUpTo: Slot

  constructor(settings: { readonly replica: { readonly decidedUpTo: Slot }; readonly out: Outbox; readonly durableUpTo: Slot }) {
    this.#replica = settings.replica
    this.#out = settings.out
    this.#persistedUpTo = settings.durableUpTo
    this.#durableUpTo = settings.durableUpTo
  }

  /** The watermark on disk. */
  get durableUpTo(): Slot {
    return this.#durableUpTo
  }

  /** The watermark on disk, or on its way there. */
  get persistedUpTo(): Slot {
    return this.#persistedUpTo
  }

  persist(): void {
    if (this.#persistedUpTo === this.#replica.decidedUpTo) return
    this.#persistedUpTo = this.#replica.decidedUpTo
    this.#out.persist({ kind: 'decidedUpTo', slot: this.#persistedUpTo })
  }

  onDurable(slot: Slot): void {
    this.#durableUpTo = slot
  }

  /** A checkpoint of the state after `slot` was installed, durably. */
  onInstalled(slot: Slot): void {
    this.#persistedUpTo = slot
    this.#durableUpTo = slot
  }
}
