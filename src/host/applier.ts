import { crc32 } from 'node:zlib'
import type { SessionOutcome, Sessions } from '../machine/sessions.js'
import type { Moment, StateEntry, StateMachine } from '../machine/state-machine.js'
import { assert } from '../paxos/assert.js'
import { Memberships } from '../paxos/memberships.js'
import type { Genesis, LogEntry, MembershipRecord, Slot } from '../paxos/types.js'
import { sizeOf } from '../paxos/value.js'
import type { CheckpointInfo } from '../storage/storage.js'
import { decodeEnvelope } from '../wire/envelope.js'

/** What waits to be applied is about this much, and what came with the message that went past it. */
const QUEUED_BYTES_MAX = 32 << 20

/** Told of every command that is applied; whoever waits for it is among the listener's own. */
export interface AppliedListener {
  onOpened(nonce: string, clientId: number, slot: Slot): void
  onOutcome(command: { readonly clientId: number; readonly requestNumber: number }, outcome: SessionOutcome): void
}

/** Told of each slot when all its commands have been carried out, with the digest of the state then. */
export type OnApplied = (entry: LogEntry, stateDigest: number) => void

/** Told of each checkpoint boundary, with the digest of the state there: the same on every node, at the same slots. */
export type OnBoundary = (slot: Slot, stateDigest: number) => void

/**
 * How far checkpoints are apart: at the slot in which, since the last boundary, so many slots, commands or bytes have been applied there is the
 * next. The same on every member, as they compare their states there.
 */
export interface CheckpointOptions {
  /** At least 1. */
  readonly slotsMax: number
  /** At least 1. */
  readonly commandsMax: number
  /** About so many bytes of values; absent: however many. */
  readonly bytesMax?: number
}

const DEFAULT_CHECKPOINT_OPTIONS: CheckpointOptions = Object.freeze({
  slotsMax: 4_096,
  commandsMax: 65_536,
  bytesMax: 16 << 20,
})

export interface ApplierSettings {
  /** Restored from the checkpoint, or from nothing. */
  readonly sessions: Sessions
  readonly checkpoint: CheckpointInfo
  /** Known if there is a checkpoint. */
  readonly genesis: Genesis | undefined
  readonly listener: AppliedListener
  readonly checkpoints?: CheckpointOptions | undefined
  readonly onApplied?: OnApplied | undefined
  readonly onBoundary?: OnBoundary | undefined
}

/**
 * Carries decided slots out on the state machine, in order (the applying half of the paper's replica). Log time never goes back, even
 * where a value of an older leader was proposed again after one of a newer.
 */
export class Applier {
  readonly #sessions: Sessions
  readonly #listener: AppliedListener
  readonly #checkpoints: CheckpointOptions
  readonly #onApplied: OnApplied | undefined
  readonly #onBoundary: OnBoundary | undefined
  #appliedUpTo: Slot = 0
  #timeMs = 0
  #stateDigest = 0
  #isFresh = true
  /** Of the slots above appliedUpTo; undefined before the cluster is formed. */
  #memberships: Memberships | undefined
  /** Since the last boundary. */
  #boundarySlots = 0
  #boundaryCommands = 0
  #boundaryBytes = 0
  #boundaryCount = 0
  /** Decided, not applied yet. */
  #queue: LogEntry[] = []
  #queuedBytes = 0
  #isSuspended = false

  constructor(settings: ApplierSettings) {
    this.#sessions = settings.sessions
    this.#listener = settings.listener
    this.#checkpoints = settings.checkpoints ?? DEFAULT_CHECKPOINT_OPTIONS
    this.#onApplied = settings.onApplied
    this.#onBoundary = settings.onBoundary
    if (settings.genesis !== undefined && settings.checkpoint.appliedUpTo > 0) this.reset(settings.checkpoint, settings.genesis)
  }

  /** Nothing has been applied, not even the initial commands. */
  get isFresh(): boolean {
    return this.#isFresh
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
    return this.#boundaryCount
  }

  /** Those that govern the slots above appliedUpTo, as they are known there; none before the cluster is formed. */
  get memberships(): readonly MembershipRecord[] {
    return this.#memberships?.toRecords() ?? []
  }

  /** Whether run() has something to do. */
  get hasQueued(): boolean {
    return this.#queue.length > 0 && !this.#isSuspended
  }

  /** More is decided than can be held until it is applied. */
  get isFull(): boolean {
    return this.#queuedBytes > QUEUED_BYTES_MAX
  }

