import { assert } from './assert.js'
import type { Accept, Prepare } from './messages.js'
import type { CoreOptions } from './options.js'
import type { Outbox } from './outbox.js'
import type { Ballot, LogEntry, NodeId, RecoveredState, Slot } from './types.js'
import { firstPage, sameValue, sizeOf } from './value.js'

/** How far above the decided slots an acceptor votes, in windows: a node further behind must catch up before it can help. */
const ACCEPT_WINDOWS = 64

/**
 * The protocol's memory ("Paxos Made Moderately Complex", section 2.1). Its answers leave only once what they say is durable.
 * Invariants A1-A3 of the paper: `promised` only rises, it votes only in a ballot that is at least `promised`, and never forgets a
 * vote for a slot that is not decided.
 */
export class Acceptor {
  readonly #self: NodeId
  readonly #out: Outbox
  readonly #options: CoreOptions
  #promised: Ballot
  /** The latest vote for each open slot; decided slots are the log's. */
  readonly #accepted = new Map<Slot, LogEntry>()
  /** The same in ascending order, once somebody has asked; undefined when it has changed since. */
  #ascending: readonly LogEntry[] | undefined
  /** Of what stands in #accepted. */
  #openBytes = 0
  #decidedUpTo: Slot
  /** More is decided than this node has room for until it is applied: it votes for nothing new, as if what it is asked were lost. */
  isFull = false
  /**
   * It votes in no slot below this one, and in none at all while this is 0: who begins anew, with an empty directory, must not vote
   * where an earlier life of it may have. See Memberships.votesFrom.
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

  /** About how large the votes for open slots are together. */
  get openBytes(): number {
    return this.#openBytes
  }

  /** No ballot below this one is helped any more. */
  get promised(): Ballot {
    return this.#promised
  }

  acceptedAt(slot: Slot): LogEntry | undefined {
    return this.#accepted.get(slot)
  }

  /** The votes for open slots, ascending: the same array until one of them changes. */
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
    // A leader bounds what it proposes itself.
    if (from !== this.#self && !this.#hasRoom(m.slot, sizeOf(m.value), previous)) return
    assert(previous === undefined || previous.ballot <= m.ballot, 'accepted ballots never go back')
    assert(
      previous === undefined || previous.ballot < m.ballot || sameValue(previous.value, m.value),
      'a ballot proposes one value for a slot',
    )
    this.#promise(m.ballot)
    // A slot known to be decided needs no vote on record: whoever asks is told the decision. The vote itself still counts.
    if (m.slot > this.#decidedUpTo && previous?.ballot !== m.ballot) {
      const entry: LogEntry = { slot: m.slot, ballot: m.ballot, value: m.value }
      this.#openBytes += sizeOf(entry.value) - (previous === undefined ? 0 : sizeOf(previous.value))
      this.#accepted.set(m.slot, entry)
      this.#ascending = undefined
      this.#out.persist({ kind: 'accepted', entry })
    }
    this.#out.sendOnceDurable(from, { kind: 'accepted', ballot: m.ballot, slot: m.slot })
  }

  /** The replica knows every slot up to here to be decided. */
  onDecided(upTo: Slot): void {
    assert(upTo === this.#decidedUpTo + 1, 'slots are decided one after the other')
    this.#decidedUpTo = upTo
    this.#forget(upTo)
  }

  /** A peer's checkpoint says what every slot up to here has come to. */
  onInstalled(upTo: Slot): void {
    assert(upTo > this.#decidedUpTo, 'a checkpoint is installed to get ahead')
    this.#decidedUpTo = upTo
    for (const slot of this.#accepted.keys()) if (slot <= upTo) this.#forget(slot)
  }

  /** Of the next slot there is always room, or a node that is ahead of it could wait for ever; and a decided one costs nothing. */
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
