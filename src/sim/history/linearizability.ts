/**
 * Is there an order? The search of Wing and Gong ("Testing and verifying concurrent objects", 1993), with Lowe's memory of what has been
 * tried ("Testing for linearizability", 2017). It knows only when an operation was invoked and when it returned, and whether a
 * sequential model can explain each answer. In the worst case it is exponential, so it has a budget.
 */

/** An operation as it was seen from outside. */
export interface Timed {
  readonly invokedUs: number
  /** Undefined: it never returned. It may take effect at any time after its invocation, or never. */
  readonly returnedUs: number | undefined
}

/** The sequential object, one state at a time. */
export interface Sequential<Operation> {
  /** Carries the operation out, if what it came to in the history can be explained from here. Whether it could. */
  step(operation: Operation): boolean
  /** Takes back the last step that succeeded and was not taken back yet. */
  undo(): void
  /** Tells this state from every other. */
  readonly fingerprint: string
}

export type Verdict<Operation> =
  | { readonly kind: 'linearizable'; readonly steps: number }
  /** `stuck`: where the search came farthest, none of these could be next. */
  | { readonly kind: 'notLinearizable'; readonly steps: number; readonly stuck: readonly Operation[] }
  | { readonly kind: 'undecided'; readonly steps: number }

/** Searches for an order of the operations that respects real time and explains every answer, in `stepsMax` steps of the model. */
export function searchOrder<Operation extends Timed>(
  operations: readonly Operation[],
  model: Sequential<Operation>,
  stepsMax: number,
): Verdict<Operation> {
  const search = new Search(operations)
  const tried = new Set<string>()
  const path: Choice[] = [{ candidates: search.candidates(), next: 0 }]
  let farthest = 0
  let stuck: readonly Operation[] = search.operationsOf(search.candidates())
  let steps = 0
  while (search.unplacedCount > 0) {
    const choice = path.at(-1)
    if (choice === undefined) return { kind: 'notLinearizable', steps, stuck }
    const candidate = choice.candidates[choice.next++]
    if (candidate === undefined) {
      path.pop()
      if (path.length > 0) {
        search.unplace()
        model.undo()
      }
      continue
    }
    if (steps === stepsMax) return { kind: 'undecided', steps }
    steps++
    if (!model.step(search.operation(candidate))) continue
    search.place(candidate)
    const state = `${search.placedKey}/${model.fingerprint}`
    if (tried.has(state)) {
      search.unplace()
      model.undo()
      continue
    }
    tried.add(state)
    const candidates = search.candidates()
    path.push({ candidates, next: 0 })
    if (path.length <= farthest) continue
    farthest = path.length
    stuck = search.operationsOf(candidates)
  }
  return { kind: 'linearizable', steps }
}

/** What may come next in one place of the order, and which of these has been tried. */
interface Choice {
  readonly candidates: readonly number[]
  next: number
}

/** Which operations have a place in the order so far. Operations go by their index: those that returned first, then the others. */
class Search<Operation extends Timed> {
  readonly #operations: readonly Operation[]
  readonly #isPlaced: boolean[]
  readonly #order: number[] = []
  readonly #returnedCount: number
  /** Of those that returned. */
  unplacedCount: number

  constructor(operations: readonly Operation[]) {
    const byInvocation = operations.toSorted((a, b) => a.invokedUs - b.invokedUs)
    const returned = byInvocation.filter(({ returnedUs }) => returnedUs !== undefined)
    this.#operations = [...returned, ...byInvocation.filter(({ returnedUs }) => returnedUs === undefined)]
    this.#isPlaced = this.#operations.map(() => false)
    this.#returnedCount = returned.length
    this.unplacedCount = returned.length
  }

  /** Tells this set of placed operations from every other. */
  get placedKey(): string {
    const first = this.#firstUnplaced()
    const later = this.#order.filter((i) => i > first).toSorted((a, b) => a - b)
    return `${first}:${later.join()}`
  }

  operation(index: number): Operation {
    return this.#operations[index] as Operation
  }

  operationsOf(indexes: readonly number[]): Operation[] {
    return indexes.map((i) => this.operation(i)).filter(({ returnedUs }) => returnedUs !== undefined)
  }

  /**
   * What may come next: whatever was invoked before the first of the unplaced returned. First those that returned, in that order, as
   * they are the most likely; those that never did only when nothing else explains what was seen.
   */
  candidates(): number[] {
    const returned: number[] = []
    let firstReturnUs = Number.POSITIVE_INFINITY
    for (let i = this.#firstUnplaced(); i < this.#returnedCount; i++) {
      const { invokedUs, returnedUs = 0 } = this.operation(i)
      if (invokedUs > firstReturnUs) break
      if (this.#isPlaced[i] === true) continue
      firstReturnUs = Math.min(firstReturnUs, returnedUs)
      returned.push(i)
    }
    const candidates = returned
      .filter((i) => this.operation(i).invokedUs <= firstReturnUs)
      .toSorted((a, b) => (this.operation(a).returnedUs ?? 0) - (this.operation(b).returnedUs ?? 0))
    for (let i = this.#returnedCount; i < this.#operations.length; i++) {
      if (this.operation(i).invokedUs > firstReturnUs) break
      if (this.#isPlaced[i] !== true) candidates.push(i)
    }
    return candidates
  }

  place(index: number): void {
    this.#isPlaced[index] = true
    this.#order.push(index)
    if (index < this.#returnedCount) this.unplacedCount--
  }

  unplace(): void {
    const index = this.#order.pop() ?? 0
    this.#isPlaced[index] = false
    if (index < this.#returnedCount) this.unplacedCount++
  }

  #firstUnplaced(): number {
    const first = this.#isPlaced.indexOf(false)
    return first === -1 || first > this.#returnedCount ? this.#returnedCount : first
  }
}
