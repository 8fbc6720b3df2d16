import type { EventLog } from '../replication/event-log.js'
import { LEVEL_MAX } from '../replication/levels.js'
import {
  ENDS_PER_SLOT_MAX,
  type HistoryReader,
  type Moment,
  type Restoration,
  type StateEntry,
  type StateMachine,
} from '../replication/state-machine.js'
import { drained } from '../tables/steps.js'
import type { Crypto } from './bank/signing.js'
import { Books } from './books.js'
import { apply, applyInSteps, read } from './carry-out.js'
import { isWithinBounds } from './check.js'
import type { Command, CommandCodec } from './codec.js'
import { effectSlot } from './effect-slot.js'
import type { FirstAnswerLimits } from './first-answers.js'
import type { Operation, Outcome } from './operation.js'
import { OPERATIONS } from './operations/index.js'
import { Refusal } from './refusal.js'
import { changedEntries, loadEntry, storedHistory, storedUsedId } from './rows/entries.js'

/** A shorter command is carried out at once. */
const STEPPED_BYTES_MIN = 16 * 1_024
/** The result of a query in the log, as nodes keep and compare it. The answer itself is made on the node that is asked, see answer(). */
const LOGGED_READ = new Uint8Array(0)

export interface ReplicatedBooksOptions {
  readonly codec: CommandCodec
  readonly crypto: Crypto
  /** Others than the real ones in tests only. */
  readonly limits: FirstAnswerLimits
}

/**
 * The bank and the keys as the log knows them: commands and queries in, results out, all as bytes. Nothing in the bytes makes it throw; a
 * throw is a broken invariant, and the node's end.
 */
export class ReplicatedBooks implements StateMachine {
  readonly levelMax: number = LEVEL_MAX
  readonly #options: ReplicatedBooksOptions
  readonly #codec: CommandCodec
  #books: Books
  /** In force, for queries. */
  #level = 1

  constructor(options: ReplicatedBooksOptions) {
    this.#options = options
    this.#codec = options.codec
    this.#books = new Books(options.crypto, { firstAnswerLimits: options.limits })
  }

  /** The machine behind the bytes, read-only for everybody else. Another one after each restore: not to be kept. */
  get books(): Books {
    return this.#books
  }

  /** In force after what was applied last. */
  get level(): number {
    return this.#level
  }

  /** See StateMachine.stateBytes. */
  get stateBytes(): number {
    return this.#books.stateBytes
  }

  /** See StateMachine.writtenBytes. */
  get writtenBytes(): number {
    return this.#books.writtenBytes
  }

  onLevel(level: number): void {
    this.#level = level
  }

  get events(): EventLog {
    return this.#books.events
  }

  onSlot(at: Moment, endsMax = ENDS_PER_SLOT_MAX): void {
    const steps = this.onSlotInSteps(at, endsMax)
    if (steps !== undefined) drained(steps)
  }

  onSlotInSteps(at: Moment, endsMax = ENDS_PER_SLOT_MAX): Generator<undefined, void> | undefined {
    const { nextDeadlineMs } = this.#books
    return nextDeadlineMs === undefined || nextDeadlineMs > at.timeMs ? undefined : this.#books.onSlotInSteps(at, endsMax)
  }

  get nextDeadlineMs(): number | undefined {
    return this.#books.nextDeadlineMs
  }

  apply(bytes: Uint8Array, at: Moment): Uint8Array {
    const steps = this.applyInSteps(bytes, at)
    return steps === undefined ? this.#apply(bytes, this.#decode(bytes, at), at) : drained(steps)
  }

  applyInSteps(bytes: Uint8Array, at: Moment): Generator<undefined, Uint8Array> | undefined {
    // Looked at for each command.
    if (bytes.length < STEPPED_BYTES_MIN) return undefined
    const name = this.#codec.peek(bytes)
    if (name === undefined || name === 'query' || OPERATIONS[name].carryOutInSteps === undefined) return undefined
    return this.#applyInSteps(bytes, at)
  }

  query(bytes: Uint8Array): Uint8Array {
    return this.#codec.encodeResult(this.look(this.#codec.decodeQuery(bytes, this.#level)), 0)
  }

  answer(bytes: Uint8Array): Uint8Array | undefined {
    // Looked at for each command that somebody waits for: few are queries, and those begin so.
    if (this.#codec.peek(bytes) !== 'query') return undefined
    const command = this.#codec.decodeCommand(bytes, this.#level)
    if (command?.kind !== 'query') return undefined
    return this.#codec.encodeResult(this.look(command.operation), 0)
  }

  /** Answers a read, or what is none, without a detour over bytes. The values in the answer are the state's own: not to be changed. */
  look(operation: Operation | undefined): Outcome {
    const isValid = operation !== undefined && isWithinBounds(operation, { level: this.#level, isInitial: false })
    return isValid ? read(this.#books, operation) : INVALID
  }

  changes(): Iterable<StateEntry> {
    return changedEntries(this.#books)
  }

  onCheckpointed(): void {
    this.#books.bank.ledger.onCheckpointed()
    this.#books.requestIds.used.onCheckpointed()
  }

  restore(history: HistoryReader): Restoration {
    const { crypto, limits } = this.#options
    const books = new Books(crypto, {
      stored: storedHistory(history),
      storedUsedId: storedUsedId(history),
      firstAnswerLimits: limits,
    })
    // The old state is let go of now: memory has no room for two.
    this.#books = books
    return {
      load: (stored) => {
        for (const { key, value } of stored) if (value !== undefined) loadEntry(books, key, value)
      },
      finish: () => {},
    }
  }

  #decode(bytes: Uint8Array, { level }: Moment): Command | undefined {
    this.#level = level
    return this.#codec.decodeCommand(bytes, level)
  }

  #apply(bytes: Uint8Array, command: Command | undefined, at: Moment): Uint8Array {
    if (command === undefined) return this.#encode(INVALID, at)
    if (command.kind === 'query') return LOGGED_READ
    const { operation, requestId } = command
    if (!isWithinBounds(operation, { level: this.#level, isInitial: at.slot === 0 })) return this.#encode(INVALID, at)
    if (requestId === '') return this.#encode(apply(this.#books, operation, at), at)
    const answer = this.#books.requestIds.carryOutOnce({ requestId, content: bytes }, at, () => {
      const outcome = apply(this.#books, operation, at)
      return { outcome, answer: this.#encode(outcome, at) }
    })
    return answer instanceof Refusal ? this.#encode(answer, at) : answer
  }

  *#applyInSteps(bytes: Uint8Array, at: Moment): Generator<undefined, Uint8Array> {
    const command = this.#decode(bytes, at)
    // The first byte said so; but another field may follow, and the last one counts.
    const isStepped = command?.kind === 'write' && OPERATIONS[command.operation.$case].carryOutInSteps !== undefined
    if (!isStepped || command.requestId !== '') return this.#apply(bytes, command, at)
    yield
    if (!isWithinBounds(command.operation, { level: this.#level, isInitial: at.slot === 0 })) return this.#encode(INVALID, at)
    yield
    const outcome = yield* applyInSteps(this.#books, command.operation, at)
    yield
    return this.#encode(outcome, at)
  }

  #encode(outcome: Outcome, { slot }: Moment): Uint8Array {
    return this.#codec.encodeResult(outcome, effectSlot(outcome, slot))
  }
}

/** The result of bytes that are no command, or out of its bounds. Doors name the field before they propose anything. */
const INVALID = Refusal.of('INVALID_ARGUMENT', {})
