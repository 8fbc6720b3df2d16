import type { Memberships } from './memberships.js'

/**
 * The epoch of the newest membership known to be settled: a majority of its voters knows, on disk, that it is in force. From then on
 * any majority of them goes on by itself, and nobody else is needed: whoever is no member may be switched off. Before that, where only
 * a former member knows the last slots of the membership before, the others cannot do without it. Never goes back to be unsettled.
 */
export class SettledEpoch {
  readonly #memberships: Memberships
  /** The first membership always is settled. */
  #epoch = 1

  constructor(memberships: Memberships) {
    this.#memberships = memberships
  }

  get epoch(): number {
    return this.#epoch
  }

  /** Whether the membership in force here is settled: only then may whoever it has not be sent away. */
  get isCurrent(): boolean {
    const [current] = this.#memberships.governing
    return current !== undefined && this.#epoch >= current.epoch
  }

  /** A leader has noticed, or told, that this epoch is settled. */
  raiseTo(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch)
  }
}
