import type { Memberships } from '../memberships.js'
import type { SettledEpoch } from '../settled-epoch.js'
import type { NodeId, Slot } from '../types.js'
import type { Watermark } from '../watermark.js'
import type { Progress } from './progress.js'

interface Settings {
  readonly self: NodeId
  readonly memberships: Memberships
  readonly progress: Pick<Progress, 'durableUpTo'>
  readonly watermark: Pick<Watermark, 'durableUpTo'>
  readonly settled: SettledEpoch
}

/** Detects, on the leader, that the membership in force is settled: see SettledEpoch. */
export class Settlement {
  readonly #s: Settings

  constructor(settings: Settings) {
    this.#s = settings
  }

  /** Checks the members' progress; true when the membership in force has just become settled. */
  update(): boolean {
    const { memberships, settled } = this.#s
    if (settled.isCurrent) return false
    const { epoch, fromSlot, voterIds, quorum } = memberships.current
    const knowing = voterIds.filter((nodeId) => this.#durableUpTo(nodeId) >= fromSlot - 1)
    if (knowing.length < quorum) return false
    settled.raiseTo(epoch)
    return true
  }

  #durableUpTo(nodeId: NodeId): Slot {
    const { self, watermark, progress } = this.#s
    return nodeId === self ? watermark.durableUpTo : progress.durableUpTo(nodeId)
  }
}
