import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Violation } from '../../../src/sim/checkers/violation.js'
import { drawHabits } from '../../../src/sim/clients/habits.js'
import type { PlainOutcome } from '../../../src/sim/clients/plain-outcomes.js'
import type { SimulatedQuery, SimulatedRequest } from '../../../src/sim/clients/simulated-operations.js'
import { Workload } from '../../../src/sim/clients/workload.js'
import { searchOrder } from '../../../src/sim/history/linearizability.js'
import { findOrder } from '../../../src/sim/history/order-of-answers.js'
import { checkSlotOrder } from '../../../src/sim/history/slot-order.js'
import { Random } from '../../../src/sim/random.js'
import { type Told, tell } from './told.js'

const STEPS_MAX = 20_000

/** Returns the verdicts of the two checkers. */
function judge(order: readonly Told[]): { byOrder: string; bySlots: string } {
  const { history, log } = tell(order)
  const { kind, steps } = findOrder(history.invocations, STEPS_MAX)
  assert.ok(steps <= STEPS_MAX)
  try {
    checkSlotOrder(history, log)
    return { byOrder: kind, bySlots: 'right' }
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    return { byOrder: kind, bySlots: 'wrong' }
  }
}

const RIGHT = { byOrder: 'linearizable', bySlots: 'right' }
const WRONG = { byOrder: 'notLinearizable', bySlots: 'wrong' }

const put = (value: string): SimulatedRequest => ({ operation: { kind: 'put', key: 'k', value }, requestId: '' })
const get: SimulatedQuery = { kind: 'get', key: 'k' }
const open: SimulatedRequest = { operation: { kind: 'open', account: 'a1', asset: 'EUR', overdraftLimit: 0 }, requestId: '' }
const deposit: SimulatedRequest = {
  operation: { kind: 'deposit', id: 'd1', account: 'a1', asset: 'EUR', amount: 5, isForged: false },
  requestId: '',
}
const balance: SimulatedQuery = { kind: 'balance', account: 'a1' }

test('sequential requests that see all earlier ones are linearizable', () => {
  const order = [
    { ask: put('x'), from: 0, to: 1 },
    { ask: get, from: 2, to: 3 },
    { ask: put('y'), from: 4, to: 5 },
    { ask: get, from: 6, to: 7 },
  ]
  assert.deepEqual(judge(order), RIGHT)
})

test('a read that misses an earlier acknowledged write is stale', () => {
  const order = [
    { ask: put('x'), from: 0, to: 1 },
    { ask: get, from: 4, to: 5 },
    { ask: put('y'), from: 2, to: 3 },
  ]
  assert.deepEqual(judge(order), WRONG)
})

test('a read concurrent with a write may see it or not, but a later read must see what an earlier one saw', () => {
  const before = { ask: put('x'), from: 0, to: 1 }
  const write = { ask: put('y'), from: 2, to: 20 }
  const early = { ask: get, from: 3, to: 5 }
  const late = { ask: get, from: 6, to: 8 }
  assert.deepEqual(judge([before, write, early, late]), RIGHT)
  assert.deepEqual(judge([before, early, write, late]), RIGHT)
  assert.deepEqual(judge([before, early, late, write]), RIGHT)
  assert.deepEqual(judge([before, late, write, early]), WRONG)
})

test('an acknowledged write that no read sees is found to be lost', () => {
  const order = [
    { ask: put('x'), from: 0, to: 1, fate: 'lost' },
    { ask: get, from: 2, to: 3 },
  ] as const
  assert.deepEqual(judge(order), WRONG)
})

test('a write that was carried out twice is found', () => {
  const order = [
    { ask: put('x'), from: 0, to: 1, fate: 'twice' },
    { ask: get, from: 2, to: 3 },
  ] as const
  assert.deepEqual(judge(order), WRONG)
})

test('two sequential writes must not take effect in the opposite order', () => {
  const order = [
    { ask: put('y'), from: 2, to: 3 },
    { ask: put('x'), from: 0, to: 1 },
  ]
  assert.deepEqual(judge(order), WRONG)
  const concurrent = [
    { ask: put('y'), from: 1, to: 3 },
    { ask: put('x'), from: 0, to: 1 },
  ]
  assert.deepEqual(judge(concurrent), RIGHT)
})

test('an unanswered request may take effect late, or never, but not before it was asked', () => {
  const opened = { ask: open, from: 0, to: 1 }
  const untold = { ask: deposit, from: 2, to: undefined }
  const early = { ask: balance, from: 3, to: 4 }
  const late = { ask: balance, from: 100, to: 101 }
  assert.deepEqual(judge([opened, untold, early, late]), RIGHT)
  assert.deepEqual(judge([opened, early, untold, late]), RIGHT)
  assert.deepEqual(judge([opened, early, late, { ...untold, fate: 'never' }]), RIGHT)
  // It may take effect late, but must not be seen before it is asked.
  assert.deepEqual(judge([opened, { ...untold, from: 50 }, early]).byOrder, 'notLinearizable')
  // Nor may its effect appear and disappear.
  assert.deepEqual(judge([opened, late, untold, early]), WRONG)
})

test('the same id from two clients takes effect once, and both get the first result', () => {
  const order = [
    { ask: open, from: 0, to: 1 },
    { ask: deposit, from: 2, to: 5 },
    { ask: balance, from: 6, to: 7 },
    { ask: deposit, from: 8, to: 9 },
    { ask: balance, from: 10, to: 11 },
  ]
  assert.deepEqual(judge(order), RIGHT)
})

