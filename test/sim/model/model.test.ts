import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sessionCodec } from '../../../src/replication/session-records.js'
import { SESSION_LIMITS } from '../../../src/replication/session-table.js'
import { Sessions } from '../../../src/replication/sessions.js'
import { decodeAnswer } from '../../../src/sim/clients/decode-result.js'
import { encodeQuery, encodeRequest } from '../../../src/sim/clients/encode-request.js'
import { drawHabits, type OperationMix } from '../../../src/sim/clients/habits.js'
import type { SimulatedOperation, SimulatedQuery, SimulatedRequest } from '../../../src/sim/clients/simulated-operations.js'
import { Workload } from '../../../src/sim/clients/workload.js'
import { Application, INITIAL_COMMANDS } from '../../../src/sim/cluster/application.js'
import { Model } from '../../../src/sim/model/model.js'
import { SessionsModel } from '../../../src/sim/model/sessions-model.js'
import { Random } from '../../../src/sim/random.js'
import { TOKEN } from '../../support/token.js'

const START_MS = 1_700_000_000_000

/** The machine and the model, side by side. */
class Pair {
  readonly application = new Application()
  readonly model = new Model({ isSearched: true })
  slot = 0
  timeMs = START_MS

  constructor() {
    for (const command of INITIAL_COMMANDS) this.application.machine.apply(command, { slot: 0, timeMs: 0, level: 1 })
  }

  apply(request: SimulatedRequest): string {
    const at = { slot: ++this.slot, timeMs: this.timeMs, level: 1 }
    const { machine } = this.application
    machine.onSlot?.(at)
    this.model.passTime(at.timeMs)
    const command = encodeRequest(request)
    const result = machine.apply(command, at)
    const found = decodeAnswer({ slot: at.slot, result: machine.answer(command) ?? result })
    const { slot, outcome } = this.model.apply(request, at)
    assert.deepEqual(found, { slot, outcome }, JSON.stringify(request))
    assert.deepEqual(this.model.broken(), [])
    return outcome.kind === 'refused' ? outcome.reason : outcome.kind
  }

  ask(operation: SimulatedOperation, requestId = ''): string {
    return this.apply({ operation, requestId })
  }

  query(query: SimulatedQuery): void {
    const result = this.application.machine.query(encodeQuery(query))
    assert.deepEqual(decodeAnswer({ slot: this.slot, result }).outcome, this.model.query(query), JSON.stringify(query))
  }
}

const everything: OperationMix = { keyRate: 1, txnRate: 1, movementRate: 1, holdRate: 1, batchRate: 1, logReadRate: 1 }

test('the machine and the model agree on thousands of random requests, and each kind of outcome comes up', () => {
  const seen = new Map<string, number>()
  for (let seed = 1; seed <= 25; seed++) {
    const random = new Random(seed)
    const workload = new Workload({ ...drawHabits(random), ...everything, reuseRate: 0.15 }, random)
    const pair = new Pair()
    for (let i = 0; i < 250; i++) {
      pair.timeMs += random.chance(0.7) ? random.int(0, 100) : 0
      const told = pair.apply(workload.drawRequest({ hasSession: random.chance(0.5) }))
      seen.set(told, (seen.get(told) ?? 0) + 1)
      if (random.chance(0.3)) pair.query(workload.drawQuery())
    }
  }
  // A formatted list is easier to read.
  const rarest = [
    'put',
    'delete',
    'get',
    'list',
    'account',
    'accounts',
    'movement',
    'batch',
    'txn',
    'ID_REUSED',
    'ACCOUNT_EXISTS',
    'ASSET_MISMATCH',
    'ACCOUNT_NOT_FOUND',
    'TRANSFER_NOT_FOUND',
    'INVALID_SIGNATURE',
    'INSUFFICIENT_FUNDS',
    'TRANSFER_NOT_PENDING',
    'TRANSFER_EXPIRED',
    'EXCEEDS_PENDING_AMOUNT',
  ]
  assert.deepEqual(
    rarest.filter((kind) => !seen.has(kind)),
    [],
  )
  assert.equal(seen.has('INVALID_ARGUMENT'), false, 'what is drawn is valid')
  assert.equal(seen.has(''), false)
})

