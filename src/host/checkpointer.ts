import type { Slot } from '../paxos/types.js'
import type { PreparedCheckpoint, Storage } from '../storage/storage.js'
import type { Applier } from './applier.js'

/** When a checkpoint is due: a restart replays no more than this. */
export interface CheckpointOptions {
  /** Slots since the last one, at least 1. */
  readonly slotsMax: number
  /** Commands since the last one, at least 1. */
  readonly commandsMax: number
}

export const DEFAULT_CHECKPOINT_OPTIONS: CheckpointOptions = Object.freeze({ slotsMax: 4_096, commandsMax: 65_536 })

/**
 * Keeps the state on disk close behind the state in memory. A checkpoint is begun at one slot, prepared while the node goes on, and
 * committed as a write of its own.
 */
export class Checkpointer {
  readonly #storage: Storage
  readonly #applier: Applier
  readonly #options: CheckpointOptions
  readonly #onPrepared: () => void
  readonly #onFailed: (error: Error) => void
  /** From the beginning of one to its commit. */
  #isBusy = false
  #prepared: PreparedCheckpoint | undefined
  /** Where the last one stands, or the one under way. */
  #upTo: Slot
  #commandCount = 0

  constructor(settings: {
    readonly storage: Storage
    readonly applier: Applier
    readonly options: CheckpointOptions
    readonly onPrepared: () => void
    readonly onFailed: (error: Error) => void
  }) {
    this.#storage = settings.storage
    this.#applier = settings.applier
    this.#options = settings.options
    this.#onPrepared = settings.onPrepared
    this.#onFailed = settings.onFailed
    this.#upTo = settings.storage.checkpoint.appliedUpTo
  }

  get isBusy(): boolean {
    return this.#isBusy
  }

  get isDue(): boolean {
    if (this.#isBusy) return false
    const { appliedUpTo, commandCount } = this.#applier
    const { slotsMax, commandsMax } = this.#options
    return appliedUpTo - this.#upTo >= slotsMax || commandCount - this.#commandCount >= commandsMax
  }

  /** Takes the state as of now. The caller sees to it that its slots are in a write before the commit. */
  begin(): void {
    this.#isBusy = true
    this.#commandCount = this.#applier.commandCount
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
  }

  /** The last one, of a node that does nothing more. */
  async finish(): Promise<void> {
    if (this.#applier.appliedUpTo === this.#upTo) return
    const { info, changes } = this.#applier.checkpoint()
    await this.#storage.saveCheckpoint(info, changes)
  }
}
