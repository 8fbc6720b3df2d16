import type { Observer } from '../../observer/observer.js'
import { assert } from '../../paxos/assert.js'
import { Memberships } from '../../paxos/memberships.js'
import type { BatchValue, Genesis, LogEntry, MembershipRecord, Slot } from '../../paxos/types.js'
import { CommitFeed } from '../../replication/commit-feed.js'
import type { Sessions } from '../../replication/sessions.js'
import type { Moment, StateEntry, StateMachine } from '../../replication/state-machine.js'
import type { CheckpointInfo } from '../../storage/storage.js'
import { checkLevel } from '../halt-error.js'
import type { AppliedListener, OnBoundary } from './applied-listener.js'
import { applyFailure } from './apply-failure.js'
import { Boundaries, type CheckpointOptions } from './boundaries.js'
import { DecidedQueue } from './decided-queue.js'
import { digestOf, OpenSlot } from './open-slot.js'

/** Skipped slots that are remembered, the last ones. */
const SKIPPED_SLOTS_MAX = 1_024

export interface ApplierSettings {
  /** Restored from the checkpoint, or from nothing. */
  readonly sessions: Sessions
  readonly checkpoint: CheckpointInfo
  /** Known if there is a checkpoint. */
  readonly genesis: Genesis | undefined
  readonly listener: AppliedListener
  /** Gets the events of each slot. */
  readonly feed?: CommitFeed | undefined
  readonly checkpoints?: CheckpointOptions | undefined
  readonly onBoundary?: OnBoundary | undefined
  readonly observer?: Observer | undefined
}

/**
 * Carries decided slots out on the state machine, in order (the applying half of the paper's replica). Log time never goes back, even
 * where a value of an older leader was proposed again after one of a newer.
 */
export class Applier {
  readonly #s: ApplierSettings
  readonly #feed: CommitFeed
  readonly #boundaries: Boundaries
  readonly #queue = new DecidedQueue()
  #appliedUpTo: Slot = 0
  #timeMs = 0
  #stateDigest = 0
  /** The last ones, ascending. */
  #skippedSlots: readonly Slot[] = []
  /** The memberships of the slots above appliedUpTo; undefined before the cluster is formed. */
  #memberships: Memberships | undefined
  #isSuspended = false
  /** The first slot of the queue, when time was up in the middle of it. */
  #open: OpenSlot | undefined

  constructor(settings: ApplierSettings) {
    this.#s = settings
    this.#feed = settings.feed ?? new CommitFeed()
    this.#boundaries = new Boundaries(settings.sessions, settings.checkpoints)
    if (settings.genesis !== undefined && settings.checkpoint.appliedUpTo > 0) this.reset(settings.checkpoint, settings.genesis)
  }

  /** Nothing has been applied, not even the initial commands. */
  get isFresh(): boolean {
    return this.#memberships === undefined
  }

  get appliedUpTo(): Slot {
    return this.#appliedUpTo
  }

  /** Log time after appliedUpTo, in ms since 1970. */
  get timeMs(): number {
    return this.#timeMs
  }

  get stateDigest(): number {
    return this.#stateDigest
  }

  /** Checkpoint boundaries that were passed in this process. */
  get boundaryCount(): number {
    return this.#boundaries.passedCount
  }

  /** Those that govern the slots above appliedUpTo, as they are known there; none before the cluster is formed. */
  get memberships(): readonly MembershipRecord[] {
    return this.#memberships?.toRecords() ?? []
  }

  /** True when run() has something to do. */
  get hasQueued(): boolean {
    return this.#queue.length > 0 && !this.#isSuspended
  }

  /** Slots that are decided and not applied yet. */
  get queuedCount(): number {
    return this.#queue.length
  }

  /** True when a slot is half applied: the state must be neither saved nor read. */
  get isMidSlot(): boolean {
    return this.#open !== undefined
  }

  /** True when the state is that of appliedUpTo: not half applied, nor being replaced. */
  get isReadable(): boolean {
    return this.#open === undefined && !this.#isSuspended
  }

  get isSuspended(): boolean {
    return this.#isSuspended
  }

  /** Those that an operator had skipped, up to appliedUpTo: the last 1,024, ascending. */
  get skippedSlots(): readonly Slot[] {
    return this.#skippedSlots
  }

  /** The log time of the machine's next deadline; undefined when there is none, or while slots are queued. */
  get nextDeadlineMs(): number | undefined {
    return this.#queue.length > 0 || this.#isSuspended ? undefined : this.#s.sessions.nextDeadlineMs
  }

  /** True when so much has been written since the last durable checkpoint that memory may run out before the next one: nothing is applied until then. */
  get isFarAhead(): boolean {
    return this.#boundaries.isFarAhead
  }

  /** More is decided than can be held until it is applied. */
  get isFull(): boolean {
    return this.#queue.isFull
  }

