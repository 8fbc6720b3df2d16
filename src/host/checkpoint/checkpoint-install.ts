import type { Node } from '../../paxos/node.js'
import { TransferError } from '../../protocol/checkpoint-transfer.js'
import type { CheckpointEnd, CheckpointHeader, IncomingCheckpoint, Storage } from '../../storage/storage.js'
import type { DiskWriter } from '../disk-writer.js'
import type { Checkpointer } from './checkpointer.js'

interface Settings {
  readonly node: Pick<Node, 'decidedUpTo' | 'onCheckpointInstalled' | 'compactedUpTo'>
  readonly storage: Pick<Storage, 'compactedUpTo'>
  readonly checkpointer: Pick<Checkpointer, 'hold' | 'release' | 'isBusy' | 'onInstalled'>
  readonly disk: Pick<DiskWriter, 'take' | 'free' | 'untilFree'>
  /** Fills the state machine, and the applier, anew with the checkpoint that the storage holds: see installState. @throws StorageError */
  readonly reload: () => Promise<void>
  /** The host may stop, or be asked to, at any time. */
  readonly phase: () => 'running' | 'stopping' | 'stopped'
  /** Nothing new comes in: writes all that the core still has to write. */
  readonly writeOut: () => Promise<void>
  /** Applies the rest of a slot that has been begun. */
  readonly finishSlot: () => void
  readonly schedule: () => void
}

/** Puts a peer's checkpoint in the place of this node's state: on disk at once, then in memory, while the core goes on. */
export class CheckpointInstall {
  readonly #s: Settings
  /**
   * none: nothing is being installed. coming: no checkpoint of one's own is begun. quiet: nothing reaches the core, what it has to
   * write is written, and then the disk gets another state. loading: memory follows, and what is decided waits.
   */
  #phase: 'none' | 'coming' | 'quiet' | 'loading' = 'none'

  constructor(settings: Settings) {
    this.#s = settings
  }

  get isBusy(): boolean {
    return this.#phase !== 'none'
  }

  /** The core must hear nothing. */
  get isQuiet(): boolean {
    return this.#phase === 'quiet'
  }

  /** @throws RecordError when it is not whole, TransferError when it is of no use any more; the state is as before then */
  async run(incoming: IncomingCheckpoint, header: CheckpointHeader, end: CheckpointEnd): Promise<void> {
    const { node, storage, checkpointer, disk, phase } = this.#s
    this.#phase = 'coming'
    checkpointer.hold()
    try {
      while (checkpointer.isBusy && phase() !== 'stopped') await disk.untilFree()
      this.#phase = 'quiet'
      await this.#s.writeOut()
      // Reads until the new state is there must see a whole slot.
      if (phase() !== 'stopped') this.#s.finishSlot()
      if (phase() !== 'running') throw new TransferError('UNREACHABLE', 'this node is stopping')
      if (node.decidedUpTo >= header.slot) throw new TransferError('NOT_FOUND', 'the node has caught up meanwhile')
      disk.take()
      await incoming.install(end)
      if (phase() === 'stopped') return
      // No step may come between: the core must not go on from a state that the disk no longer holds.
      node.onCheckpointInstalled({ slot: header.slot, timeMs: header.timeMs, memberships: header.memberships })
      node.compactedUpTo = storage.compactedUpTo
      this.#phase = 'loading'
      disk.free()
      this.#s.schedule()
      await this.#s.reload()
      checkpointer.onInstalled()
    } finally {
      checkpointer.release()
      this.#phase = 'none'
      disk.free()
      this.#s.schedule()
    }
  }
}
