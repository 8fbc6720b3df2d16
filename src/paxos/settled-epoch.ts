import type { Memberships } from './memberships.js'

/**
 * The epoch of the newest membership known to be settled: a majority of its voters knows, on disk, that it is in force. From then on
 * any majority of them can continue alone, and a node that is no member may be switched off. Before that, a former member may be the
 * only one to know the last slots of the earlier membership, and the others may need it. A settled membership stays settled.
 */
export class SettledEpoch {
  readonly #memberships: Memberships
  /** The first membership is always settled. */
  #epoch = 1

  constructor(memberships: Memberships) {
    this.#memberships = memberships
  }

  get epoch(): number {
    return this.#epoch
  }

  /** True when the membership in force here is settled: only then may a node that is no member be refused. */
  get isCurrent(): boolean {
    const [current] = this.#memberships.governing
    return current !== undefined && this.#epoch >= current.epoch
  }

  /** Notes that this epoch is settled, as this node's leader has found or reported. */
  raiseTo(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch)
  }
}
