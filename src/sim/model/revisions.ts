import { ModelTable, type UndoLog } from './model-table.js'

const REVISION = 'revision'
/** The revision of the empty store. */
const FIRST = 1

/** The revision of keys and money. Each command that changes something takes the next one, and so does each end of a hold. */
export class Revisions {
  readonly #counters: ModelTable<number>
  /** The revision before the current command. */
  #before = FIRST

  constructor(log: UndoLog) {
    this.#counters = new ModelTable('counter', log)
  }

  get current(): number {
    return this.#counters.get(REVISION) ?? FIRST
  }

  /** Begins a command or the end of a hold. */
  begin(): void {
    this.#before = this.current
  }

  /** Records a change. Returns its revision, the same for all changes of one command. */
  change(): number {
    if (this.current === this.#before) this.#counters.set(REVISION, this.#before + 1)
    return this.current
  }
}
