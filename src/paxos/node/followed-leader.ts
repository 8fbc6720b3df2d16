import { NO_BALLOT, nodeOf } from '../ballot.js'
import type { CoreOptions } from '../core-options.js'
import { Silence } from '../silence.js'
import type { Ballot, NodeId } from '../types.js'

interface Settings {
  readonly self: NodeId
  readonly options: CoreOptions
  /** True when this node has an open connection to send to that one. */
  readonly isLinked: (nodeId: NodeId) => boolean
}

/**
 * The current leader and the route to it: direct, or relayed through a member that the leader hears, if it does not hear this node. Links
 * may be broken in part, or in one direction only.
 */
export class FollowedLeader {
  readonly #s: Settings
  #ballot: Ballot = NO_BALLOT
  #heardMs = Number.NEGATIVE_INFINITY
  /** The silences of this leader. */
  readonly #silence: Silence
  /** The member that relays messages for the leader; 0: they are sent directly. */
  #relay: NodeId = 0
  /** The members that the leader hears, as it has reported last. */
  #heardByLeader: readonly NodeId[] = []

  constructor(settings: Settings) {
    this.#s = settings
    this.#silence = new Silence(settings.options)
  }

  /** The highest ballot in which a leader has been heard. */
  get ballot(): Ballot {
    return this.#ballot
  }

  /** The extra time that this leader may be silent, in ms. */
  get extraMs(): number {
    return this.#silence.extraMs
  }

  /** True when the leader was heard within this time, or a little longer if it was slow before. */
  isHeard(nowMs: number, withinMs: number): boolean {
    return this.#ballot !== NO_BALLOT && nowMs - this.#heardMs < withinMs + this.extraMs
  }

  /** The leader; 0 when none has been heard for an election timeout. */
  nodeId(nowMs: number): NodeId {
    return this.isHeard(nowMs, this.#s.options.electionTimeoutMsMax) ? nodeOf(this.#ballot) : 0
  }

  /** The node to send messages for the leader to; 0 when no leader is known. */
  wayThere(nowMs: number): NodeId {
    return this.#relay !== 0 && this.#s.isLinked(this.#relay) ? this.#relay : this.nodeId(nowMs)
  }

  /** A leader was heard, in a ballot that is not below the last leader's. */
  onHeard(ballot: Ballot, nowMs: number): void {
    const isKnown = ballot === this.#ballot && this.nodeId(nowMs) !== 0
    // To a new leader, or one that was silent, the direct route is tried first.
    if (!isKnown) this.#relay = 0
    if (ballot !== this.#ballot) this.#heardByLeader = []
    if (nodeOf(ballot) !== nodeOf(this.#ballot)) this.#silence.forget()
    else if (isKnown) this.#silence.note(nowMs - this.#heardMs)
    this.#ballot = ballot
    this.#heardMs = nowMs
  }

  /** The leader has reported the members that it hears. */
  onHeardByLeader(nodeIds: readonly NodeId[]): void {
    this.#heardByLeader = nodeIds
    if (this.#isHeardByLeader) this.#relay = 0
  }

  /** This node leads in this ballot: it follows no other, and ignores leaders of lower ballots. */
  onOwnBallot(ballot: Ballot): void {
    this.#ballot = ballot
    this.#heardMs = Number.NEGATIVE_INFINITY
    this.#relay = 0
    this.#heardByLeader = []
    this.#silence.forget()
  }

  /**
   * Reroutes through a peer after a message has not been answered, if the leader does not hear this node: the next member that the leader
   * hears and that this node is connected to. A leader that hears this node is only slow: another route would gain nothing.
   */
  takeDetour(nowMs: number): void {
    const leaderId = this.nodeId(nowMs)
    if (leaderId === 0 || this.#isHeardByLeader) return
    const relays = this.#heardByLeader.filter((nodeId) => nodeId !== leaderId && this.#s.isLinked(nodeId))
    this.#relay = relays.find((nodeId) => nodeId > this.#relay) ?? 0
  }

  /** Relays through a node that follows a leader which this one cannot hear. */
  goThrough(relay: NodeId): void {
    this.#relay = relay
  }

  goStraight(): void {
    this.#relay = 0
  }

  get #isHeardByLeader(): boolean {
    return this.#heardByLeader.includes(this.#s.self)
  }
}
