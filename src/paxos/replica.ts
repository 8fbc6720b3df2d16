import type { Acceptor } from './acceptor.js'
import { assert } from './assert.js'
import { NO_BALLOT } from './ballot.js'
import type { CoreOptions } from './core-options.js'
import type { LogClock } from './log-clock.js'
import type { Memberships } from './memberships.js'
import type { CatchUp, CatchUpReply } from './messages.js'
import type { Outbox } from './outbox.js'
import { CATCH_UP_SLOTS, MissingSlots } from './replica/missing-slots.js'
import { RecentSlots } from './replica/recent-slots.js'
import type { Ballot, LogEntry, NodeId, Slot } from './types.js'
import { firstPage, sameValue } from './value.js'

/** The most pages in the answer to one CatchUp. Pages requested one by one could come more slowly than new slots are decided. */
export const CATCH_UP_PAGES = 4

interface Settings {
  readonly self: NodeId
  readonly memberships: Memberships
  readonly acceptor: Acceptor
  readonly clock: Pick<LogClock, 'onSeen'>
  readonly out: Outbox
  readonly options: CoreOptions
  readonly decidedUpTo: Slot
  /** Every other node that may have missing slots, ascending. */
  readonly others: () => readonly NodeId[]
  /** Called when a membership change was decided or has come into force. */
  readonly onMembershipChanged: () => void
}

/**
 * Learns which slots are decided, passes them on in order, and asks peers for missing ones (the learner's half of the paper's replica).
 * A decided slot never changes: a decision is checked against this node's own vote.
 */
export class Replica {
  readonly #memberships: Memberships
  readonly #acceptor: Acceptor
  readonly #clock: Pick<LogClock, 'onSeen'>
  readonly #out: Outbox
  readonly #options: CoreOptions
  readonly #onMembershipChanged: () => void
  #decidedUpTo: Slot
  /** The ballot and the watermark of the last heartbeat. */
  #lastHeartbeat: { readonly ballot: Ballot; readonly upTo: Slot } = { ballot: NO_BALLOT, upTo: 0 }
  readonly #missing: MissingSlots
  readonly #recent: RecentSlots
  /** The last slot that is no longer in this node's log; 0 for none. */
  compactedUpTo: Slot = 0

  constructor(settings: Settings) {
    this.#memberships = settings.memberships
    this.#onMembershipChanged = settings.onMembershipChanged
    this.#acceptor = settings.acceptor
    this.#clock = settings.clock
    this.#out = settings.out
    this.#options = settings.options
    this.#decidedUpTo = settings.decidedUpTo
    this.#missing = new MissingSlots({ ...settings, replica: this })
    this.#recent = new RecentSlots(settings.options)
  }

  get decidedUpTo(): Slot {
    return this.#decidedUpTo
  }

  /** Decides the next slot: by a majority's votes (leader), by the leader's watermark (follower), or by catch-up. */
  decide(entry: LogEntry): void {
    assert(entry.slot === this.#decidedUpTo + 1, 'slots are decided in order')
    const vote = this.#acceptor.acceptedAt(entry.slot)
    assert(
      vote === undefined || vote.ballot < entry.ballot || sameValue(vote.value, entry.value),
      'a value accepted at or above the deciding ballot is the decided one',
    )
    this.#decidedUpTo = entry.slot
    if (entry.value.kind === 'batch') this.#clock.onSeen(entry.value.timeMs)
    this.#acceptor.onDecided(entry.slot)
    this.#recent.add(entry)
    this.#out.decide(entry)
    this.#noteMembership(entry)
  }

  /** A checkpoint of the state after `slot` was installed: it stands for every slot up to there. */
  onInstalled(slot: Slot): void {
    this.#acceptor.onInstalled(slot)
    this.#decidedUpTo = slot
    this.#recent.clear()
    this.#missing.onInstalled()
    this.compactedUpTo = slot
  }

  /** The leader of `ballot` announces that slots up to `upTo` are decided: a value accepted in that very ballot is the decision. */
  onWatermark(from: NodeId, ballot: Ballot, upTo: Slot, nowMs: number): void {
    this.#decideAccepted(ballot, upTo)
    this.noteDecided(from, upTo, nowMs)
  }

  /**
   * As onWatermark. A heartbeat may overtake the Accepts of the slots that it announces: missing slots are requested only if the
   * heartbeat before announced them, too, or if this is the leader's first.
   */
  onHeartbeat(from: NodeId, ballot: Ballot, upTo: Slot, nowMs: number): void {
    const { ballot: lastBallot, upTo: toldUpTo } = this.#lastHeartbeat
    this.#lastHeartbeat = { ballot, upTo }
    this.#decideAccepted(ballot, upTo)
    this.noteDecided(from, ballot === lastBallot ? Math.min(upTo, toldUpTo) : upTo, nowMs)
  }

  /** Some node, leader or not, knows that slots up to `upTo` are decided. */
  noteDecided(from: NodeId, upTo: Slot, nowMs: number): void {
    this.#missing.onTold(from, upTo, nowMs)
  }

  onCatchUp(from: NodeId, m: CatchUp): void {
    const toSlot = Math.min(m.toSlot, this.#decidedUpTo, m.fromSlot + CATCH_UP_SLOTS - 1)
    const firstRecent = this.#recent.first ?? this.#decidedUpTo + 1
    if (m.fromSlot <= toSlot && m.fromSlot < firstRecent && m.fromSlot > this.compactedUpTo) {
      return this.#out.serveFromLog({ to: from, fromSlot: m.fromSlot, toSlot })
    }
    const isThere = m.fromSlot >= firstRecent
    let entries = isThere ? this.#recent.between(m.fromSlot, toSlot) : []
    for (let pages = 1, hasMore = true; hasMore; pages++) {
      const page = firstPage(entries, this.#options.pageBytesMax)
      entries = entries.slice(page.length)
      hasMore = entries.length > 0 && pages < CATCH_UP_PAGES
      this.#out.send(from, {
        kind: 'catchUpReply',
        entries: page,
        decidedUpTo: this.#decidedUpTo,
        compactedUpTo: isThere ? 0 : this.compactedUpTo,
        hasMore,
      })
    }
  }

  onCatchUpReply(from: NodeId, m: CatchUpReply, nowMs: number): void {
    const before = this.#decidedUpTo
    for (const entry of m.entries) {
      if (entry.slot <= this.#decidedUpTo) continue
      if (entry.slot !== this.#decidedUpTo + 1) break
      this.#out.persist({ kind: 'learned', entry })
      this.decide(entry)
    }
    if (m.compactedUpTo > this.#decidedUpTo) this.#out.wantCheckpoint({ from, minSlot: m.compactedUpTo })
    this.#missing.onReply(from, m, this.#decidedUpTo > before, nowMs)
  }

  tick(nowMs: number): void {
    this.#missing.tick(nowMs)
  }

  #decideAccepted(ballot: Ballot, upTo: Slot): void {
    while (this.#decidedUpTo < upTo) {
      const vote = this.#acceptor.acceptedAt(this.#decidedUpTo + 1)
      if (vote?.ballot !== ballot) return
      this.decide(vote)
    }
  }

  #noteMembership({ slot, value }: LogEntry): void {
    const before = this.#memberships.current
    const isChanged = value.kind === 'membership' && this.#memberships.onDecided(slot, value)
    this.#memberships.forget(slot)
    if (isChanged || this.#memberships.current !== before) this.#onMembershipChanged()
  }
}
