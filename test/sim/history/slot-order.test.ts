import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import type { Value } from '../../../src/paxos/types.js'
import { encodeOpenSession, encodeSessionCommand } from '../../../src/replication/envelope.js'
import { Violation } from '../../../src/sim/checkers/violation.js'
import { encodeRequest } from '../../../src/sim/clients/encode-request.js'
import { type PlainOutcome, refused } from '../../../src/sim/clients/plain-outcomes.js'
import type { SimulatedOperation, SimulatedRequest } from '../../../src/sim/clients/simulated-operations.js'
import { type ClientInvocation, History, sessionName } from '../../../src/sim/history/client-history.js'
import { checkSlotOrder } from '../../../src/sim/history/slot-order.js'
import { TOKEN } from '../../support/token.js'

const START_MS = 1_700_000_000_000
const HOUR_MS = 3_600_000

const ask = (operation: SimulatedOperation): SimulatedRequest => ({ operation, requestId: '' })
const put = (value: string): SimulatedRequest => ask({ kind: 'put', key: 'k', value })
const open = ask({ kind: 'open', account: 'a1', asset: 'EUR', overdraftLimit: 0 })
const deposit = (id: string): SimulatedRequest =>
  ask({ kind: 'deposit', id, account: 'a1', asset: 'EUR', amount: 5, isForged: false })
const withdraw = ask({ kind: 'withdraw', id: 'w1', account: 'a1', amount: 5 })

let history: History
let log: Value[]

/** Session 1 is a client's, session 2 a node's. Every decision has its own slot. */
beforeEach(() => {
  history = new History()
  log = []
  decide(encodeOpenSession(TOKEN))
  decide(encodeOpenSession(TOKEN))
  history.onSessionOpened('client', 1)
})

function decide(command: Uint8Array, timeMs = START_MS): number {
  log.push({ kind: 'batch', timeMs, commands: [command] })
  return log.length
}

/** Invokes a client's request in its session, or as a bare call. */
function asked(request: SimulatedRequest, fromUs: number, requestNumber?: number): ClientInvocation {
  const invocation = history.invoke('client', { kind: 'command', request }, fromUs)
  if (requestNumber !== undefined) invocation.sentAs.push(sessionName(1, requestNumber))
  return invocation
}

/** Decides a request in the client's session. Returns its slot in the log. */
function inSession(
  request: SimulatedRequest,
  requestNumber: number,
  { first = 1, timeMs = START_MS, clientId = 1 } = {},
): number {
  const command = encodeRequest(request)
  return decide(encodeSessionCommand({ clientId, token: TOKEN, requestNumber, firstUnacknowledged: first, command }), timeMs)
}

function answered(invocation: ClientInvocation, slot: number, outcome: PlainOutcome, atUs: number): void {
  history.onAnswer(invocation, { slot, outcome }, atUs)
}

const PUT_FIRST: PlainOutcome = { kind: 'put', revision: 2, previous: null }

function assertRight(): void {
  checkSlotOrder(history, log)
}

function assertBroken(how: RegExp): void {
  assert.throws(
    () => checkSlotOrder(history, log),
    (error) => error instanceof Violation && how.test(error.message),
  )
}

test('a retry that is decided twice is carried out once, and both get the first answer', () => {
  const invocation = asked(put('x'), 0, 1)
  const slot = inSession(put('x'), 1)
  inSession(put('x'), 1)
  answered(invocation, slot, PUT_FIRST, 9)
  assertRight()
})

test('an answer with the slot of the second decision is wrong', () => {
  const invocation = asked(put('x'), 0, 1)
  inSession(put('x'), 1)
  answered(invocation, inSession(put('x'), 1), PUT_FIRST, 9)
  assertBroken(/was answered .* at slot 4, but by the log it is .* at slot 3/)
})

test('an answer to a request that is not in the log is wrong', () => {
  answered(asked(put('x'), 0, 1), 3, PUT_FIRST, 9)
  assertBroken(/but the log does not hold it/)
})

test('a command that no client sent, and one that was sent under another number, must not be in the log', () => {
  asked(put('x'), 0, 1)
  inSession(put('y'), 1)
  assertBroken(/slot 3 holds a command that no client sent/)
  log.pop()
  inSession(put('x'), 2)
  assertBroken(/slot 3 holds, as 1:2 of client, what client did not send under that number/)
})

test('a bare call that was decided twice is carried out once by its id, and the repeat raises no false alarm', () => {
  asked(open, 0, 1)
  asked(deposit('d1'), 0, 2)
  inSession(open, 1)
  const slot = inSession(deposit('d1'), 2)
  const first = asked(withdraw, 10)
  const executed = inSession(withdraw, 1, { clientId: 2 })
  answered(first, executed, withdrawn(), 20)
  const between = asked(deposit('d2'), 21, 3)
  const later = inSession(deposit('d2'), 3)
  answered(between, later, depositedAgain(), 25)
  // Asked after that answer, and yet answered with an earlier effect.
  const repeat = asked(withdraw, 30)
  inSession(withdraw, 2, { clientId: 2 })
  answered(repeat, executed, withdrawn(), 40)
  assert.equal(slot, 4)
  assertRight()
})

