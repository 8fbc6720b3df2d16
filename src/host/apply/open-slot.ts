import { crc32 } from 'node:zlib'
import type { BatchValue, Slot } from '../../paxos/types.js'
import { decodeEnvelope, type Envelope } from '../../replication/envelope.js'
import { resultOfRaise } from '../../replication/levels.js'
import type { SessionCommand, SessionOutcome, Sessions } from '../../replication/sessions.js'
import type { Moment } from '../../replication/state-machine.js'
import { checkLevel } from '../halt-error.js'
import type { AnsweredOutcome, AppliedListener } from './applied-listener.js'
import { applyFailure, BEFORE_COMMANDS } from './apply-failure.js'

type CommandEnvelope = Envelope & { kind: 'command' }

/** The outcome of an envelope: of an opening, the client id; of a closing, true when there was such a session; of a level, the one in force. */
type Outcome = SessionOutcome | AnsweredOutcome | number | boolean

interface Parts {
  readonly at: Moment
  readonly value: BatchValue
  readonly sessions: Sessions
  readonly listener: AppliedListener
  /** Before the slot. */
  readonly stateDigest: number
}

/** The mark of a skipped slot in the digest: a node that has carried the slot out has another digest. */
const SKIPPED_MARK = Buffer.from('skipped')

/** A slot whose commands are being carried out, perhaps with turns for others between two of them, or in the middle of one. */
export class OpenSlot {
  readonly #at: Moment
  readonly #value: BatchValue
  readonly #sessions: Sessions
  readonly #listener: AppliedListener
  /** The digest of the state now. */
  #stateDigest: number
  /** The rest of the work that is due before the commands. */
  #due: Generator<undefined, void> | undefined
  /** The command that is next. */
  #next = 0
  /** The rest of that command, if it has been begun. */
  #steps: { readonly envelope: CommandEnvelope; readonly rest: Generator<undefined, SessionOutcome> } | undefined
  /** The envelopes among the commands before that, and the outcome of each. */
  readonly #envelopes: Envelope[] = []
  readonly #outcomes: Outcome[] = []

  /** Begins the slot. @throws ApplyFailedError */
  constructor({ at, value, sessions, listener, stateDigest }: Parts) {
    this.#at = at
    this.#value = value
    this.#sessions = sessions
    this.#listener = listener
    this.#stateDigest = stateDigest
    if (value.skipped === true) {
      this.#stateDigest = digestOf(stateDigest, at.slot, SKIPPED_MARK)
      return
    }
    try {
      this.#due = sessions.onSlot(at)
    } catch (cause) {
      throw this.#failure(BEFORE_COMMANDS, cause)
    }
  }

  get stateDigest(): number {
    return this.#stateDigest
  }

