import type { Moment } from '../../replication/state-machine.js'
import type { Books } from '../books.js'
import { type Bounds, checkEach, checkKey, checkValue, type Step } from '../bounds.js'
import type { Definition, Steps } from '../definition.js'
import type { Compare } from '../kv/keys.js'
import { ANSWER_BYTES_MAX, type KeyValuePair, pairBytes, pairsBytes } from '../kv/pair.js'
import { Refusal } from '../refusal.js'

/** Carries out one of two lists of operations, as the conditions tell, all of it or nothing. */
export interface Request {
  readonly compare: readonly Compare[]
  /** Each may stand in a transaction. */
  readonly then: readonly Step[]
  readonly else: readonly Step[]
}

export interface Outcome {
  /** True when every condition held. */
  readonly succeeded: boolean
  /** One for each operation of the branch that was taken, in order; no refusal among them. */
  readonly responses: readonly Step[]
  readonly revision: bigint
}

const CONDITIONS_MAX = 128
const OPERATIONS_MAX = 128

export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'write',
  isStep: false,
  access: (request, books, steps) => [
    ...request.compare.map(({ key }) => ({ right: 'READ' as const, keys: { key } })),
    ...[...request.then, ...request.else].flatMap((step) => steps.accessOf(books, step)),
  ],
  check(request, bounds) {
    checkCount(bounds, 'compare', request.compare.length, CONDITIONS_MAX)
    checkCount(bounds, 'then', request.then.length, OPERATIONS_MAX)
    checkCount(bounds, 'else', request.else.length, OPERATIONS_MAX)
    if (isTooLong(request)) return
    checkEach(bounds, 'compare', request.compare, checkCompare)
    checkEach(bounds, 'then', request.then, checkStep)
    checkEach(bounds, 'else', request.else, checkStep)
  },
  carryOut,
}

function carryOut(books: Books, request: Request, at: Moment, steps: Steps): Outcome | Refusal {
  const succeeded = request.compare.every((compare) => books.keys.holds(compare))
  const responses: Step[] = []
  let bytes = 0
  books.begin()
  for (const step of succeeded ? request.then : request.else) {
    const outcome = steps.carryOut(books, step, at)
    if (outcome instanceof Refusal) return books.takeBack(outcome)
    bytes += pairBytesIn(outcome)
    if (bytes > ANSWER_BYTES_MAX) {
      return books.takeBack(Refusal.of('RESPONSE_TOO_LARGE', { bytes_max: String(ANSWER_BYTES_MAX) }))
    }
    responses.push(outcome)
  }
  books.commit()
  return { succeeded, responses, revision: books.events.revision }
}

function isTooLong({ compare, then, else: otherwise }: Request): boolean {
  return compare.length > CONDITIONS_MAX || Math.max(then.length, otherwise.length) > OPERATIONS_MAX
}

function checkCount(bounds: Bounds, field: 'compare' | 'then' | 'else', count: number, countMax: number): void {
  if (count > countMax) bounds.broken(field, field === 'compare' ? 'TOO_MANY_CONDITIONS' : 'TOO_MANY_OPERATIONS', countMax)
}

function checkCompare({ key, target }: Compare, bounds: Bounds): void {
  checkKey(bounds, 'key', key)
  if (target.$case === 'value') checkValue(bounds, 'value', target.value)
}

function checkStep(step: Step, bounds: Bounds): void {
  bounds.checkStep(step)
}

/** The pairs that outcomes of steps may hold. */
interface Pairs {
  readonly pair?: KeyValuePair | undefined
  readonly previous?: KeyValuePair | readonly KeyValuePair[] | undefined
}

/** Bytes that the pairs in an answer take; the rest of it is small. */
function pairBytesIn({ value }: Step): number {
  const { pair, previous }: Pairs = value
  if (pair !== undefined) return pairBytes(pair)
  if (previous === undefined) return 0
  return 'key' in previous ? pairBytes(previous) : pairsBytes(previous)
}
