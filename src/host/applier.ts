import { crc32 } from 'node:zlib'
import { assert } from '../paxos/assert.js'
import { Memberships } from '../paxos/memberships.js'
import type { BatchValue, Genesis, LogEntry, MembershipRecord, Slot, Value } from '../paxos/types.js'
import { sizeOf } from '../paxos/value.js'
import { decodeEnvelope, type Envelope } from '../replication/envelope.js'
import type { SessionName } from '../replication/session-table.js'
import type { SessionCommand, SessionOutcome, Sessions } from '../replication/sessions.js'
import type { Moment, StateEntry, StateMachine } from '../replication/state-machine.js'
import type { CheckpointInfo } from '../storage/storage.js'
import { StorageError } from '../storage/storage-error.js'
import { ApplyFailedError } from './halt-error.js'

/** What waits to be applied is about this much, and what came with the message that went past it. */
const QUEUED_BYTES_MAX = 32 << 20
/** Skipped slots that are remembered, the last ones. */
const SKIPPED_SLOTS_MAX = 1_024
/** What is due when a slot comes goes before its first command. */
const BEFORE_COMMANDS = -1
const WHAT_CHARACTERS_MAX = 1_000

/**
 * Told of every command that is applied, when all of its slot has been: nobody hears of a success in a slot that fails at a later command,
 * and is skipped then. Whoever waits for the command is among the listener's own.
 */
export interface AppliedListener {
  onOpened(token: Uint8Array, clientId: number, slot: Slot): void
  /** `closed`: there was such a session. */
  onClosed(session: SessionName, closed: boolean, slot: Slot): void
  onOutcome(command: SessionCommand, outcome: SessionOutcome | Answered): void
  /** Whether somebody here waits for the command. */
  isAwaited(command: SessionCommand): boolean
}

/** What became of a command that only asked something: its answer, as of the slot, or what was thrown while it was made. */
export type Answered =
  | { readonly kind: 'answer'; readonly slot: Slot; readonly result: Uint8Array }
  | { readonly kind: 'unanswered'; readonly cause: unknown }

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
  /** About so many bytes of values, or so much written in memory that it comes to the same (see writtenBytesMax); absent: however many. */
  readonly bytesMax?: number
}

/** What may lie between two boundaries in memory, where the quota allows it. */
const WRITTEN_BYTES_MIN = 1 << 20
const WRITTEN_BYTES_MAX = 64 << 20
const WRITTEN_QUOTA_SHARE = 1 / 8
/** So many times that may wait for a checkpoint before nothing more is applied. */
const UNSAVED_SPANS_MAX = 3

