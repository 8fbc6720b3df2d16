/**
 * Searches for a linearization: the algorithm of Wing and Gong ("Testing and verifying concurrent objects", 1993), with Lowe's
 * memory of visited states ("Testing for linearizability", 2017). It knows only when each operation was invoked and when it
 * returned, and if a sequential model can explain its answer. It is exponential in the worst case, so it has a budget.
 */

/** An operation as seen from outside. */
export interface Timed {
  readonly invokedUs: number
  /** Undefined: it never returned. It may take effect at any time after its invocation, or never. */
  readonly returnedUs: number | undefined
}

/** The sequential object, in one state at a time. */
export interface Sequential<Operation> {
  /** Carries the operation out if its observed outcome is possible in this state. Returns true if so. */
  step(operation: Operation): boolean
  /** Undoes the last successful step that was not undone yet. */
  undo(): void
  /** Identifies this state: equal states have equal fingerprints, others have other ones. */
  readonly fingerprint: string
}

export type SearchResult<Operation> =
  | { readonly kind: 'linearizable'; readonly steps: number }
  /** `stuck`: the operations that were possible next where the search came farthest, and that the model could not explain. */
  | { readonly kind: 'notLinearizable'; readonly steps: number; readonly stuck: readonly Operation[] }
  | { readonly kind: 'undecided'; readonly steps: number }

/**
 * Searches for an order of the operations that respects real time and explains every answer, in at most `stepsMax` steps of the
 * model.
 */
export function searchOrder<Operation extends Timed>(
  operations: readonly Operation[],
  model: Sequential<Operation>,
  stepsMax: number,
): SearchResult<Operation> {
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

/** The candidates for one place in the order, and how many of them were tried. */
interface Choice {
  readonly candidates: readonly number[]
  next: number
}

/** The set of operations placed so far. Operations are named by index: those that returned come first. */
class Search<Operation extends Timed> {
  readonly #operations: readonly Operation[]
  readonly #isPlaced: boolean[]
  readonly #order: number[] = []
  readonly #returnedCount: number
  /** Number of unplaced operations that returned. */
  unplacedCount: number

  constructor(operations: readonly Operation[]) {
    const byInvocation = operations.toSorted((a, b) => a.invokedUs - b.invokedUs)
    const returned = byInvocation.filter(({ returnedUs }) => returnedUs !== undefined)
    this.#operations = [...returned, ...byInvocation.filter(({ returnedUs }) => returnedUs === undefined)]
    this.#isPlaced = this.#operations.map(() => false)
    this.#returnedCount = returned.length
    this.unplacedCount = returned.length
  }

  /** Identifies the set of placed operations. */
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
   * Returns the candidates for the next place: the operations invoked before the first unplaced return. Operations that returned
   * come first, in the order of their returns, as they are the most likely. Operations that never returned are tried only when
   * nothing else explains the answers.
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