  /** Does the work that is due when the slot comes, then the commands. False when time was up before the end. @throws ApplyFailedError, UnsupportedLevelError, StorageError */
  carryOut(isTimeUp: () => boolean): boolean {
    const { commands } = this.#value
    try {
      while (this.#due !== undefined) {
        if (this.#due.next().done === true) this.#due = undefined
        const isOver = this.#due === undefined && commands.length === 0
        if (!isOver && isTimeUp()) return false
      }
      while (this.#next < commands.length) {
        if (this.#steps !== undefined) this.#goOn(this.#steps)
        else this.#apply(commands[this.#next] as Uint8Array)
        if (this.#steps === undefined) this.#next++
        if (this.#next < commands.length && isTimeUp()) return false
      }
      return true
    } catch (cause) {
      throw this.#failure(this.#due === undefined ? this.#next : BEFORE_COMMANDS, cause)
    }
  }

  /** Tells the listener of every command, once all of them have been carried out. */
  tell(): void {
    const listener = this.#listener
    const { slot } = this.#at
    for (let i = 0; i < this.#envelopes.length; i++) {
      const envelope = this.#envelopes[i] as Envelope
      const outcome = this.#outcomes[i] as Outcome
      if (envelope.kind === 'open') listener.onOpened(envelope.token, outcome as number, slot)
      else if (envelope.kind === 'close') listener.onClosed(envelope.session, outcome as boolean, slot)
      else if (envelope.kind === 'level') listener.onLevel(envelope.token, slot)
      else this.#tellOutcome(envelope.command, outcome as SessionOutcome | AnsweredOutcome)
    }
  }

  #apply(bytes: Uint8Array): void {
    const envelope = decodeEnvelope(bytes)
    if (envelope === undefined) return
    const at = this.#at
    const sessions = this.#sessions
    const isSkipped = this.#value.skipped === true
    if (envelope.kind !== 'command') {
      // One that is skipped is proposed again by whoever waits for it.
      if (isSkipped) return
      this.#envelopes.push(envelope)
      if (envelope.kind === 'level') {
        this.#outcomes.push(this.#raiseLevel(envelope))
        return
      }
      const isOpening = envelope.kind === 'open'
      this.#outcomes.push(isOpening ? sessions.openSession(envelope.token, at) : sessions.closeSession(envelope.session, at))
      return
    }
    const outcome = isSkipped ? sessions.skip(envelope.command, at) : sessions.applyInSteps(envelope.command, at)
    if ('next' in outcome) this.#steps = { envelope, rest: outcome }
    else this.#note(envelope, outcome)
  }

  /** In force from the next command on. Gives the level in force. */
  #raiseLevel({ level, version: levelVersion }: Envelope & { kind: 'level' }): number {
    const sessions = this.#sessions
    if (level > sessions.raised.level) {
      checkLevel({ level, levelVersion }, sessions.knownLevels)
      sessions.raiseLevel({ level, levelVersion })
    }
    this.#stateDigest = digestOf(this.#stateDigest, this.#at.slot, resultOfRaise(sessions.raised.level))
    return sessions.raised.level
  }

  #goOn({ envelope, rest }: { readonly envelope: CommandEnvelope; readonly rest: Generator<undefined, SessionOutcome> }): void {
    const step = rest.next()
    if (step.done !== true) return
    this.#steps = undefined
    this.#note(envelope, step.value)
  }

  #note(envelope: CommandEnvelope, outcome: SessionOutcome): void {
    if (outcome.kind === 'result') this.#stateDigest = digestOf(this.#stateDigest, outcome.slot, outcome.result)
    this.#envelopes.push(envelope)
    this.#outcomes.push(this.#answered(envelope.command, outcome))
  }

  /** Adds the answer of a command that only reads. It is made only where a caller waits, and is no part of the state. */
  #answered(command: SessionCommand, outcome: SessionOutcome): SessionOutcome | AnsweredOutcome {
    if (outcome.kind !== 'result' || !this.#listener.isAwaited(command)) return outcome
    try {
      const result = this.#sessions.answer(command.command)
      return result === undefined ? outcome : { kind: 'answer', slot: this.#at.slot, result }
    } catch (cause) {
      return { kind: 'unanswered', cause }
    }
  }

  #tellOutcome(command: SessionCommand, outcome: SessionOutcome | AnsweredOutcome): void {
    // A caller began to wait for this read after it was applied: the answer was not made, and the retry gets one.
    if (outcome.kind === 'result' && this.#answered(command, outcome) !== outcome) return
    this.#listener.onOutcome(command, outcome)
  }

  #failure(commandIndex: number, cause: unknown): Error {
    return applyFailure({ slot: this.#at.slot, commandIndex, commands: this.#value.commands }, cause)
  }
}

/** Returns the digest of the state after a result, from the digest of the state before. */
export function digestOf(before: number, slot: Slot, result: Uint8Array): number {
  // zlib returns its initial value for an empty buffer, and ignores the value before.
  return result.length === 0 ? (before ^ slot) >>> 0 : crc32(result, (before ^ slot) >>> 0)
}