  /** The cluster's initial state: slot 0, before anything else. */
  applyInitial(machine: StateMachine, genesis: Genesis): void {
    this.#isFresh = false
    this.#memberships = Memberships.ofGenesis(genesis)
    this.#sessions.begin(genesis.quotaBytes)
    for (const command of genesis.initialCommands) this.#digest(0, machine.apply(command, { slot: 0, timeMs: 0 }))
  }

  /** Nothing is applied from now on, until reset(): the state is being replaced. What is decided meanwhile waits. */
  suspend(): void {
    this.#isSuspended = true
  }

  /** The state has been restored from this checkpoint, whatever it was: what waits goes on after it. */
  reset(checkpoint: CheckpointInfo, genesis: Genesis): void {
    this.#isSuspended = false
    this.#isFresh = false
    this.#appliedUpTo = checkpoint.appliedUpTo
    this.#timeMs = checkpoint.timeMs
    this.#stateDigest = checkpoint.stateDigest
    this.#memberships = new Memberships(checkpoint.memberships, genesis.windowSlots)
    this.#boundarySlots = checkpoint.boundarySlots
    this.#boundaryCommands = checkpoint.boundaryCommands
    this.#boundaryBytes = checkpoint.boundaryBytes
    this.#queue = this.#queue.filter((entry) => entry.slot > checkpoint.appliedUpTo)
    this.#queuedBytes = this.#queue.reduce((bytes, entry) => bytes + sizeOf(entry.value), 0)
  }

  enqueue(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      this.#queue.push(entry)
      this.#queuedBytes += sizeOf(entry.value)
    }
  }

  /** Applies what is queued, at least one slot, until `isTimeUp`. */
  run(isTimeUp: () => boolean): void {
    if (this.#isSuspended) return
    let done = 0
    while (done < this.#queue.length) {
      const entry = this.#queue[done++] as LogEntry
      this.#queuedBytes -= sizeOf(entry.value)
      this.#apply(entry)
      if (isTimeUp()) break
    }
    this.#queue = done === this.#queue.length ? [] : this.#queue.slice(done)
  }

  /** The state as it is now, as far as it changed since the last time: to be walked later, see StateMachine.changes. */
  checkpoint(): { info: CheckpointInfo; changes: Iterable<StateEntry> } {
    const info: CheckpointInfo = {
      appliedUpTo: this.#appliedUpTo,
      timeMs: this.#timeMs,
      stateDigest: this.#stateDigest,
      memberships: this.memberships,
      boundarySlots: this.#boundarySlots,
      boundaryCommands: this.#boundaryCommands,
      boundaryBytes: this.#boundaryBytes,
    }
    return { info, changes: this.#sessions.changes() }
  }

  /** The last checkpoint() is durable. */
  onCheckpointed(): void {
    this.#sessions.onCheckpointed()
  }

  #apply(entry: LogEntry): void {
    const { slot, value } = entry
    assert(slot === this.#appliedUpTo + 1, 'slots are applied in order, without a gap')
    if (value.kind === 'batch') {
      this.#timeMs = Math.max(this.#timeMs, value.timeMs)
      const at: Moment = { slot, timeMs: this.#timeMs }
      this.#boundaryCommands += value.commands.length
      for (const command of value.commands) this.#applyCommand(command, at)
    } else if (value.kind === 'membership') {
      this.#memberships?.onDecided(slot, value)
    }
    this.#appliedUpTo = slot
    this.#memberships?.forget(slot)
    this.#boundarySlots++
    this.#boundaryBytes += sizeOf(value)
    this.#onApplied?.(entry, this.#stateDigest)
    const { slotsMax, commandsMax, bytesMax = Number.POSITIVE_INFINITY } = this.#checkpoints
    if (this.#boundarySlots >= slotsMax || this.#boundaryCommands >= commandsMax || this.#boundaryBytes >= bytesMax) {
      this.#passBoundary()
    }
  }

  #passBoundary(): void {
    this.#boundarySlots = 0
    this.#boundaryCommands = 0
    this.#boundaryBytes = 0
    this.#boundaryCount++
    this.#onBoundary?.(this.#appliedUpTo, this.#stateDigest)
  }

  #applyCommand(bytes: Uint8Array, at: Moment): void {
    const envelope = decodeEnvelope(bytes)
    if (envelope === undefined) return
    if (envelope.kind === 'open') {
      this.#listener.onOpened(envelope.nonce, this.#sessions.openSession(at), at.slot)
      return
    }
    const outcome = this.#sessions.apply(envelope.command, at)
    if (outcome.kind === 'result') this.#digest(outcome.slot, outcome.result)
    this.#listener.onOutcome(envelope.command, outcome)
  }

  #digest(slot: Slot, result: Uint8Array): void {
    this.#stateDigest = crc32(result, (this.#stateDigest ^ slot) >>> 0)
  }
}
