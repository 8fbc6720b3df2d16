import { EventLog } from '../replication/event-log.js'
import { ENDS_PER_SLOT_MAX, type Moment } from '../replication/state-machine.js'
import { Deadlines } from '../tables/deadlines.js'
import { Journal } from '../tables/journal.js'
import { drained } from '../tables/steps.js'
import type { Access } from './access.js'
import { Bank } from './bank/bank.js'
import type { StoredHistory } from './bank/history.js'
import type { Crypto } from './bank/signing.js'
import type { Definition } from './definition.js'
import { FIRST_ANSWER_LIMITS, type FirstAnswerLimits } from './first-answers.js'
import { Keys } from './kv/keys.js'
import type { Granted, Operation, Outcome } from './operation.js'
import { OPERATIONS } from './operations/index.js'
import { Refusal } from './refusal.js'
import { RequestIds } from './request-ids.js'
import { Room } from './room.js'
import type { StoredUsedId } from './used-ids.js'

/** Deleted pairs that are cleared in a slot. */
const CLEARED_PER_SLOT_MAX = 10_000
/** Number of ends, and of cleared pairs, in a step. */
const STEP_ENDS = 200
const STEP_CLEARED = 2_000

/** Settings of the books, for a restart and for tests. */
export interface BooksSettings {
  /** The part of the bank that is read back from disk. Default: nothing. */
  readonly stored?: StoredHistory
  /** The request ids that are read back from disk. Default: none. */
  readonly storedUsedId?: StoredUsedId
  /** See Room. */
  readonly growthBytesMax?: number
  readonly firstAnswerLimits?: FirstAnswerLimits
}

/**
 * The bank and the keys as one typed state machine, under one journal. Requests are within their bounds (check.ts). It neither knows how
 * commands are encoded nor how its rows are stored.
 */
export class Books {
  readonly keys: Keys
  readonly bank: Bank
  readonly requestIds: RequestIds
  /** Everything here that ends by itself. */
  readonly deadlines: Deadlines
  readonly room: Room
  /** The revision of keys and money alike, and what has changed; see events.ts. */
  readonly events: EventLog
  readonly #journal = new Journal()

  constructor(crypto: Crypto, settings: BooksSettings = {}) {
    const { stored, storedUsedId, growthBytesMax, firstAnswerLimits = FIRST_ANSWER_LIMITS } = settings
    this.room = new Room(this.#journal, growthBytesMax)
    this.deadlines = new Deadlines(['hold', 'firstAnswer'], this.#journal)
    this.events = new EventLog(this.#journal)
    this.keys = new Keys(this.#journal, this.events)
    this.bank = new Bank({ journal: this.#journal, deadlines: this.deadlines, events: this.events }, crypto, stored)
    this.requestIds = new RequestIds(crypto, this.deadlines, { limits: firstAnswerLimits, stored: storedUsedId })
  }

  /** Memory of the rows, and of the filter of movements' ids; see row-bytes.ts. */
  get stateBytes(): number {
    return this.#journal.meter.bytes + this.bank.ledger.movements.filterBytes + this.requestIds.bytes
  }

  /** See StateMachine.writtenBytes. */
  get writtenBytes(): number {
    return this.#journal.meter.writtenBytes + this.requestIds.writtenBytes
  }

  /** See StateMachine.onSlot. */
  onSlot(at: Moment, endsMax = ENDS_PER_SLOT_MAX): void {
    drained(this.onSlotInSteps(at, endsMax))
  }

  /** As onSlot. Each hold may want a look at the disk. */
  *onSlotInSteps({ timeMs }: Moment, endsMax = ENDS_PER_SLOT_MAX): Generator<undefined, void> {
    for (let ends = 0; ends < endsMax; ends++) {
      const due = this.deadlines.takeDue(timeMs)
      if (due === undefined) break
      this.events.begin()
      if (due.kind === 'hold') this.bank.holds.expire(due.id)
      else this.requestIds.answers.forget(due.id)
      if (ends % STEP_ENDS === STEP_ENDS - 1) yield
    }
    const { cuts } = this.keys
    for (let cleared = 0; cleared < CLEARED_PER_SLOT_MAX && cuts.isPending; cleared += STEP_CLEARED) {
      cuts.clear(STEP_CLEARED)
      yield
    }
  }

  /** See StateMachine.nextDeadlineMs. */
  get nextDeadlineMs(): number | undefined {
    return this.keys.cuts.isPending ? 0 : this.deadlines.nextMs
  }

  /** Carries out one command of the log. */
  apply(operation: Operation, at: Moment): Outcome {
    this.room.begin(at.roomBytes)
    this.events.begin()
    // One that is carried out in steps looks after its room itself: a part of it may find none.
    if (OPERATIONS[operation.$case].carryOutInSteps !== undefined) return this.carryOut(operation, at)
    return this.room.within(() => this.carryOut(operation, at))
  }

  /** As apply, of an operation that has steps. */
  *applyInSteps(operation: Operation, at: Moment): Generator<undefined, Outcome> {
    const { $case, value } = operation
    const definition: Definition<never, object> = OPERATIONS[$case]
    const steps = definition.carryOutInSteps?.(this, value as never, at)
    if (steps === undefined) return this.apply(operation, at)
    this.room.begin(at.roomBytes)
    this.events.begin()
    return named($case, yield* steps)
  }

  /** Answers a read from the state as it is. */
  read(operation: Operation): Outcome {
    return this.carryOut(operation, NOW)
  }

  /** Carries an operation out by itself or as a part of another. */
  carryOut({ $case, value }: Operation, at: Moment): Outcome {
    const definition: Definition<never, object> = OPERATIONS[$case]
    return named($case, definition.carryOut(this, value as never, at))
  }

  /** The rights that an operation needs. */
  accessOf({ $case, value }: Operation): readonly Access[] {
    return OPERATIONS[$case].access(value as never, this)
  }

  /** Begins a group of changes that is kept or taken back as a whole. */
  begin(): void {
    this.#journal.begin()
  }

  commit(): void {
    this.#journal.commit()
  }

  /** Takes back everything since begin() but a refusal of a movement, whose id stays refused. Gives the refusal back. */
  takeBack(refusal: Refusal): Refusal {
    this.#journal.rollback()
    this.bank.keepRefused(refusal)
    return refusal
  }
}

/** Reads look at no moment. */
const NOW: Moment = Object.freeze({ slot: 0, timeMs: 0, level: 1 })

function named($case: Granted['$case'], value: object): Outcome {
  return value instanceof Refusal ? value : ({ $case, value } as Granted)
}
