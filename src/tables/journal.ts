import { assert } from './assert.js'
import { drained } from './steps.js'

const STEP_UNDOS = 2_048

/** Counts what the state takes in memory, in bytes: by the rows alone, so that it is the same on every node. */
class Meter {
  #bytes = 0
  #writtenBytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** All that was ever written, and what it took the place of: so much at most is kept for a checkpoint beside the state. */
  get writtenBytes(): number {
    return this.#writtenBytes
  }

  /** Below 0: so much less. */
  add(bytes: number): void {
    this.#bytes += bytes
  }

  wrote(bytes: number): void {
    this.#writtenBytes += bytes
  }
}

/** The undos of what an atomic group has changed so far. Closed outside of groups: then nothing is kept. */
export class Journal {
  /** Meter of all that is under this journal. */
  readonly meter = new Meter()
  readonly #undos: (() => void)[] = []
  /** Where in the undos each open group began, the outermost first. */
  readonly #begins: number[] = []

  get isOpen(): boolean {
    return this.#begins.length > 0
  }

  /** Groups nest: what an inner one has committed, an outer one can still take back. */
  begin(): void {
    this.#begins.push(this.#undos.length)
  }

  /** Only while the journal is open. */
  record(undo: () => void): void {
    assert(this.isOpen, 'only an open journal records')
    this.#undos.push(undo)
  }

  /** Ends the innermost group; its changes stand, as far as the groups around it do. */
  commit(): void {
    assert(this.isOpen, 'only a group that was begun is committed')
    this.#begins.pop()
    if (!this.isOpen) this.#undos.length = 0
  }

  /** Ends the innermost group; everything is again as it was at its begin(). */
  rollback(): void {
    drained(this.rollbackInSteps())
  }

  /** As rollback; nothing else may change until it ends. */
  *rollbackInSteps(): Generator<undefined, void> {
    const from = this.#begins.pop()
    assert(from !== undefined, 'only a group that was begun is rolled back')
    for (let count = 1; this.#undos.length > from; count++) {
      const undo = this.#undos.pop() as () => void
      undo()
      if (count % STEP_UNDOS === 0) yield
    }
  }
}
