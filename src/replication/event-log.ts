import { Journal } from '../tables/journal.js'
import { Cell } from '../tables/table.js'

/** A change of one row of a replicated machine. (revision, sub) orders all changes there ever are. */
export interface StoreEvent {
  /** Revision of the command, or of the end by itself, that made the change. From 2: the empty store is revision 1. */
  readonly revision: bigint
  /** Counts the changes of one revision, from 0. */
  readonly sub: number
  /** Names the change in the machine's own terms. */
  readonly kind: string
  /** The row as it was, undefined: there was none. Rows are immutable. */
  readonly before: object | undefined
  /** The row as it is then, undefined: there is none. */
  readonly after: object | undefined
  /** About how many bytes of memory the event keeps from being let go. */
  readonly bytes: number
}

const EVENT_BYTES = 150
const NO_EVENTS: readonly StoreEvent[] = Object.freeze([])

/**
 * The revision of a replicated machine, and its changes as events. Each command that changes a row takes the next revision, and all its
 * changes share it. So does each end that comes by itself, and not all ends of a slot together: which of them share a slot is chance, and
 * what a revision means must not depend on it. Both vanish when the group that made them is rolled back. As long as nobody listens no
 * event is made.
 */
export class EventLog {
  /** Events are kept for take(). To be changed between two slots only: half a slot's events are of no use. */
  isKept = false
  readonly #journal: Journal
  readonly #revision: Cell<bigint>
  /** Revision of the changes of the command that is under way, and the number of events kept before it. */
  #next = 2n
  #countBefore = 0
  #events: StoreEvent[] = []

  /** `journal`: that of the tables whose changes these are. */
  constructor(journal = new Journal()) {
    this.#journal = journal
    this.#revision = new Cell(journal, 1n)
  }

  /** Revision of the last change; 1: nothing has ever changed. */
  get revision(): bigint {
    return this.#revision.value
  }

  /** Revision that the changes of the command under way have, if it makes any. */
  get next(): bigint {
    return this.#next
  }

  /** A command, or an end by itself, begins. */
  begin(): void {
    if (this.#revision.value === this.#next) this.#next += 1n
    this.#countBefore = this.#events.length
  }

  /** A row changes. `bytes`: those of memory that `before` and `after` take. */
  add(kind: string, before: object | undefined, after: object | undefined, bytes = 0): void {
    if (this.#revision.value !== this.#next) this.#revision.set(this.#next)
    if (!this.isKept) return
    const count = this.#events.length
    if (this.#journal.isOpen) {
      this.#journal.record(() => {
        this.#events.length = count
      })
    }
    this.#events.push({
      revision: this.#revision.value,
      sub: count - this.#countBefore,
      kind,
      before,
      after,
      bytes: EVENT_BYTES + bytes,
    })
  }

  /** Gives the events since the last call, in their order, and lets go of them. Between two slots. */
  take(): readonly StoreEvent[] {
    if (this.#events.length === 0) return NO_EVENTS
    const events = this.#events
    this.#events = []
    this.#countBefore = 0
    return events
  }

  /** Puts back the revision of a checkpoint. */
  load(revision: bigint): void {
    this.#revision.set(revision)
    this.#next = revision + 1n
  }
}
