import type { Memberships } from '../memberships.js'
import type { NodeId, Slot } from '../types.js'
import type { Watermark } from '../watermark.js'
import type { Progress } from './progress.js'

interface Settings {
  readonly self: NodeId
  readonly memberships: Memberships
  readonly progress: Progress
  readonly watermark: Pick<Watermark, 'durableUpTo'>
  /** What was settled before this node led. */
  readonly epoch: number
}

/** Notices, for a leader, that the membership in force is settled: see Node.settledEpoch. */
export class Settlement {
  readonly #self: NodeId
  readonly #memberships: Memberships
  readonly #progress: Progress
  readonly #watermark: Pick<Watermark, 'durableUpTo'>
  #epoch: number

  constructor(settings: Settings) {
    this.#self = settings.self
    this.#memberships = settings.memberships
    this.#progress = settings.progress
    this.#watermark = settings.watermark
    this.#epoch = settings.epoch
  }

  /** The newest epoch known to be settled. */
  get epoch(): number {
    return this.#epoch
  }

  /** Whether the membership in force is settled. */
  get isReached(): boolean {
    return this.#epoch >= this.#memberships.current.epoch
  }

  /** True when the membership in force has just become settled. */
  update(): boolean {
    if (this.isReached) return false
    const { epoch, fromSlot, voterIds, quorum } = this.#memberships.current
    const knowing = voterIds.filter((nodeId) => this.#durableUpTo(nodeId) >= fromSlot - 1)
    if (knowing.length < quorum) return false
    this.#epoch = epoch
    return true
  }

  #durableUpTo(nodeId: NodeId): Slot {
    return nodeId === this.#self ? this.#watermark.durableUpTo : this.#progress.durableUpTo(nodeId)
  }
}
