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

/** Sets the first slot in which the acceptor votes, by the membership and this node's data directory. */
export class VotingRight {
  readonly #s: Settings
  /** The slot up to which this node must learn before it votes. See Node.learnFirst. */
  #learnsFirstUpTo: Slot = 0

  constructor(settings: Settings) {
    this.#s = settings
  }

  /** True when this node votes, now or from a slot on that it knows. */
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
   * True when a leader that has decided the slots up to this one knows that this life of the node votes. For a leader that does not know,
   * the node id means an earlier life, and this life must not confirm anything in its place.
   */
  isKnownTo(decidedUpTo: Slot): boolean {
    const { acceptor, memberships } = this.#s
    return acceptor.votesFrom > 0 && decidedUpTo + memberships.windowSlots >= acceptor.votesFrom
  }
}
