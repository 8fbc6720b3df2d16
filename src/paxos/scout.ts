import { assert } from './assert.js'
import { type Membership, Tally } from './membership.js'
import type { Promised } from './messages.js'
import type { Outbox } from './outbox.js'
import type { Ballot, LogEntry, NodeId, Slot } from './types.js'

/**
 * Runs phase 1 for one ballot ("Paxos Made Moderately Complex", section 2.2): collects promises from a majority and, for each open
 * slot, the value accepted in the highest ballot (the paper's pmax).
 */
export class Scout {
  readonly ballot: Ballot
  /** The first slot that was open when the scout set out. */
  readonly fromSlot: Slot
  /** Members whose last page has come. */
  readonly #promised: Tally
  /** Where the next page of a member begins; absent before its first. */
  readonly #nextSlotOf = new Map<NodeId, Slot>()
  readonly #highest = new Map<Slot, LogEntry>()
  readonly #membership: Membership
  readonly #out: Outbox
  readonly #self: NodeId
  #decidedUpTo: Slot = 0
  #decidedSource: NodeId = 0

  constructor(settings: { ballot: Ballot; fromSlot: Slot; self: NodeId; membership: Membership; out: Outbox }) {
    this.ballot = settings.ballot
    this.fromSlot = settings.fromSlot
    this.#self = settings.self
    this.#membership = settings.membership
    this.#promised = new Tally(settings.membership)
    this.#out = settings.out
  }

  get hasQuorum(): boolean {
    return this.#promised.hasQuorum
  }

  /** Slots up to here are decided, says the member that knows most. The scout is not done before its node has learned them. */
  get decidedUpTo(): Slot {
    return this.#decidedUpTo
  }

  get decidedSource(): NodeId {
    return this.#decidedSource
  }

  /** The values that must be proposed again above `decidedUpTo`, by slot. */
  openEntries(decidedUpTo: Slot): Map<Slot, LogEntry> {
    return new Map([...this.#highest].filter(([slot]) => slot > decidedUpTo))
  }

  /** Asks the other members whose answer is missing; the ballot must be durable first, or a restart could use it twice. */
  ask(): void {
    for (const to of this.#membership.nodeIds) {
      if (to === this.#self || this.#promised.has(to)) continue
      this.#out.sendOnceDurable(to, { kind: 'prepare', ballot: this.ballot, fromSlot: this.#nextSlotOf.get(to) ?? this.fromSlot })
    }
  }

  /** False when the page is not the one that is missing. */
  onPromise(from: NodeId, m: Promised): boolean {
    assert(m.ballot === this.ballot, 'a promise is merged only by the scout of its ballot')
    if (this.#promised.has(from) || m.fromSlot !== (this.#nextSlotOf.get(from) ?? this.fromSlot)) return false
    if (m.decidedUpTo > this.#decidedUpTo) {
      this.#decidedUpTo = m.decidedUpTo
      this.#decidedSource = from
    }
    for (const entry of m.accepted) {
      assert(entry.ballot <= this.ballot, 'nobody that promised has accepted in a higher ballot')
      const highest = this.#highest.get(entry.slot)
      if (highest === undefined || entry.ballot > highest.ballot) this.#highest.set(entry.slot, entry)
    }
    if (m.nextSlot === 0) {
      this.#promised.add(from)
      return true
    }
    assert(m.nextSlot > m.fromSlot, 'pages go forward')
    this.#nextSlotOf.set(from, m.nextSlot)
    this.#out.sendOnceDurable(from, { kind: 'prepare', ballot: this.ballot, fromSlot: m.nextSlot })
    return true
  }
}
