import type { Outbox } from './outbox.js'
import type { Slot } from './types.js'

/** Brings the watermark of the decided slots to disk: it rides along with other records, and is written by itself when asked for. */
export class Watermark {
  readonly #replica: { readonly decidedUpTo: Slot }
  readonly #out: Outbox
  /** Of the last record. */
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

  /** The state after `slot` is durable in the place of this node's own. */
  onInstalled(slot: Slot): void {
    this.#persistedUpTo = slot
    this.#durableUpTo = slot
  }
}
