import { NO_BALLOT } from '../paxos/ballot.js'
import type { Node } from '../paxos/node.js'
import type { Ballot, MembershipRecord, NodeId } from '../paxos/types.js'
import type { CoreReport } from './core-report.js'

/** Told of what has become of the core, right after the step in which it came about. */
export interface CoreListener {
  /** Called once, when the cluster is formed or has been joined. */
  onFormed(): void
  /** Called when the membership has changed, or will soon; at the start, too, if there is a cluster. */
  onMembershipsChanged(): void
  /** 0 when none is heard any more. */
  onLeaderChanged(leaderId: NodeId): void
}

/** Compares the core with what it was when its listener was told last. */
export class CoreChanges {
  readonly #node: Pick<Node, 'leaderId' | 'leaderBallot' | 'genesis' | 'memberships' | 'knownMembership'>
  /** Absent when nobody observes the node. */
  readonly #report: CoreReport | undefined
  #isFormed = false
  #leaderId: NodeId = 0
  /** The ballot of the last leader that was heard. */
  #leaderBallot: Ballot = NO_BALLOT
  /** The memberships that were last told of: the one that governs the first open slot, and the newest. */
  #memberships: readonly [MembershipRecord, MembershipRecord | undefined] | undefined

  constructor(
    node: Pick<Node, 'leaderId' | 'leaderBallot' | 'genesis' | 'memberships' | 'knownMembership'>,
    report: CoreReport | undefined,
  ) {
    this.#node = node
    this.#report = report
  }

  /** Tells the observer. */
  report(): void {
    this.#report?.report()
  }

  /** True when a new leader is heard. A leader that was silent for a while has lost no proposals, and does not count. */
  noteLeader(listener: CoreListener): boolean {
    const { leaderId, leaderBallot } = this.#node
    if (leaderId !== this.#leaderId) {
      this.#leaderId = leaderId
      listener.onLeaderChanged(leaderId)
    }
    if (leaderBallot === NO_BALLOT || leaderBallot === this.#leaderBallot) return false
    this.#leaderBallot = leaderBallot
    return true
  }

  noteMemberships(listener: CoreListener): void {
    const { genesis, memberships, knownMembership } = this.#node
    if (genesis === undefined) return
    if (!this.#isFormed) {
      this.#isFormed = true
      listener.onFormed()
    }
    if (memberships === undefined) return
    const { current } = memberships
    if (this.#memberships?.[0] === current && this.#memberships[1] === knownMembership) return
    this.#memberships = [current, knownMembership]
    listener.onMembershipsChanged()
  }
}