  /** The cluster's initial state: slot 0, before anything else. @throws ApplyFailedError, UnsupportedLevelError */
  applyInitial(machine: StateMachine, genesis: Genesis): void {
    const { sessions } = this.#s
    checkLevel(genesis, sessions.knownLevels)
    this.#memberships = Memberships.ofGenesis(genesis)
    sessions.begin(genesis)
    const at: Moment = { slot: 0, timeMs: 0, level: genesis.level }
    for (const [i, command] of genesis.initialCommands.entries()) {
      try {
        this.#stateDigest = digestOf(this.#stateDigest, 0, machine.apply(command, at))
      } catch (cause) {
        throw applyFailure({ slot: 0, commandIndex: i, commands: genesis.initialCommands }, cause)
      }
    }
    this.#feed.onRestored(this.#s.sessions.events, 0, 0)
  }

  /** Applies nothing from now on, until reset(): the state is being replaced. Decided slots wait meanwhile. */
  suspend(): void {
    this.#isSuspended = true
  }

  /** Takes the position of a checkpoint from which the state was restored. Queued slots above it go on. */
  reset(checkpoint: CheckpointInfo, genesis: Genesis): void {
    this.#isSuspended = false
    this.#open = undefined
    this.#skippedSlots = checkpoint.skippedSlots
    this.#appliedUpTo = checkpoint.appliedUpTo
    this.#timeMs = checkpoint.timeMs
    this.#stateDigest = checkpoint.stateDigest
    this.#memberships = new Memberships(checkpoint.memberships, genesis.windowSlots)
    this.#boundaries.reset(checkpoint)
    this.#queue.dropUpTo(checkpoint.appliedUpTo)
    this.#feed.onRestored(this.#s.sessions.events, this.#appliedUpTo, this.#timeMs)
  }

  enqueue(entries: readonly LogEntry[]): void {
    this.#queue.push(entries)
  }

  /**
   * Applies what is queued, at least a step of it, until `isTimeUp`: perhaps in the middle of a slot. Its outcomes are told at its end. A
   * slot that was begun in an earlier run is the last one of this: reads come only between slots, and many long ones may follow each other.
   * @throws ApplyFailedError, UnsupportedLevelError, or StorageError when what the machine wanted to read cannot be read: the state is of no use then
   */
  run(isTimeUp: () => boolean): void {
    if (this.#isSuspended) return
    const isLast = this.isMidSlot
    this.#queue.drain((entry) => {
      if (!this.#apply(entry, isTimeUp)) return 'unfinished'
      return isLast || isTimeUp() ? 'last' : 'more'
    })
  }

  /** The state as it is now, as far as it changed since the last time: to be walked later, see StateMachine.changes. */
  checkpoint(): { info: CheckpointInfo; changes: Iterable<StateEntry> } {
    assert(this.#open === undefined, 'a checkpoint is taken between two slots')
    this.#boundaries.onTaken()
    const info: CheckpointInfo = {
      appliedUpTo: this.#appliedUpTo,
      timeMs: this.#timeMs,
      stateDigest: this.#stateDigest,
      memberships: this.memberships,
      ...this.#boundaries.info,
      skippedSlots: this.#skippedSlots,
      ...this.#s.sessions.raised,
    }
    return { info, changes: this.#s.sessions.changes() }
  }

  /** The last checkpoint() is durable. */
  onCheckpointed(): void {
    this.#boundaries.onSaved()
    this.#s.sessions.onCheckpointed()
  }

  /** False when time was up before the end of the slot. */
  #apply(entry: LogEntry, isTimeUp: () => boolean): boolean {
    const { slot, value } = entry
    assert(slot === this.#appliedUpTo + 1, 'slots are applied in order, without a gap')
    if (value.kind === 'batch') {
      if (this.#open === undefined) {
        this.#open = this.#begin(slot, value)
        if (value.commands.length > 0 && isTimeUp()) return false
      }
      if (!this.#open.carryOut(isTimeUp)) return false
    } else if (value.kind === 'membership') this.#memberships?.onDecided(slot, value)
    const open = this.#open
    this.#open = undefined
    this.#appliedUpTo = slot
    if (open !== undefined) this.#stateDigest = open.stateDigest
    this.#memberships?.forget(slot)
    const isBoundary = this.#boundaries.onApplied(value)
    this.#feed.onSlotApplied(this.#s.sessions.events, slot, this.#timeMs)
    open?.tell()
    if (this.#s.observer !== undefined) this.#report(this.#s.observer, entry)
    if (isBoundary) this.#s.onBoundary?.(slot, this.#stateDigest)
    return true
  }

  #report(observer: Observer, entry: LogEntry): void {
    observer.count('slotsApplied', 1)
    if (entry.value.kind === 'batch') observer.count('commandsApplied', entry.value.commands.length)
    observer.event('slotApplied', { entry, stateDigest: this.#stateDigest })
  }

  #begin(slot: Slot, value: BatchValue): OpenSlot {
    this.#timeMs = Math.max(this.#timeMs, value.timeMs)
    const { sessions, listener } = this.#s
    const at: Moment = { slot, timeMs: this.#timeMs, level: sessions.raised.level }
    if (value.skipped === true) this.#skippedSlots = [...this.#skippedSlots, slot].slice(-SKIPPED_SLOTS_MAX)
    this.#feed.onSlotBegun(sessions.events)
    return new OpenSlot({ at, value, sessions, listener, stateDigest: this.#stateDigest })
  }
}
