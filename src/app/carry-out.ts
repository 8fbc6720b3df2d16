import type { Moment } from '../replication/state-machine.js'
import type { Books } from './books.js'
import type { Step } from './bounds.js'
import type { Definition, Steps } from './definition.js'
import type { Operation, OperationName, Outcome } from './operation.js'
import { OPERATIONS } from './operations/index.js'
import { Refusal } from './refusal.js'

/** Carries out one command of the log. It is within its bounds (check.ts). */
export function apply(books: Books, operation: Operation, at: Moment): Outcome {
  books.beginCommand(at)
  // One that is carried out in steps looks after its room itself: a part of it may find none.
  if (definitionOf(operation).carryOutInSteps !== undefined) return carryOut(books, operation, at)
  return books.room.within(() => carryOut(books, operation, at))
}

/** As apply, of an operation that has steps. */
export function* applyInSteps(books: Books, operation: Operation, at: Moment): Generator<undefined, Outcome> {
  const steps = definitionOf(operation).carryOutInSteps?.(books, operation.value as never, at)
  if (steps === undefined) return apply(books, operation, at)
  books.beginCommand(at)
  return named(operation, yield* steps) as Outcome
}

/** Answers a read from the state as it is. */
export function read(books: Books, operation: Operation): Outcome {
  return carryOut(books, operation, NOW)
}

/** Reads look at no moment. */
const NOW: Moment = Object.freeze({ slot: 0, timeMs: 0, level: 1 })

const STEPS: Steps = {
  carryOut: (books, step, at) => named(step, definitionOf(step).carryOut(books, step.value as never, at, STEPS)),
  accessOf: (books, step) => definitionOf(step).access(step.value as never, books, STEPS),
}

function carryOut(books: Books, operation: Operation, at: Moment): Outcome {
  return STEPS.carryOut(books, operation, at) as Outcome
}

function definitionOf({ $case }: Step): Definition<never, object> {
  return OPERATIONS[$case as OperationName]
}

function named({ $case }: Step, value: object): Step | Refusal {
  return value instanceof Refusal ? value : { $case, value }
}