/** How much the machine may write between two boundaries, in bytes of memory: what is not saved yet is kept beside the state. */
function writtenBytesMax(quotaBytes: number): number {
  if (quotaBytes === 0) return WRITTEN_BYTES_MAX
  return Math.min(WRITTEN_BYTES_MAX, Math.max(WRITTEN_BYTES_MIN, Math.floor(quotaBytes * WRITTEN_QUOTA_SHARE)))
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

/** A slot whose commands are being carried out. */
interface OpenSlot {
  readonly at: Moment
  /** What is still to be done before the commands. */
  due: Generator<undefined, void> | undefined
  /** The command that is next. */
  next: number
  /** What of that is still to be done, if it has been begun. */
  steps: { readonly envelope: Envelope & { kind: 'command' }; readonly rest: Generator<undefined, SessionOutcome> } | undefined
  /** Of the commands before that: those that are envelopes, and what each came to; of an opening, the client id; of a closing, whether. */
  readonly envelopes: Envelope[]
  readonly outcomes: (SessionOutcome | Answered | number | boolean)[]
  /** Of the state now. */
  stateDigest: number
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
  /** What the machine had written (Sessions.writtenBytes) after appliedUpTo, at the last checkpoint(), and at the last that is durable. */
  #written = 0
  #writtenAtTake = 0
  #writtenSaved = 0
  /** Decided, not applied yet. */
  #queue: LogEntry[] = []
  #queuedBytes = 0
  #isSuspended = false
  /** Where the first one of the queue is, when time was up in the middle of it. */
  #open: OpenSlot | undefined
  /** The last ones, ascending. */
  #skippedSlots: readonly Slot[] = []

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

  /** Some of a slot has been carried out, and not all: no state to be kept, or to be read. */
  get isMidSlot(): boolean {
    return this.#open !== undefined
  }

  /** The state is that of appliedUpTo: not in the middle of a slot, nor being replaced. */
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

  /** From this log time on the machine has something to do by itself; undefined: for nothing, or not before what is queued is applied. */
  get dueMs(): number | undefined {
    return this.#queue.length > 0 || this.#isSuspended ? undefined : this.#sessions.dueMs
  }

  /** So much has been written since the last durable checkpoint that memory may run out before the next one is: it must come first. */
  get isFarAhead(): boolean {
    return this.#written - this.#writtenSaved > UNSAVED_SPANS_MAX * writtenBytesMax(this.#sessions.quotaBytes)
  }

  /** More is decided than can be held until it is applied. */
  get isFull(): boolean {
    return this.#queuedBytes > QUEUED_BYTES_MAX
  }

  /** The cluster's initial state: slot 0, before anything else. @throws ApplyFailedError */
  applyInitial(machine: StateMachine, genesis: Genesis): void {
    this.#isFresh = false
    this.#memberships = Memberships.ofGenesis(genesis)
    this.#sessions.begin(genesis.quotaBytes)
    for (const [i, command] of genesis.initialCommands.entries()) {
      try {
        this.#stateDigest = digestOf(this.#stateDigest, 0, machine.apply(command, { slot: 0, timeMs: 0 }))
      } catch (cause) {
        throw failed({ slot: 0, commandIndex: i, commands: genesis.initialCommands }, cause)
      }
    }
  }

  /** Nothing is applied from now on, until reset(): the state is being replaced. What is decided meanwhile waits. */
  suspend(): void {
    this.#isSuspended = true
  }

  /** The state has been restored from this checkpoint, whatever it was: what waits goes on after it. */
  reset(checkpoint: CheckpointInfo, genesis: Genesis): void {
    this.#isSuspended = false
    this.#isFresh = false
    this.#open = undefined
    this.#skippedSlots = checkpoint.skippedSlots
    this.#appliedUpTo = checkpoint.appliedUpTo
    this.#timeMs = checkpoint.timeMs
    this.#stateDigest = checkpoint.stateDigest
    this.#memberships = new Memberships(checkpoint.memberships, genesis.windowSlots)
    this.#boundarySlots = checkpoint.boundarySlots
    this.#boundaryCommands = checkpoint.boundaryCommands
    this.#boundaryBytes = checkpoint.boundaryBytes
    this.#written = this.#sessions.writtenBytes
    this.#writtenAtTake = this.#written
    this.#writtenSaved = this.#written
    this.#queue = this.#queue.filter((entry) => entry.slot > checkpoint.appliedUpTo)
    this.#queuedBytes = this.#queue.reduce((bytes, entry) => bytes + sizeOf(entry.value), 0)
  }

  enqueue(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      this.#queue.push(entry)
      this.#queuedBytes += sizeOf(entry.value)
    }
  }

  /**
   * Applies what is queued, at least a step of it, until `isTimeUp`: perhaps in the middle of a slot. Its outcomes are told at its end. A
   * slot that was begun in an earlier run is the last one of this: reads come only between slots, and many long ones may follow each other.
   * @throws ApplyFailedError, or StorageError when what the machine wanted to read cannot be read: the state is of no use then
   */
  run(isTimeUp: () => boolean): void {
    if (this.#isSuspended) return
    let isLast = this.isMidSlot
    let done = 0
    while (done < this.#queue.length) {
      const entry = this.#queue[done] as LogEntry
      if (!this.#apply(entry, isTimeUp)) break
      done++
      this.#queuedBytes -= sizeOf(entry.value)
      isLast ||= isTimeUp()
      if (isLast) break
    }
    this.#queue = done === this.#queue.length ? [] : this.#queue.slice(done)
  }

  /** The state as it is now, as far as it changed since the last time: to be walked later, see StateMachine.changes. */
  checkpoint(): { info: CheckpointInfo; changes: Iterable<StateEntry> } {
    assert(this.#open === undefined, 'a checkpoint is taken between two slots')
    this.#writtenAtTake = this.#written
    const info: CheckpointInfo = {
      appliedUpTo: this.#appliedUpTo,
      timeMs: this.#timeMs,
      stateDigest: this.#stateDigest,
      memberships: this.memberships,
      boundarySlots: this.#boundarySlots,
      boundaryCommands: this.#boundaryCommands,
      boundaryBytes: this.#boundaryBytes,
      skippedSlots: this.#skippedSlots,
    }
    return { info, changes: this.#sessions.changes() }
  }

  /** The last checkpoint() is durable. */
  onCheckpointed(): void {
    this.#writtenSaved = this.#writtenAtTake
    this.#sessions.onCheckpointed()
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
      if (!this.#carryOut(this.#open, value, isTimeUp)) return false
    } else if (value.kind === 'membership') this.#memberships?.onDecided(slot, value)
    const open = this.#open
    this.#open = undefined
    this.#appliedUpTo = slot
    if (open !== undefined) this.#stateDigest = open.stateDigest
    this.#memberships?.forget(slot)
    this.#boundarySlots++
    this.#countBytes(value)
    if (open !== undefined) this.#tell(open)
    this.#onApplied?.(entry, this.#stateDigest)
    const { slotsMax, commandsMax, bytesMax = Number.POSITIVE_INFINITY } = this.#checkpoints
    if (this.#boundarySlots >= slotsMax || this.#boundaryCommands >= commandsMax || this.#boundaryBytes >= bytesMax) {
      this.#passBoundary()
    }
    return true
  }

  /** What is due when the slot comes is done before its commands. */
  #begin(slot: Slot, { timeMs, commands, skipped }: BatchValue): OpenSlot {
    this.#timeMs = Math.max(this.#timeMs, timeMs)
    const at: Moment = { slot, timeMs: this.#timeMs }
    this.#boundaryCommands += commands.length
    const open: OpenSlot = {
      at,
      due: undefined,
      next: 0,
      steps: undefined,
      envelopes: [],
      outcomes: [],
      stateDigest: this.#stateDigest,
    }
    if (skipped === true) {
      this.#skippedSlots = [...this.#skippedSlots, slot].slice(-SKIPPED_SLOTS_MAX)
      open.stateDigest = digestOf(open.stateDigest, slot, SKIPPED_MARK)
      return open
    }
    try {
      open.due = this.#sessions.onSlot(at)
    } catch (cause) {
      throw failed({ slot, commandIndex: BEFORE_COMMANDS, commands }, cause)
    }
    return open
  }

  #carryOut(open: OpenSlot, { commands, skipped }: BatchValue, isTimeUp: () => boolean): boolean {
    const { slot } = open.at
    try {
      while (open.due !== undefined) {
        if (open.due.next().done === true) open.due = undefined
        const isOver = open.due === undefined && commands.length === 0
        if (!isOver && isTimeUp()) return false
      }
      while (open.next < commands.length) {
        if (open.steps !== undefined) this.#goOn(open, open.steps)
        else this.#applyCommand(commands[open.next] as Uint8Array, open, skipped === true)
        if (open.steps === undefined) open.next++
        if (open.next < commands.length && isTimeUp()) return false
      }
      return true
    } catch (cause) {
      throw failed({ slot, commandIndex: open.due === undefined ? open.next : BEFORE_COMMANDS, commands }, cause)
    }
  }

  #applyCommand(bytes: Uint8Array, open: OpenSlot, isSkipped: boolean): void {
    const envelope = decodeEnvelope(bytes)
    if (envelope === undefined) return
    const { at } = open
    if (envelope.kind !== 'command') {
      // One that is skipped is proposed again by whoever waits for it.
      if (isSkipped) return
      open.envelopes.push(envelope)
      const isOpening = envelope.kind === 'open'
      open.outcomes.push(
        isOpening ? this.#sessions.openSession(envelope.token, at) : this.#sessions.closeSession(envelope.session, at),
      )
      return
    }
    const outcome = isSkipped ? this.#sessions.skip(envelope.command, at) : this.#sessions.applyInSteps(envelope.command, at)
    if ('next' in outcome) open.steps = { envelope, rest: outcome }
    else this.#noteOutcome(open, envelope, outcome)
  }

  #goOn(open: OpenSlot, { envelope, rest }: NonNullable<OpenSlot['steps']>): void {
    const step = rest.next()
    if (step.done !== true) return
    open.steps = undefined
    this.#noteOutcome(open, envelope, step.value)
  }

  #noteOutcome(open: OpenSlot, envelope: Envelope & { kind: 'command' }, outcome: SessionOutcome): void {
    const { at } = open
    if (outcome.kind === 'result') open.stateDigest = digestOf(open.stateDigest, outcome.slot, outcome.result)
    open.envelopes.push(envelope)
    open.outcomes.push(this.#answered(envelope.command, outcome, at))
  }

  /** With the answer of a command that only asked something, which is made here for who waits here, and is no part of the state. */
  #answered(command: SessionCommand, outcome: SessionOutcome, at: Moment): SessionOutcome | Answered {
    if (outcome.kind !== 'result' || !this.#listener.isAwaited(command)) return outcome
    try {
      const result = this.#sessions.answer(command.command)
      return result === undefined ? outcome : { kind: 'answer', slot: at.slot, result }
    } catch (cause) {
      return { kind: 'unanswered', cause }
    }
  }

  #tell({ at, envelopes, outcomes }: OpenSlot): void {
    for (let i = 0; i < envelopes.length; i++) {
      const envelope = envelopes[i] as Envelope
      const outcome = outcomes[i] as OpenSlot['outcomes'][number]
      if (envelope.kind === 'open') this.#listener.onOpened(envelope.token, outcome as number, at.slot)
      else if (envelope.kind === 'close') this.#listener.onClosed(envelope.session, outcome as boolean, at.slot)
      else this.#tellOutcome(envelope.command, outcome as SessionOutcome | Answered, at)
    }
  }

  #tellOutcome(command: SessionCommand, outcome: SessionOutcome | Answered, at: Moment): void {
    // Somebody has begun to wait for a read since the slot was begun: its place is past, and a retry finds another.
    if (outcome.kind === 'result' && this.#answered(command, outcome, at) !== outcome) return
    this.#listener.onOutcome(command, outcome)
  }

  /** What fills the memory faster counts: the values, or what the machine has written, in the same measure. */
  #countBytes(value: Value): void {
    const before = this.#written
    this.#written = this.#sessions.writtenBytes
    const { bytesMax } = this.#checkpoints
    const share = (this.#written - before) / writtenBytesMax(this.#sessions.quotaBytes)
    this.#boundaryBytes += Math.max(sizeOf(value), bytesMax === undefined ? 0 : Math.ceil(share * bytesMax))
  }

  #passBoundary(): void {
    this.#boundarySlots = 0
    this.#boundaryCommands = 0
    this.#boundaryBytes = 0
    this.#boundaryCount++
    this.#onBoundary?.(this.#appliedUpTo, this.#stateDigest)
  }
}

