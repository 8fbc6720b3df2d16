import { assert } from './assert.js'
import type { Membership } from './membership.js'
import type { Memberships } from './memberships.js'
import type { Promised } from './messages.js'
import type { Outbox } from './outbox.js'
import type { Ballot, LogEntry, NodeId, Slot } from './types.js'

/**
 * Runs phase 1 for one ballot ("Paxos Made Moderately Complex", section 2.2): collects promises and, for each open slot, the value
 * accepted in the highest ballot (the paper's pmax). Goes on while its node leads: before the leader proposes in slots that another
 * membership governs, a majority of that one must have promised, too (DESIGN.md, rule 2).
 */
export class Scout {
  readonly ballot: Ballot
  /** The first slot that was open when the scout set out. */
  readonly fromSlot: Slot
  /**
   * Whose last page has come; which life of the member it was of, as a promise of an earlier one binds nobody any more; and up to where
   * the member knew the slots to be decided: of its votes there it has said nothing.
   */
  readonly #promised = new Map<NodeId, { readonly votesFrom: Slot; readonly decidedUpTo: Slot }>()
  /** Where the next page of a member begins, and of which life of it the pages are; absent before its first. */
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

  /** Of every membership that governs an open slot, as far as this node knows the slots. */
  get hasQuorum(): boolean {
    return this.coversFrom(Number.POSITIVE_INFINITY)
  }

  /** Whether a majority of each membership that governs an open slot has told all its votes in slots from this one on. */
  coversFrom(slot: Slot): boolean {
    return this.#memberships.governing.every((membership) => this.covers(membership, Math.max(slot, membership.fromSlot)))
  }

  /** Whether a majority of the membership has promised, and told its votes in the slot. */
  covers(membership: Membership, slot: Slot): boolean {
    let count = 0
    for (const nodeId of membership.voterIds) {
      if (this.#hasPromised(membership, nodeId) && (this.#promised.get(nodeId)?.decidedUpTo ?? 0) < slot) count++
    }
    return count >= membership.quorum
  }

  /** Slots up to here are decided, says the member that knows most. The scout is not done before its node has learned them. */
  get decidedUpTo(): Slot {
    return this.#decidedUpTo
  }

  get decidedSource(): NodeId {
    return this.#decidedSource
  }

  /** The highest slot in which somebody that promised has accepted a value; 0 for none. */
  get lastOpen(): Slot {
    return this.#lastOpen
  }

  /** What was accepted in the slot in the highest ballot: that, and nothing else, may be proposed there. */
  highestAt(slot: Slot): LogEntry | undefined {
    return this.#highest.get(slot)
  }

  /** The slot was proposed in, or is decided. */
  forget(slot: Slot): void {
    this.#highest.delete(slot)
  }

  /** Asks the other voters whose answer is missing; the ballot must be durable first, or a restart could use it twice. */
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

  /** False when the page is not the one that is missing. */
  onPromise(from: NodeId, m: Promised): boolean {
    assert(m.ballot === this.ballot, 'a promise is merged only by the scout of its ballot')
    if (this.#promised.get(from)?.votesFrom === m.votesFrom) return false
    // Pages of two lives of a member do not add up to one promise.
    if (this.#nextPageOf.get(from)?.votesFrom !== m.votesFrom) this.#nextPageOf.delete(from)
    if (m.fromSlot !== (this.#nextPageOf.get(from)?.slot ?? this.fromSlot)) return false
    if (m.decidedUpTo > this.#decidedUpTo) {
      this.#decidedUpTo = m.decidedUpTo
      this.#decidedSource = from
    }
    for (const entry of m.accepted) {
      assert(entry.ballot <= this.ballot, 'nobody that promised has accepted in a higher ballot')
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
