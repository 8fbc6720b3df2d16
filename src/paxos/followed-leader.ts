import { NO_BALLOT, nodeOf } from './ballot.js'
import type { Membership } from './membership.js'
import type { CoreOptions } from './options.js'
import type { Ballot, NodeId } from './types.js'

/**
 * What a node knows of whoever leads, and the way there: straight, or through a member that hears the leader and is heard by it. Links
 * may be broken in part, or in one direction only.
 */
export class FollowedLeader {
  readonly #self: NodeId
  readonly #options: CoreOptions
  #ballot: Ballot = NO_BALLOT
  #heardMs = Number.NEGATIVE_INFINITY
  /** What is for the leader goes through this node; 0 for the straight way. */
  #relay: NodeId = 0

  constructor(self: NodeId, options: CoreOptions) {
    this.#self = self
    this.#options = options
  }

  /** The highest ballot of which a leader has been heard. */
  get ballot(): Ballot {
    return this.#ballot
  }

  isHeard(nowMs: number, withinMs: number): boolean {
    return this.#ballot !== NO_BALLOT && nowMs - this.#heardMs < withinMs
  }

  /** 0 when no leader has been heard for an election timeout. */
  nodeId(nowMs: number): NodeId {
    return this.isHeard(nowMs, this.#options.electionTimeoutMsMax) ? nodeOf(this.#ballot) : 0
  }

  /** Whom to send what is for the leader; 0 when nobody knows one. */
  wayThere(nowMs: number): NodeId {
    return this.#relay !== 0 ? this.#relay : this.nodeId(nowMs)
  }

  /** A leader was heard, in a ballot that is not below the last one's. */
  onHeard(ballot: Ballot, nowMs: number): void {
    // Of a new leader, or of one that was silent, the straight way is tried first.
    if (ballot > this.#ballot || this.nodeId(nowMs) === 0) this.#relay = 0
    this.#ballot = ballot
    this.#heardMs = nowMs
  }

  /** This node leads itself: whoever leads in a lower ballot is not listened to, and nobody is followed. */
  onOwnBallot(ballot: Ballot): void {
    this.#ballot = ballot
    this.#heardMs = Number.NEGATIVE_INFINITY
    this.#relay = 0
  }

  /** What was sent has not been answered: the next member may have a better link to the leader. */
  takeDetour(membership: Membership, nowMs: number): void {
    const leaderId = this.nodeId(nowMs)
    if (leaderId === 0) return
    const next = membership.nextOther(this.#self, this.wayThere(nowMs))
    this.#relay = next === leaderId || next === this.#self ? 0 : next
  }

  /** That node follows a leader which this one cannot hear. */
  goThrough(relay: NodeId): void {
    this.#relay = relay
  }

  goStraight(): void {
    this.#relay = 0
  }
}
