import type { NodeId, Slot } from '../../paxos/types.js'
import type { Storage } from '../../storage/storage.js'
import type { Watch } from './watches.js'

/** A peer that is so close needs only the log that any node keeps, though each slot holds a MiB. */
const CLOSE_SLOTS = 32
/** A laggard that has made no progress for so long has gone, or will begin anew. Loading a big state takes minutes. */
const PATIENCE_MS = 300_000

interface Hold {
  upTo: Slot
  release: () => void
  expiresMs: number
}

/**
 * Keeps the log for peers that are catching up, each from where it is, as long as it comes nearer: while it fetches a checkpoint the log
 * after it, and then what it has not asked for yet. Otherwise it would find the log trimmed again, and fetch for ever. The storage bounds
 * what that may cost (LinkedWriter).
 */
export class LaggardHolds implements Watch {
  readonly #storage: Pick<Storage, 'holdLog'>
  readonly #holds = new Map<NodeId, Hold>()

  constructor(storage: Pick<Storage, 'holdLog'>) {
    this.#storage = storage
  }

  /** For tests. */
  get count(): number {
    return this.#holds.size
  }

  /** Notes progress: that peer has, or will soon have, all slots up to there. Called again for each part of a checkpoint. */
  onProgress(nodeId: NodeId, upTo: Slot, nowMs: number): void {
    const held = this.#holds.get(nodeId)
    const expiresMs = nowMs + PATIENCE_MS
    if (held?.upTo === upTo) {
      held.expiresMs = expiresMs
      return
    }
    // Only then the old one: nothing between the two may be trimmed.
    this.#holds.set(nodeId, { upTo, release: this.#storage.holdLog(upTo), expiresMs })
    held?.release()
  }

  /** Notes that a peer asks for the log after that slot. A repeated question is no progress. */
  onAsked(nodeId: NodeId, asked: { readonly upTo: Slot; readonly decidedUpTo: Slot }, nowMs: number): void {
    const held = this.#holds.get(nodeId)
    // A peer that did not fetch a checkpoint needs only the log that there is.
    if (held === undefined || held.upTo === asked.upTo) return
    if (asked.decidedUpTo - asked.upTo <= CLOSE_SLOTS) this.#release(nodeId, held)
    else this.onProgress(nodeId, asked.upTo, nowMs)
  }

  tick(nowMs: number): void {
    for (const [nodeId, held] of this.#holds) if (nowMs >= held.expiresMs) this.#release(nodeId, held)
  }

  #release(nodeId: NodeId, held: Hold): void {
    this.#holds.delete(nodeId)
    held.release()
  }
}
