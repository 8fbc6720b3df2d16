import { EventLog } from '../replication/event-log.js'
import { ENDS_PER_SLOT_MAX, type Moment } from '../replication/state-machine.js'
import { Deadlines } from '../tables/deadlines.js'
import { Journal } from '../tables/journal.js'
import { drained } from '../tables/steps.js'
import { Bank } from './bank/bank.js'
import type { StoredHistory } from './bank/bank-history.js'
import type { Crypto } from './bank/signing.js'
import { FIRST_ANSWER_LIMITS, type FirstAnswerLimits } from './first-answers.js'
import { Keys } from './kv/keys.js'
import type { Refusal } from './refusal.js'
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
 * The bank and the keys under one journal. They know neither how commands are encoded nor how rows are stored, nor which operations there
 * are: carry-out.ts does.
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

  /** Begins a command, which has the room that is left within the quota, and a revision of its own if it changes anything. */
  beginCommand({ roomBytes }: Moment): void {
    this.room.begin(roomBytes)
    this.events.begin()
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
