import type { Slot } from '../../paxos/types.js'
import type { PreparedCheckpoint, Storage } from '../../storage/storage.js'
import type { Applier } from '../apply/applier.js'

/**
 * Keeps the state on disk close behind the state in memory: a restart replays little more than what lies between two boundaries. A
 * checkpoint is begun at one slot, at a boundary or after it, prepared while the node goes on, and committed as a write of its own.
 */
export class Checkpointer {
  readonly #storage: Storage
  readonly #applier: Applier
  readonly #onPrepared: () => void
  readonly #onFailed: (error: Error) => void
  /** From the beginning of one to its commit. */
  #isBusy = false
  #isHeld = false
  /** Somebody wants a newer one than there is. */
  #isAsked = false
  #prepared: PreparedCheckpoint | undefined
  /** Where the last one stands, or the one under way. */
  #upTo: Slot
  /** The applier's boundary count at that checkpoint. */
  #boundaryCount = 0

  constructor(settings: {
    readonly storage: Storage
    readonly applier: Applier
    readonly onPrepared: () => void
    readonly onFailed: (error: Error) => void
  }) {
    this.#storage = settings.storage
    this.#applier = settings.applier
    this.#onPrepared = settings.onPrepared
    this.#onFailed = settings.onFailed
    this.#upTo = settings.storage.checkpoint.appliedUpTo
  }

  get isBusy(): boolean {
    return this.#isBusy
  }

  /** True when a checkpoint should be begun now. */
  get isDue(): boolean {
    const { appliedUpTo, boundaryCount, isFarAhead, isMidSlot } = this.#applier
    if (this.#isBusy || this.#isHeld || isMidSlot) return false
    return (
      boundaryCount > this.#boundaryCount || isFarAhead || (this.#isAsked && appliedUpTo > this.#storage.checkpoint.appliedUpTo)
    )
  }

  /** One is made soon, if anything was applied since the last one. */
  ask(): void {
    this.#isAsked = true
  }

  /** Takes the state as of now. The caller must write its slots before the commit. */
  begin(): void {
    this.#isBusy = true
    this.#isAsked = false
    this.#boundaryCount = this.#applier.boundaryCount
    const taken = this.#applier.checkpoint()
    this.#upTo = taken.info.appliedUpTo
    void this.#prepare(taken)
  }

  async #prepare({ info, changes }: ReturnType<Applier['checkpoint']>): Promise<void> {
    try {
      this.#prepared = await this.#storage.prepareCheckpoint(info, changes)
      this.#onPrepared()
    } catch (cause) {
      this.#onFailed(new Error('a checkpoint could not be prepared', { cause }))
    }
  }

  /** The prepared checkpoint, for the caller to commit while the disk is idle. */
  take(): PreparedCheckpoint | undefined {
    const prepared = this.#prepared
    this.#prepared = undefined
    return prepared
  }

  onCommitted(): void {
    this.#isBusy = false
    this.#applier.onCheckpointed()
  }

  /** Begins none until release() or onInstalled(): a peer's checkpoint is to replace the state. One under way is finished. */
  hold(): void {
    this.#isHeld = true
  }

  /** Ends the hold: the peer's checkpoint is in place, or does not come. */
  release(): void {
    this.#isHeld = false
  }

  /** The storage has another checkpoint, and the applier has been reset to it. */
  onInstalled(): void {
    this.#isHeld = false
    this.#boundaryCount = this.#applier.boundaryCount
    this.#upTo = this.#applier.appliedUpTo
  }

  /** The last one, of a node that does nothing more. */
  async finish(): Promise<void> {
    if (this.#isHeld || this.#applier.appliedUpTo === this.#upTo) return
    const { info, changes } = this.#applier.checkpoint()
    await this.#storage.saveCheckpoint(info, changes)
    this.#applier.onCheckpointed()
  }
}
