import type { Acceptor } from '../acceptor.js'
import type { Memberships } from '../memberships.js'
import type { NodeId, Slot } from '../types.js'

interface Settings {
  readonly self: NodeId
  readonly dataDirId: string
  readonly memberships: Memberships
  readonly acceptor: Acceptor
  readonly replica: { readonly decidedUpTo: Slot }
}

/** Lets the acceptor vote from the slot on from which the membership has this node vote, with this data directory. */
export class VotingRight {
  readonly #s: Settings
  /** Slots up to this one are decided, and it votes in none of them. See Node.learnFirst. */
  #learnsFirstUpTo: Slot = 0

  constructor(settings: Settings) {
    this.#s = settings
  }

  /** Whether it votes, now or from a slot on that it knows. */
  get isHeld(): boolean {
    return this.#s.acceptor.votesFrom > 0 && this.#s.memberships.latest.isVoter(this.#s.self)
  }

  learnFirst(upTo: Slot): void {
    this.#learnsFirstUpTo = Math.max(this.#learnsFirstUpTo, upTo)
  }

  onMembershipChanged(): void {
    const { self, dataDirId, memberships, acceptor, replica } = this.#s
    const learnsFirst = replica.decidedUpTo < this.#learnsFirstUpTo
    acceptor.votesFrom = learnsFirst ? 0 : memberships.votesFrom(self, dataDirId)
  }

  /**
   * Whether a leader that knows the slots up to there knows that this life of the node votes. To one that does not, its name stands for an
   * earlier life, whose promises it cannot speak for.
   */
  isKnownTo(decidedUpTo: Slot): boolean {
    const { acceptor, memberships } = this.#s
    return acceptor.votesFrom > 0 && decidedUpTo + memberships.windowSlots >= acceptor.votesFrom
  }
}
