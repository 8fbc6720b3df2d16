import type { Bounds, Step } from './bounds.js'
import type { Operation, OperationName } from './operation.js'
import { OPERATIONS } from './operations/index.js'

/**
 * True when nothing of an operation is out of its bounds at this level. What its proposer's gateway has found is asked again: bounds keep the
 * state whole, and no machine trusts another's gateway for that.
 */
export function isWithinBounds(operation: Operation, { level, isInitial }: Pick<Bounds, 'level' | 'isInitial'>): boolean {
  check.begin(level, isInitial)
  check.operation(operation)
  return !check.isEnough
}

/** Checks an operation against its own definition. */
export function checkOperation(operation: Operation, bounds: Bounds): void {
  OPERATIONS[operation.$case].check(operation.value as never, bounds)
}

/** Finds out whether anything is out of its bounds, and nothing else. */
class Check implements Bounds {
  level = 1
  isInitial = false
  isEnough = false

  begin(level: number, isInitial: boolean): void {
    this.level = level
    this.isInitial = isInitial
    this.isEnough = false
  }

  operation(operation: Operation): void {
    if (OPERATIONS[operation.$case].since > this.level) this.broken()
    else checkOperation(operation, this)
  }

  broken(): void {
    this.isEnough = true
  }

  enter(): void {}

  leave(): void {}

  checkStep(step: Step | undefined): void {
    if (step === undefined || !OPERATIONS[step.$case as OperationName].isStep) this.broken()
    else this.operation(step as Operation)
  }
}

/** Used again for each command. */
const check = new Check()
