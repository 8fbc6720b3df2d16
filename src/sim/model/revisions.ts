import { Table, type UndoLog } from './tables.js'

const REVISION = 'revision'
/** Of the empty store. */
const FIRST = 1

/** The revision of keys and money: each command that changes something, and each end of a hold, takes the next. */
export class Revisions {
  readonly #counters: Table<number>
  /** Before the command that is carried out. */
  #before = FIRST

  constructor(log: UndoLog) {
    this.#counters = new Table('counter', log)
  }

  get current(): number {
    return this.#counters.get(REVISION) ?? FIRST
  }

  /** A command, or the end of a hold, begins. */
  begin(): void {
    this.#before = this.current
  }

  /** Something changes. Gives the revision, the same for all changes of the command. */
  change(): number {
    if (this.current === this.#before) this.#counters.set(REVISION, this.#before + 1)
    return this.current
  }
}
