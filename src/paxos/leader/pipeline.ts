import type { Acceptor } from '../acceptor.js'
import type { CoreOptions } from '../core-options.js'
import type { LogClock } from '../log-clock.js'
import type { MembershipChanges } from '../membership-changes.js'
import type { Memberships } from '../memberships.js'
import type { Accepted, Promised } from '../messages.js'
import type { Replica } from '../replica.js'
import type { Scout } from '../scout.js'
import { NOOP, type NodeId, type Slot, type Value } from '../types.js'
import type { Commanders } from './commanders.js'

interface Settings {
  /** The scout with the promises of a majority, in the leader's ballot. */
  readonly scout: Scout
  readonly memberships: Memberships
  readonly acceptor: Acceptor
  readonly replica: Replica
  readonly clock: LogClock
  readonly changes: MembershipChanges
  readonly options: CoreOptions
  readonly commanders: Commanders
}

/**
 * Assigns values to slots, within the window: first the open slots that the scout has found, then a no-op of the ballot's own, then new
 * values ("Paxos Made Moderately Complex", sections 2.2 and 4.4).
 */
export class Pipeline {
  readonly #scout: Scout
  readonly #memberships: Memberships
  readonly #acceptor: Acceptor
  readonly #replica: Replica
  readonly #clock: LogClock
  readonly #changes: MembershipChanges
  readonly #options: CoreOptions
  readonly #commanders: Commanders
  #nextSlot: Slot
  /** The first slot of this ballot's own, above all open slots; 0 before it is proposed. */
  #firstOwn: Slot = 0
  /** The time to ask again for promises that are missing for later slots. */
  #promiseRetryMs = 0

  constructor(settings: Settings) {
    this.#scout = settings.scout
    this.#memberships = settings.memberships
    this.#acceptor = settings.acceptor
    this.#replica = settings.replica
    this.#clock = settings.clock
    this.#changes = settings.changes
    this.#options = settings.options
    this.#commanders = settings.commanders
    this.#nextSlot = settings.replica.decidedUpTo + 1
  }

  get nextSlot(): Slot {
    return this.#nextSlot
  }

  get inFlightCount(): number {
    return this.#commanders.count
  }

  /** True when a new value may be proposed now: open slots come first. */
  mayProposeOwn(): boolean {
    return this.#firstOwn !== 0 && this.#nextSlot > this.#scout.lastOpen && this.#mayPropose()
  }

  /**
   * True when every value that can have been acknowledged before this leader is decided here: its first own slot is decided, and no
   * open slot can be unknown to it.
   */
  isCaughtUp(): boolean {
    const { decidedUpTo } = this.#replica
    if (this.#firstOwn === 0 || decidedUpTo < Math.max(this.#firstOwn, this.#scout.lastOpen)) return false
    return this.#scout.coversFrom(this.#nextSlot)
  }

  /** Proposes in the next slot; only when `mayProposeOwn`. */
  propose(value: Value, nowMs: number): void {
    const slot = this.#nextSlot
    if (value.kind === 'batch') this.#clock.onSeen(value.timeMs)
    if (value.kind === 'membership') this.#changes.onProposed(slot, value.change)
    this.#scout.forget(slot)
    this.#nextSlot++
    this.#commanders.start(slot, value, nowMs)
  }

  /** Proposes open slots as far as the window and the promises allow; the rest follows when slots are decided or promises come. */
  proposeOpen(nowMs: number): void {
    while (this.#nextSlot <= this.#scout.lastOpen && this.#mayPropose()) {
      this.propose(this.#scout.highestAt(this.#nextSlot)?.value ?? NOOP, nowMs)
    }
    if (this.#firstOwn === 0 && this.#nextSlot > this.#scout.lastOpen && this.#mayPropose()) {
      this.#firstOwn = this.#nextSlot
      this.propose(NOOP, nowMs)
    }
    if (!this.#scout.coversFrom(this.#nextSlot) && nowMs >= this.#promiseRetryMs) {
      this.#promiseRetryMs = nowMs + this.#options.retryDelayMs
      this.#scout.ask()
    }
  }

  /** Fills the slots before a decided change comes into force with no-ops, so that it does not wait for commands. */
  fillUpToChange(nowMs: number): void {
    const { fromSlot } = this.#memberships.latest
    while (this.#nextSlot < fromSlot && this.mayProposeOwn()) this.propose(NOOP, nowMs)
  }

  /** Takes a promise after the majority's: it may be needed for slots that another membership governs. */
  onPromise(from: NodeId, m: Promised, nowMs: number): void {
    if (!this.#scout.onPromise(from, m)) return
    this.#replica.noteDecided(from, m.decidedUpTo, nowMs)
    this.proposeOpen(nowMs)
  }

  onAccepted(from: NodeId, m: Accepted): void {
    this.#commanders.onAccepted(from, m)
  }

  /** The replica has learned slots from a peer: proposals continue above them. */
  onLearned(): void {
    this.#commanders.onLearned()
    this.#nextSlot = Math.max(this.#nextSlot, this.#replica.decidedUpTo + 1)
  }

  /** The voters may have changed: their promises are requested at once. */
  onMembershipChanged(): void {
    this.#promiseRetryMs = 0
  }

  tick(nowMs: number): void {
    this.#commanders.tick(nowMs)
    this.proposeOpen(nowMs)
  }

  /** True when the window is open, and a majority of the next slot's voters has promised and reported its votes there. */
  #mayPropose(): boolean {
    const { count, bytes } = this.#commanders
    if (this.#acceptor.isFull || (count > 0 && bytes >= this.#options.windowBytesMax)) return false
    if (this.#nextSlot > this.#replica.decidedUpTo + this.#memberships.windowSlots) return false
    return this.#scout.covers(this.#memberships.at(this.#nextSlot), this.#nextSlot)
  }
}