/** What a skipped slot adds to the digest: whoever has carried the slot out has another one. */
const SKIPPED_MARK = Buffer.from('skipped')

function digestOf(before: number, slot: Slot, result: Uint8Array): number {
  // zlib takes no bytes at no address for a question for its initial value, and begins anew.
  return result.length === 0 ? (before ^ slot) >>> 0 : crc32(result, (before ^ slot) >>> 0)
}

/** What was thrown while a slot was carried out. A disk that does not give back what it holds is no fault of the command. */
function failed(
  { slot, commandIndex, commands }: { slot: Slot; commandIndex: number; commands: readonly Uint8Array[] },
  cause: unknown,
): Error {
  if (cause instanceof StorageError) return cause
  const thrown = cause instanceof Error ? cause.message : String(cause)
  const what = `${describe(commandIndex, commands)}: ${thrown}`.slice(0, WHAT_CHARACTERS_MAX).toWellFormed()
  return new ApplyFailedError({ slot, commandIndex, what }, { cause })
}

function describe(index: number, commands: readonly Uint8Array[]): string {
  const bytes = commands[index]
  if (bytes === undefined) return 'what was due before its commands'
  const envelope = decodeEnvelope(bytes)
  const name =
    envelope?.kind === 'command' ? `request ${envelope.command.requestNumber} of session ${envelope.command.clientId}, ` : ''
  return `command ${index + 1} of ${commands.length} (${name}${bytes.length} bytes)`
}