test('a hold with a timeout may end by itself, and stays ended', () => {
  const hold: SimulatedRequest = {
    operation: { kind: 'transfer', id: 't1', source: 'a1', destination: 'a2', amount: 5, isPending: true, timeoutMs: 3 },
    requestId: '',
  }
  const order = [
    { ask: open, from: 0, to: 1 },
    { ask: { operation: { ...open.operation, account: 'a2' }, requestId: '' } as SimulatedRequest, from: 0, to: 1 },
    { ask: deposit, from: 2, to: 3 },
    { ask: hold, from: 4, to: 5 },
    { ask: balance, from: 6, to: 7 },
    { ask: put('x'), from: 8, to: 9 },
    { ask: put('y'), from: 8, to: 9 },
    { ask: put('z'), from: 10, to: 11 },
    { ask: balance, from: 12, to: 13 },
    { ask: { operation: { kind: 'post', id: 't1', amount: 0 }, requestId: '' } as SimulatedRequest, from: 14, to: 15 },
  ]
  const { history } = tell(order)
  const [first, last] = history.invocations.filter(({ asked }) => asked.kind === 'read')
  assert.match(JSON.stringify(first?.answer), /"held":5/)
  assert.match(JSON.stringify(last?.answer), /"held":0/)
  assert.deepEqual(judge(order), RIGHT)
})

test('a search that takes too long is undecided', () => {
  const order = Array.from({ length: 8 }, (_, i) => ({ ask: put(`v${i}`), from: 0, to: 1 }))
  const { history } = tell([...order.toReversed(), { ask: get, from: 2, to: 3, fate: 'lost' }])
  assert.equal(findOrder(history.invocations, 5).kind, 'undecided')
  assert.equal(findOrder(history.invocations, STEPS_MAX).kind, 'linearizable')
})

test('the search remembers sets of operations, not their orders', () => {
  // Ten operations that any order explains, then one that none does: 2^10 sets, but 10! orders.
  const operations = Array.from({ length: 11 }, (_, i) => ({
    invokedUs: i < 10 ? 0 : 2,
    returnedUs: i < 10 ? 1 : 3,
    isWrong: i === 10,
  }))
  const model = { step: ({ isWrong }: { isWrong: boolean }) => !isWrong, undo: () => undefined, fingerprint: '' }
  const { kind, steps } = searchOrder<(typeof operations)[number]>(operations, model, 1_000_000)
  assert.equal(kind, 'notLinearizable')
  assert.ok(steps <= 10 * 2 ** 10, `${steps} steps`)
})

/** The times of a request, relative to the moment at which it is carried out: the i-th at 10 i. */
const interval = fc.record({ before: fc.nat(40), after: fc.nat(40), isTold: fc.boolean() })
const run = fc.record({ seed: fc.nat(100_000), intervals: fc.array(interval, { maxLength: 30 }) })
/** A long run: in short ones little can go wrong. */
const longRun = fc.record({
  seed: fc.nat(100_000),
  intervals: fc.array(fc.record({ before: fc.nat(40), after: fc.nat(40), isTold: fc.nat(9).map((n) => n > 0) }), {
    minLength: 20,
    maxLength: 40,
  }),
})

function draw({
  seed,
  intervals,
}: {
  seed: number
  intervals: readonly { before: number; after: number; isTold: boolean }[]
}): Told[] {
  const random = new Random(seed)
  const workload = new Workload({ ...drawHabits(random), reuseRate: 0.1 }, random)
  return intervals.map(({ before, after, isTold }, i) => {
    const ask = random.chance(0.3) ? workload.drawQuery() : workload.drawRequest({ hasSession: true })
    return { ask, from: 10 * i - before, to: isTold ? 10 * i + after : undefined }
  })
}

test('every run of a correct cluster passes both checkers, with any overlap of requests and any answers lost', () => {
  fc.assert(
    fc.property(run, (drawn) => {
      assert.deepEqual(judge(draw(drawn)), RIGHT)
    }),
    { numRuns: 300 },
  )
})

/** Returns an outcome that no cluster could give: a number that was never reached, or a reason that does not exist. */
function falsify(outcome: PlainOutcome): PlainOutcome {
  const text = JSON.stringify(outcome)
  const changed = text.replace(
    /"(balance|revision|amount|count)":(-?\d+)/,
    (_, name: string, n: string) => `"${name}":${Number(n) + 1_000_003}`,
  )
  return changed === text ? { kind: 'refused', reason: 'FALSE' } : (JSON.parse(changed) as PlainOutcome)
}

test('both checkers find one false answer', () => {
  fc.assert(
    fc.property(run, fc.nat(29), (drawn, which) => {
      const order = draw({ ...drawn, intervals: drawn.intervals.map((i) => ({ ...i, isTold: true })) })
      fc.pre(which < order.length)
      assert.deepEqual(judge(order.map((told, i) => (i === which ? { ...told, changed: falsify } : told))), WRONG)
    }),
    { numRuns: 300 },
  )
})

test('a request is moved to another time: if the slots allow it, an order explains it', () => {
  let foundWrong = 0
  fc.assert(
    fc.property(longRun, fc.nat(19), fc.integer({ min: -200, max: 200 }), (drawn, which, byUs) => {
      const order = draw(drawn).map((told, i) =>
        i === which ? { ...told, from: told.from + byUs, to: told.to === undefined ? undefined : told.to + byUs } : told,
      )
      const { byOrder, bySlots } = judge(order)
      if (bySlots === 'right') assert.notEqual(byOrder, 'notLinearizable')
      if (byOrder === 'notLinearizable') foundWrong++
    }),
    { numRuns: 300 },
  )
  assert.ok(foundWrong > 20, `only ${foundWrong} of them were wrong`)
})