test('a bare call whose answer was not looked up after it was asked is out of order', () => {
  const first = asked(put('x'), 0)
  answered(first, inSession(put('x'), 1, { clientId: 2 }), PUT_FIRST, 9)
  const second = asked(put('x'), 10)
  answered(second, 3, PUT_FIRST, 19)
  assertBroken(/stands no later than slot 3 of request 1 of client, .* which was answered before it was asked/)
})

test('a refused id that takes effect later is found out', () => {
  asked(open, 0, 1)
  inSession(open, 1)
  const refusal = asked(withdraw, 10)
  answered(refusal, inSession(withdraw, 1, { clientId: 2 }), refused('INSUFFICIENT_FUNDS'), 12)
  asked(deposit('d1'), 0, 2)
  inSession(deposit('d1'), 2)
  const late = asked(withdraw, 20)
  const slot = inSession(withdraw, 2, { clientId: 2 })
  answered(late, slot, withdrawn(), 22)
  assertBroken(/but by the log it is {"kind":"refused","reason":"INSUFFICIENT_FUNDS"} at slot 4/)
})

test('a request after an idle hour of log time in its session is not carried out', () => {
  asked(put('x'), 0, 1)
  inSession(put('x'), 1)
  const late = asked(put('y'), 10, 2)
  answered(late, inSession(put('y'), 2, { timeMs: START_MS + HOUR_MS }), { ...PUT_FIRST, revision: 3 }, 20)
  assertBroken(/but the log does not hold it/)
})

test('a request below the first unacknowledged is not carried out', () => {
  const late = asked(put('x'), 0, 1)
  asked(put('y'), 0, 2)
  inSession(put('y'), 2, { first: 2 })
  answered(late, inSession(put('x'), 1), { ...PUT_FIRST, revision: 3 }, 20)
  assertBroken(/but the log does not hold it/)
})

test('a client id must come from the log', () => {
  history.onSessionOpened('other', 3)
  assertBroken(/client id 3 was given to a client, but the log opened no such session/)
  assert.throws(() => history.onSessionOpened('third', 3), /client id 3 was given to other and to third/)
})

test('a read must return the state of its slot, and the slot must be decided', () => {
  asked(put('x'), 0, 1)
  inSession(put('x'), 1)
  const read = history.invoke('client', { kind: 'read', query: { kind: 'get', key: 'k' } }, 1)
  answered(read, 2, { kind: 'get', pair: null, revision: 1 }, 5)
  assertRight()
  const wrong = history.invoke('client', { kind: 'read', query: { kind: 'get', key: 'k' } }, 1)
  answered(wrong, 3, { kind: 'get', pair: null, revision: 1 }, 5)
  assertBroken(/read {"kind":"get","key":"k"}, was answered .*"pair":null.* but by the log it is .*"value":"x"/)
  const ahead = new History()
  ahead.onSessionOpened('client', 1)
  answeredIn(ahead, 9)
  assert.throws(() => checkSlotOrder(ahead, log.slice(0, 2)), /as of slot 9, which was never decided/)
})

function answeredIn(other: History, slot: number): void {
  const read = other.invoke('client', { kind: 'read', query: { kind: 'get', key: 'k' } }, 1)
  other.onAnswer(read, { slot, outcome: { kind: 'get', pair: null, revision: 1 } }, 5)
}

type Movement = Extract<PlainOutcome, { kind: 'movement' }>

const ACCOUNT = { account: 'a1', asset: 'EUR', balance: 0, held: 0, overdraftLimit: 0, openedMs: START_MS }

function movement(id: string, kind: 'deposit' | 'withdrawal'): Movement['movement'] {
  return {
    id,
    kind,
    source: kind === 'deposit' ? '' : 'a1',
    destination: kind === 'deposit' ? 'a1' : '',
    asset: 'EUR',
    amount: 5,
    status: 'posted',
    pendingAmount: 0,
    refusalReason: '',
    timeMs: START_MS,
    expiresMs: null,
  }
}

/** Returns the withdrawal of everything that was deposited first. */
function withdrawn(): Movement {
  return { kind: 'movement', movement: movement('w1', 'withdrawal'), source: ACCOUNT, destination: null }
}

function depositedAgain(): Movement {
  return { kind: 'movement', movement: movement('d2', 'deposit'), source: null, destination: { ...ACCOUNT, balance: 5 } }
}
