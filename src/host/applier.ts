import { crc32 } from 'node:zlib'
import type { SessionOutcome, Sessions } from '../machine/sessions.js'
import type { Moment, StateEntry, StateMachine } from '../machine/state-machine.js'
import type { LogEntry, Slot } from '../paxos/types.js'
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

/**
 * Carries decided slots out on the state machine, in order (the applying half of the paper's replica). Log time never goes back, even
 * where a value of an older leader was proposed again after one of a newer.
 */
export class Applier {
  readonly #sessions: Sessions
  readonly #listener: AppliedListener
  readonly #onApplied: OnApplied | undefined
  #appliedUpTo: Slot
  #timeMs: number
  #stateDigest: number
  #isFresh: boolean
  #commandCount = 0
  /** Decided, not applied yet. */
  #queue: LogEntry[] = []
  #queuedBytes = 0

  constructor(sessions: Sessions, checkpoint: CheckpointInfo, listener: AppliedListener, onApplied?: OnApplied) {
    this.#sessions = sessions
    this.#listener = listener
    this.#onApplied = onApplied
    this.#appliedUpTo = checkpoint.appliedUpTo
    this.#timeMs = checkpoint.timeMs
    this.#stateDigest = checkpoint.stateDigest
    this.#isFresh = checkpoint.appliedUpTo === 0
  }

  /** Nothing has been applied, not even the initial commands. */
  get isFresh(): boolean {
    return this.#isFresh
  }

  get appliedUpTo(): Slot {
    return this.#appliedUpTo
  }

  get stateDigest(): number {
    return this.#stateDigest
  }

  /** Since the start. */
  get commandCount(): number {
    return this.#commandCount
  }

  get hasQueued(): boolean {
    return this.#queue.length > 0
  }

  /** More is decided than can be held until it is applied. */
  get isFull(): boolean {
    return this.#queuedBytes > QUEUED_BYTES_MAX
  }

  /** The cluster's initial state: slot 0, before anything else. */
  applyInitial(machine: StateMachine, commands: readonly Uint8Array[]): void {
    this.#isFresh = false
    for (const command of commands) this.#digest(0, machine.apply(command, { slot: 0, timeMs: 0 }))
  }

  enqueue(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      this.#queue.push(entry)
      this.#queuedBytes += sizeOf(entry.value)
    }
  }

  /** Applies what is queued, at least one slot, until `isTimeUp`. */
  run(isTimeUp: () => boolean): void {
    let done = 0
    while (done < this.#queue.length) {
      const entry = this.#queue[done++] as LogEntry
      this.#queuedBytes -= sizeOf(entry.value)
      this.#apply(entry)
      if (isTimeUp()) break
    }
    this.#queue = done === this.#queue.length ? [] : this.#queue.slice(done)
  }

  /** The state as it is now, as far as it changed since the last time. */
  checkpoint(): { info: CheckpointInfo; changes: StateEntry[] } {
    const info = { appliedUpTo: this.#appliedUpTo, timeMs: this.#timeMs, stateDigest: this.#stateDigest }
    return { info, changes: [...this.#sessions.changes()] }
  }

  #apply(entry: LogEntry): void {
    const { slot, value } = entry
    if (value.kind === 'batch') {
      this.#timeMs = Math.max(this.#timeMs, value.timeMs)
      const at: Moment = { slot, timeMs: this.#timeMs }
      this.#commandCount += value.commands.length
      for (const command of value.commands) this.#applyCommand(command, at)
    }
    this.#appliedUpTo = slot
    this.#onApplied?.(entry, this.#stateDigest)
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