const transfer = {
  kind: 'transfer',
  id: 't1',
  source: 'a1',
  destination: 'a2',
  amount: 40,
  isPending: false,
  timeoutMs: 0,
} as const

/** Returns a pair with two accounts, of which the first has 100. */
function funded(): Pair {
  const pair = new Pair()
  for (const account of ['a1', 'a2']) pair.ask({ kind: 'open', account, asset: 'EUR', overdraftLimit: 0 })
  pair.ask({ kind: 'deposit', id: 'd1', account: 'a1', asset: 'EUR', amount: 100, isForged: false })
  return pair
}

test('a hold ends by itself at its expiry, to the millisecond, and not before', () => {
  const pair = funded()
  pair.ask({ ...transfer, isPending: true, timeoutMs: 500 })
  pair.timeMs += 499
  assert.equal(pair.ask({ ...transfer, id: 't2', amount: 80 }), 'INSUFFICIENT_FUNDS')
  pair.timeMs += 1
  assert.equal(pair.ask({ ...transfer, id: 't3', amount: 80 }), 'movement')
  assert.equal(pair.ask({ kind: 'post', id: 't1', amount: 0 }), 'TRANSFER_EXPIRED')
})

test('a refused id stays refused, alone and in a transaction, and a repeat is told the first slot', () => {
  const pair = funded()
  assert.equal(pair.ask({ ...transfer, amount: 500 }), 'INSUFFICIENT_FUNDS')
  const slot = pair.slot
  pair.ask({ kind: 'deposit', id: 'd2', account: 'a1', asset: 'EUR', amount: 1_000, isForged: false })
  assert.equal(pair.ask({ ...transfer, amount: 500 }), 'INSUFFICIENT_FUNDS')
  const repeat = pair.model.apply({ operation: { ...transfer, amount: 500 }, requestId: '' }, { slot: 99, timeMs: pair.timeMs })
  assert.equal(repeat.slot, slot)
  const txn = { kind: 'txn', compare: [], whenTrue: [{ ...transfer, amount: 500 }], whenFalse: [] } as const
  assert.equal(pair.ask(txn), 'INSUFFICIENT_FUNDS')
  assert.equal(pair.ask({ ...transfer, amount: 499 }), 'ID_REUSED')
})

test('a group of linked transfers that was refused gets the first results when it is sent again', () => {
  const pair = funded()
  const transfers = [transfer, { ...transfer, id: 't2', amount: 99 }, { ...transfer, id: 't3', amount: 1 }]
  const batch = { kind: 'batch', transfers, linkedGroups: [{ first: 0, count: 2 }] } as const
  pair.ask(batch)
  pair.ask({ kind: 'deposit', id: 'd2', account: 'a1', asset: 'EUR', amount: 1_000, isForged: false })
  pair.ask(batch)
  pair.query({ kind: 'accounts' })
})

test('a forged deposit does not use up its id', () => {
  const pair = funded()
  const deposit = { kind: 'deposit', id: 'd9', account: 'a1', asset: 'EUR', amount: 7 } as const
  assert.equal(pair.ask({ ...deposit, isForged: true }), 'INVALID_SIGNATURE')
  assert.equal(pair.ask({ ...deposit, isForged: false }), 'movement')
  assert.equal(pair.ask({ ...deposit, isForged: true }), 'ID_REUSED')
})

test('undoing restores the model, down to the fingerprint', () => {
  const random = new Random(5)
  const workload = new Workload({ ...drawHabits(random), ...everything }, random)
  const model = new Model({ isSearched: true })
  const prints = new Set([model.fingerprint])
  for (let i = 0; i < 300; i++) {
    const { mark, fingerprint } = model
    const request = workload.drawRequest({ hasSession: true })
    const effect = model.apply(request, { slot: i, timeMs: i })
    const after = model.fingerprint
    model.undoTo(mark)
    assert.equal(model.fingerprint, fingerprint)
    assert.deepEqual(model.apply(request, { slot: i, timeMs: i }), effect)
    assert.equal(model.fingerprint, after)
    prints.add(after)
  }
  assert.ok(prints.size > 100)
})

