import type { CoreOptions } from '../core-options.js'
import type { LogClock } from '../log-clock.js'
import type { Membership } from '../membership.js'
import type { Memberships } from '../memberships.js'
import type { HeartbeatAck } from '../messages.js'
import type { Silences } from '../silence.js'
import type { NodeId, Slot } from '../types.js'

/** The state of another node, as it has reported last. */
interface MemberProgress {
  /** The time of its last acknowledgement, or of the leader's start if there was none. */
  ackMs: number
  /** Undefined until it has been heard. */
  decidedUpTo: Slot | undefined
  /** Its durable watermark. */
  durableUpTo: Slot
}

interface Settings {
  readonly self: NodeId
  readonly memberships: Memberships
  readonly replica: { readonly decidedUpTo: Slot }
  readonly clock: LogClock
  readonly options: CoreOptions
  readonly silences: Silences
  readonly nowMs: number
}

/** Tracks each other member's progress, and when it was heard last (etcd's tracker). */
export class Progress {
  readonly #self: NodeId
  readonly #memberships: Memberships
  readonly #replica: { readonly decidedUpTo: Slot }
  readonly #clock: LogClock
  readonly #options: CoreOptions
  /** Kept beyond the leader's ballot. */
  readonly #silences: Silences
  readonly #members = new Map<NodeId, MemberProgress>()
  #latest: Membership
  #tickedMs: number

  constructor(settings: Settings) {
    this.#self = settings.self
    this.#memberships = settings.memberships
    this.#replica = settings.replica
    this.#clock = settings.clock
    this.#options = settings.options
    this.#silences = settings.silences
    this.#latest = settings.memberships.latest
    this.#tickedMs = settings.nowMs
    for (const nodeId of settings.memberships.othersThan(settings.self)) {
      this.#members.set(nodeId, { ackMs: settings.nowMs, decidedUpTo: undefined, durableUpTo: 0 })
    }
  }

  /** The time of the last tick. */
  get tickedMs(): number {
    return this.#tickedMs
  }

  /** The decided slots of every other node that has been heard in this ballot. */
  get decidedSlots(): ReadonlyMap<NodeId, Slot> {
    const slots = new Map<NodeId, Slot>()
    for (const [nodeId, { decidedUpTo }] of this.#members) if (decidedUpTo !== undefined) slots.set(nodeId, decidedUpTo)
    return slots
  }

  tick(nowMs: number): void {
    this.#tickedMs = nowMs
  }

  onAck(from: NodeId, m: HeartbeatAck, nowMs: number): void {
    this.#noteSilence(from, nowMs)
    this.#clock.onHeard(from, m.wallMs)
    const { decidedUpTo, durableUpTo } = m
    const member = this.#members.get(from)
    if (member === undefined) this.#members.set(from, { ackMs: nowMs, decidedUpTo, durableUpTo })
    else {
      member.ackMs = nowMs
      member.decidedUpTo = decidedUpTo
      member.durableUpTo = durableUpTo
    }
  }

  /** Forgets the progress of members that have another data directory now: it was that of an earlier life. */
  onMembershipChanged(): void {
    const { latest } = this.#memberships
    for (const { nodeId, dataDirId } of latest.members) {
      const member = this.#members.get(nodeId)
      if (member === undefined || this.#latest.member(nodeId)?.dataDirId === dataDirId) continue
      member.decidedUpTo = undefined
      member.durableUpTo = 0
    }
    this.#latest = latest
  }

  /** True when an acknowledgement has come within the shortest election timeout before the last tick. */
  isHeard(nodeId: NodeId): boolean {
    const member = this.#members.get(nodeId)
    return member?.decidedUpTo !== undefined && this.#tickedMs - member.ackMs <= this.#options.electionTimeoutMsMin
  }

  /** A member's decided slots if it was heard recently, or undefined. The leader's own progress is always known. */
  recentOf(nodeId: NodeId): Slot | undefined {
    if (nodeId === this.#self) return this.#replica.decidedUpTo
    return this.isHeard(nodeId) ? this.decidedUpTo(nodeId) : undefined
  }

  /** Another node's decided slots, as it has reported last; 0 if it has not been heard. */
  decidedUpTo(nodeId: NodeId): Slot {
    return this.#members.get(nodeId)?.decidedUpTo ?? 0
  }

  /** Another node's durable watermark, as it has reported last; 0 if it has not been heard. */
  durableUpTo(nodeId: NodeId): Slot {
    return this.#members.get(nodeId)?.durableUpTo ?? 0
  }

  /** True when a majority of each governing membership has been heard in time; a node that was slow before has more time. */
  hearsMajority(): boolean {
    return this.#memberships.governing.every(({ voterIds, quorum }) => {
      let heard = 0
      for (const nodeId of voterIds) if (nodeId === this.#self || this.#isBorne(nodeId)) heard++
      return heard >= quorum
    })
  }

  /** Notes every silence when the leader steps down: if it leads again, it is more patient with nodes that may only be slow. */
  noteSilences(): void {
    for (const nodeId of this.#memberships.othersThan(this.#self)) this.#noteSilence(nodeId, this.#tickedMs)
  }

  #isBorne(nodeId: NodeId): boolean {
    const { electionTimeoutMsMax } = this.#options
    const member = this.#members.get(nodeId)
    if (member === undefined) return false
    const silenceMs = this.#tickedMs - member.ackMs
    return silenceMs <= electionTimeoutMsMax || silenceMs <= electionTimeoutMsMax + this.#silences.of(nodeId).extraMs
  }

  /** Notes a silence, up to twice the longest election timeout: the node may be down instead of slow. */
  #noteSilence(nodeId: NodeId, nowMs: number): void {
    const member = this.#members.get(nodeId)
    if (member === undefined) return
    this.#silences.of(nodeId).note(Math.min(nowMs - member.ackMs, 2 * this.#options.electionTimeoutMsMax))
  }
}
