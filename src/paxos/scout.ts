import { assert } from './assert.js'
import type { Membership } from './membership.js'
import type { Memberships } from './memberships.js'
import type { Promised } from './messages.js'
import type { Outbox } from './outbox.js'
import type { Ballot, LogEntry, NodeId, Slot } from './types.js'

/**
 * Runs phase 1 for one ballot ("Paxos Made Moderately Complex", section 2.2): collects promises and, for each open slot, the value
 * accepted in the highest ballot (the paper's pmax). It continues while its node leads: before the leader proposes in slots of another
 * membership, a majority of that membership must have promised, too (docs/protocol.md, rule 2).
 */
export class Scout {
  readonly ballot: Ballot
  /** The first slot that was open when the scout started. */
  readonly fromSlot: Slot
  /**
   * The members whose last page has come. `votesFrom` tells the life of the member: a promise of an earlier life is not binding any more.
   * Slots up to `decidedUpTo` were decided there: the promise does not contain votes for them.
   */
  readonly #promised = new Map<NodeId, { readonly votesFrom: Slot; readonly decidedUpTo: Slot }>()
  /** The first slot of each member's next page, and the life of the member that the pages are from; absent before the first page. */
  readonly #nextPageOf = new Map<NodeId, { readonly slot: Slot; readonly votesFrom: Slot }>()
  readonly #highest = new Map<Slot, LogEntry>()
  readonly #memberships: Memberships
  readonly #out: Outbox
  readonly #self: NodeId
  #lastOpen: Slot = 0
  #decidedUpTo: Slot = 0
  #decidedSource: NodeId = 0

  constructor(settings: { ballot: Ballot; fromSlot: Slot; self: NodeId; memberships: Memberships; out: Outbox }) {
    this.ballot = settings.ballot
    this.fromSlot = settings.fromSlot
    this.#self = settings.self
    this.#memberships = settings.memberships
    this.#out = settings.out
  }

  /** True when a majority of every governing membership has promised. */
  get hasQuorum(): boolean {
    return this.coversFrom(Number.POSITIVE_INFINITY)
  }

  /** True when a majority of each governing membership has reported all its votes in slots from this one on. */
  coversFrom(slot: Slot): boolean {
    return this.#memberships.governing.every((membership) => this.covers(membership, Math.max(slot, membership.fromSlot)))
  }

  /** True when a majority of the membership has promised, and reported its votes in the slot. */
  covers(membership: Membership, slot: Slot): boolean {
    let count = 0
    for (const nodeId of membership.voterIds) {
      if (this.#hasPromised(membership, nodeId) && (this.#promised.get(nodeId)?.decidedUpTo ?? 0) < slot) count++
    }
    return count >= membership.quorum
  }

  /** The highest watermark in a promise. The scout is not done before its node has learned the slots up to there. */
  get decidedUpTo(): Slot {
    return this.#decidedUpTo
  }

  /** The member that reported `decidedUpTo`. */
  get decidedSource(): NodeId {
    return this.#decidedSource
  }

  /** The highest slot in which a member that promised has accepted a value; 0 for none. */
  get lastOpen(): Slot {
    return this.#lastOpen
  }

  /** The value accepted in the slot in the highest ballot: no other may be proposed there. */
  highestAt(slot: Slot): LogEntry | undefined {
    return this.#highest.get(slot)
  }

  /** Drops the value of a slot in which the leader has proposed. */
  forget(slot: Slot): void {
    this.#highest.delete(slot)
  }

  /** Asks the other voters whose promise is missing. The ballot must be durable first, or a restart could use it twice. */
  ask(): void {
    const asked = new Set<NodeId>()
    for (const membership of this.#memberships.governing) {
      for (const to of membership.voterIds) {
        if (to === this.#self || asked.has(to) || this.#hasPromised(membership, to)) continue
        asked.add(to)
        this.#out.sendOnceDurable(to, {
          kind: 'prepare',
          ballot: this.ballot,
          fromSlot: this.#nextPageOf.get(to)?.slot ?? this.fromSlot,
        })
      }
    }
  }

  /** Takes a page of a promise; false when it is not the page that is expected next. */
  onPromise(from: NodeId, m: Promised): boolean {
    assert(m.ballot === this.ballot, 'a scout merges only promises of its ballot')
    if (this.#promised.get(from)?.votesFrom === m.votesFrom) return false
    // Pages from two lives of a member are not one promise.
    if (this.#nextPageOf.get(from)?.votesFrom !== m.votesFrom) this.#nextPageOf.delete(from)
    if (m.fromSlot !== (this.#nextPageOf.get(from)?.slot ?? this.fromSlot)) return false
    if (m.decidedUpTo > this.#decidedUpTo) {
      this.#decidedUpTo = m.decidedUpTo
      this.#decidedSource = from
    }
    for (const entry of m.accepted) {
      assert(entry.ballot <= this.ballot, 'no member that promised has accepted in a higher ballot')
      const highest = this.#highest.get(entry.slot)
      if (highest === undefined || entry.ballot > highest.ballot) this.#highest.set(entry.slot, entry)
      this.#lastOpen = Math.max(this.#lastOpen, entry.slot)
    }
    if (m.nextSlot === 0) {
      this.#promised.set(from, { votesFrom: m.votesFrom, decidedUpTo: m.decidedUpTo })
      this.#nextPageOf.delete(from)
      return true
    }
    assert(m.nextSlot > m.fromSlot, 'pages go forward')
    this.#nextPageOf.set(from, { slot: m.nextSlot, votesFrom: m.votesFrom })
    this.#out.sendOnceDurable(from, { kind: 'prepare', ballot: this.ballot, fromSlot: m.nextSlot })
    return true
  }

  #hasPromised(membership: Membership, nodeId: NodeId): boolean {
    return this.#promised.get(nodeId)?.votesFrom === membership.member(nodeId)?.votesFrom
  }
}
