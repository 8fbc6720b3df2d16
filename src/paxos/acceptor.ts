import { assert } from './assert.js'
import type { CoreOptions } from './core-options.js'
import type { Accept, Prepare } from './messages.js'
import type { Outbox } from './outbox.js'
import type { Ballot, LogEntry, NodeId, RecoveredState, Slot } from './types.js'
import { firstPage, sameValue, sizeOf } from './value.js'

/** The range above the decided slots in which an acceptor votes, in windows: a node further behind must catch up first. */
const ACCEPT_WINDOWS = 64

/**
 * The protocol's memory ("Paxos Made Moderately Complex", section 2.1). An answer leaves only when its promise or vote is durable.
 * Invariants A1-A3 of the paper: `promised` only rises; the acceptor votes only in a ballot that is at least `promised`; it never
 * forgets a vote for a slot that is not decided.
 */
export class Acceptor {
  readonly #self: NodeId
  readonly #out: Outbox
  readonly #options: CoreOptions
  #promised: Ballot
  /** The latest vote for each open slot. Decided slots are in the log. */
  readonly #accepted = new Map<Slot, LogEntry>()
  /** A cache of #accepted in ascending order; undefined when a vote has changed since it was made. */
  #ascending: readonly LogEntry[] | undefined
  /** The size of all values in #accepted. */
  #openBytes = 0
  #decidedUpTo: Slot
  /** The host has no room for more decided slots until some are applied: new Accepts are ignored, as if the network had lost them. */
  isFull = false
  /**
   * The first slot in which this node votes; 0: it does not vote. A node that starts anew with an empty directory must not vote in slots
   * in which it may have voted before. See Memberships.votesFrom.
   */
  votesFrom: Slot = 0

  constructor(self: NodeId, out: Outbox, options: CoreOptions, recovered: RecoveredState) {
    this.#self = self
    this.#out = out
    this.#options = options
    this.#promised = recovered.promised
    this.#decidedUpTo = recovered.decidedUpTo
    for (const entry of recovered.accepted) {
      assert(entry.slot > recovered.decidedUpTo, 'recovered votes are for open slots')
      assert(entry.ballot <= recovered.promised, 'no vote was cast above the promise')
      this.#accepted.set(entry.slot, entry)
      this.#openBytes += sizeOf(entry.value)
    }
  }

  /** The highest ballot promised: requests of lower ballots are refused. */
  get promised(): Ballot {
    return this.#promised
  }

  acceptedAt(slot: Slot): LogEntry | undefined {
    return this.#accepted.get(slot)
  }

  /** The votes for open slots in ascending order. Returns the same array until a vote changes. */
  get openVotes(): readonly LogEntry[] {
    this.#ascending ??= [...this.#accepted.values()].toSorted((a, b) => a.slot - b.slot)
    return this.#ascending
  }

  onPrepare(from: NodeId, m: Prepare): void {
    if (this.votesFrom === 0) return
    if (m.ballot < this.#promised) return this.#out.send(from, { kind: 'nack', ballot: m.ballot, promised: this.#promised })
    this.#promise(m.ballot)
    const open = this.openVotes.filter((entry) => entry.slot >= m.fromSlot)
    const accepted = firstPage(open, this.#options.pageBytesMax)
    this.#out.sendOnceDurable(from, {
      kind: 'promise',
      ballot: m.ballot,
      fromSlot: m.fromSlot,
      accepted,
      decidedUpTo: this.#decidedUpTo,
      nextSlot: open[accepted.length]?.slot ?? 0,
      votesFrom: this.votesFrom,
    })
  }

  onAccept(from: NodeId, m: Accept): void {
    if (this.votesFrom === 0 || m.slot < this.votesFrom) return
    if (m.ballot < this.#promised) return this.#out.send(from, { kind: 'nack', ballot: m.ballot, promised: this.#promised })
    if (m.slot > this.#decidedUpTo + ACCEPT_WINDOWS * this.#options.windowSlots) return
    const previous = this.#accepted.get(m.slot)
    // This node's own proposals are bounded by the leader's window.
    if (from !== this.#self && !this.#hasRoom(m.slot, sizeOf(m.value), previous)) return
    assert(previous === undefined || previous.ballot <= m.ballot, 'accepted ballots never go back')
    assert(
      previous === undefined || previous.ballot < m.ballot || sameValue(previous.value, m.value),
      'a ballot proposes one value for a slot',
    )
    this.#promise(m.ballot)
    // A vote for a decided slot is not recorded: a scout that asks is told the decision. The vote itself still counts.
    if (m.slot > this.#decidedUpTo && previous?.ballot !== m.ballot) {
      const entry: LogEntry = { slot: m.slot, ballot: m.ballot, value: m.value }
      this.#openBytes += sizeOf(entry.value) - (previous === undefined ? 0 : sizeOf(previous.value))
      this.#accepted.set(m.slot, entry)
      this.#ascending = undefined
      this.#out.persist({ kind: 'accepted', entry })
    }
    this.#out.sendOnceDurable(from, { kind: 'accepted', ballot: m.ballot, slot: m.slot })
  }

  /** The replica has decided this slot, and every slot before it. */
  onDecided(upTo: Slot): void {
    assert(upTo === this.#decidedUpTo + 1, 'slots are decided one after the other')
    this.#decidedUpTo = upTo
    this.#forget(upTo)
  }

  /** A peer's checkpoint was installed: it stands for every slot up to this one. */
  onInstalled(upTo: Slot): void {
    assert(upTo > this.#decidedUpTo, 'a checkpoint is installed to get ahead')
    this.#decidedUpTo = upTo
    for (const slot of this.#accepted.keys()) if (slot <= upTo) this.#forget(slot)
  }

  /** True for a decided slot, which needs no room, and for the next slot, without which this node could never make room again. */
  #hasRoom(slot: Slot, bytes: number, previous: LogEntry | undefined): boolean {
    if (slot <= this.#decidedUpTo) return true
    if (this.isFull) return false
    const freed = previous === undefined ? 0 : sizeOf(previous.value)
    return slot === this.#decidedUpTo + 1 || this.#openBytes + bytes - freed <= this.#options.openBytesMax
  }

  #forget(slot: Slot): void {
    const entry = this.#accepted.get(slot)
    if (entry === undefined) return
    this.#accepted.delete(slot)
    this.#openBytes -= sizeOf(entry.value)
    this.#ascending = undefined
  }

  #promise(ballot: Ballot): void {
    if (ballot === this.#promised) return
    assert(ballot > this.#promised, 'a promise is never lowered')
    this.#promised = ballot
    this.#out.persist({ kind: 'promised', ballot })
  }
}
