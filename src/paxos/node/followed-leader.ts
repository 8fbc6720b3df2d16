import { NO_BALLOT, nodeOf } from '../ballot.js'
import type { CoreOptions } from '../options.js'
import { Silence } from '../silence.js'
import type { Ballot, NodeId } from '../types.js'

interface Settings {
  readonly self: NodeId
  readonly options: CoreOptions
  /** Whether there is an open connection on which this node sends to that one. */
  readonly isLinked: (nodeId: NodeId) => boolean
}

/**
 * What a node knows of whoever leads, and the way there: straight, or, where the leader does not hear this node, through a member that
 * the leader hears. Links may be broken in part, or in one direction only.
 */
export class FollowedLeader {
  readonly #s: Settings
  #ballot: Ballot = NO_BALLOT
  #heardMs = Number.NEGATIVE_INFINITY
  /** Of this leader. */
  readonly #silence: Silence
  /** What is for the leader goes through this node; 0 for the straight way. */
  #relay: NodeId = 0
  /** Whom the leader hears, as it said last. */
  #heardByLeader: readonly NodeId[] = []

  constructor(settings: Settings) {
    this.#s = settings
    this.#silence = new Silence(settings.options)
  }

  /** The highest ballot of which a leader has been heard. */
  get ballot(): Ballot {
    return this.#ballot
  }

  /** How much longer than others' this leader's silence is borne, in ms. */
  get extraMs(): number {
    return this.#silence.extraMs
  }

  isHeard(nowMs: number, withinMs: number): boolean {
    return this.#ballot !== NO_BALLOT && nowMs - this.#heardMs < withinMs + this.extraMs
  }

  /** 0 when no leader has been heard for an election timeout. */
  nodeId(nowMs: number): NodeId {
    return this.isHeard(nowMs, this.#s.options.electionTimeoutMsMax) ? nodeOf(this.#ballot) : 0
  }

  /** Whom to send what is for the leader; 0 when nobody knows one. */
  wayThere(nowMs: number): NodeId {
    return this.#relay !== 0 && this.#s.isLinked(this.#relay) ? this.#relay : this.nodeId(nowMs)
  }

  /** A leader was heard, in a ballot that is not below the last one's. */
  onHeard(ballot: Ballot, nowMs: number): void {
    const isKnown = ballot === this.#ballot && this.nodeId(nowMs) !== 0
    // Of a new leader, or of one that was silent, the straight way is tried first.
    if (!isKnown) this.#relay = 0
    if (ballot !== this.#ballot) this.#heardByLeader = []
    if (nodeOf(ballot) !== nodeOf(this.#ballot)) this.#silence.forget()
    else if (isKnown) this.#silence.note(nowMs - this.#heardMs)
    this.#ballot = ballot
    this.#heardMs = nowMs
  }

  /** The leader says whom it hears. */
  onHeardByLeader(nodeIds: readonly NodeId[]): void {
    this.#heardByLeader = nodeIds
    if (this.#isHeardByLeader) this.#relay = 0
  }

  /** This node leads itself: whoever leads in a lower ballot is not listened to, and nobody is followed. */
  onOwnBallot(ballot: Ballot): void {
    this.#ballot = ballot
    this.#heardMs = Number.NEGATIVE_INFINITY
    this.#relay = 0
    this.#heardByLeader = []
    this.#silence.forget()
  }

  /**
   * What was sent has not been answered. If the leader does not hear this node, another may have a better link: the next of those that it
   * hears, and that this node is connected to. One that hears this node is slow, and nothing is won by asking another.
   */
  takeDetour(nowMs: number): void {
    const leaderId = this.nodeId(nowMs)
    if (leaderId === 0 || this.#isHeardByLeader) return
    const relays = this.#heardByLeader.filter((nodeId) => nodeId !== leaderId && this.#s.isLinked(nodeId))
    this.#relay = relays.find((nodeId) => nodeId > this.#relay) ?? 0
  }

  /** That node follows a leader which this one cannot hear. */
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