const LIMITS = { sessionCountMax: 6, answersPerSessionMax: 4 }
const OTHER_TOKEN = new Uint8Array(16).fill(8)

test('sessions of the machine and of the model agree: repeats, acknowledged and other numbers, other tokens, closes, no room, an idle hour', () => {
  const { application, model } = new Pair()
  const sessions = new SessionsModel(model, LIMITS)
  const real = new Sessions(application.machine, sessionCodec, { ...SESSION_LIMITS, ...LIMITS })
  const random = new Random(11)
  const workload = new Workload({ ...drawHabits(random), ...everything }, random)
  const sent: { clientId: number; requestNumber: number; firstUnacknowledged: number; request: SimulatedRequest }[] = []
  const kinds = new Map<string, number>()
  let clientCount = 0
  for (let slot = 1, timeMs = START_MS; slot <= 4_000; slot++) {
    timeMs += random.chance(0.02) ? random.int(0, 5_000_000) : random.int(0, 1_000)
    const at = { slot, timeMs, level: 1 }
    for (const due = real.onSlot(at); due?.next().done === false; );
    model.passTime(timeMs)
    if (clientCount === 0 || random.chance(0.02)) {
      clientCount = sessions.open(TOKEN, at)
      assert.equal(real.openSession(TOKEN, at), clientCount)
      continue
    }
    if (random.chance(0.01)) {
      const name = { clientId: random.int(1, clientCount), token: random.chance(0.5) ? TOKEN : OTHER_TOKEN }
      sessions.close(name, at)
      real.closeSession(name, at)
      continue
    }
    const clientId = random.int(Math.max(1, clientCount - 6), clientCount)
    const requestNumber = random.chance(0.02) ? 2_000_000 : random.int(1, 20)
    const firstUnacknowledged = random.int(1, random.chance(0.05) ? requestNumber + 1 : Math.min(requestNumber, 4))
    const fresh = { clientId, requestNumber, firstUnacknowledged, request: workload.drawRequest({ hasSession: true }) }
    // A command usually keeps its number.
    const known = random.chance(0.3) ? undefined : sent.find((s) => s.clientId === clientId && s.requestNumber === requestNumber)
    const { request, ...numbers } = known === undefined ? fresh : { ...known, firstUnacknowledged }
    const command = { ...numbers, token: random.chance(0.05) ? OTHER_TOKEN : TOKEN }
    if (known === undefined) sent.push(fresh)
    const expected = sessions.apply(command, request, at)
    const found = real.apply({ ...command, command: encodeRequest(request) }, at)
    assert.equal(found.kind, expected.kind, `slot ${slot}`)
    kinds.set(found.kind, (kinds.get(found.kind) ?? 0) + 1)
    if (found.kind !== 'result' || expected.kind !== 'result') continue
    kinds.set(`${expected.isFirst}`, (kinds.get(`${expected.isFirst}`) ?? 0) + 1)
    const { operation } = request
    if (operation.kind === 'logRead') {
      // A logged read is answered as of each of its places.
      const result = real.answer(encodeRequest(request)) ?? found.result
      assert.deepEqual(decodeAnswer({ slot, result }), { slot, outcome: model.query(operation.query) })
      continue
    }
    const { outcome, slot: effectSlot } = expected.effect
    assert.deepEqual(decodeAnswer(found), { slot: effectSlot, outcome })
  }
  for (const kind of ['sessionExpired', 'alreadyAcknowledged', 'idReused', 'beyondAsked', 'sessionFull', 'true', 'false']) {
    assert.ok((kinds.get(kind) ?? 0) > 10, `${kind}: ${kinds.get(kind)}`)
  }
})
