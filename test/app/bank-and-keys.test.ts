import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assert as check, nat, oneof, property, tuple, uint8Array } from 'fast-check'
import { BankAndKeys } from '../../src/api/bank-and-keys.js'
import { FIRST_ANSWER_LIMITS } from '../../src/app/first-answers.js'
import type { TransferBatchRequest, TransferRequest } from '../../src/gen/synod/bank/v1/bank.js'
import { Command, Query, Result } from '../../src/gen/synod/session/v1/session.js'
import { CheckpointDisk } from './checkpoint-disk.js'
import { bytes, fakeCrypto, GOOD } from './fixture.js'
import { INITIAL_COMMAND } from './random-commands.js'

type Operation = NonNullable<Command['operation']>

const DAY_MS = 24 * 60 * 60 * 1000

class Fixture {
  readonly machine = new BankAndKeys(fakeCrypto)
  timeMs = 1_000
  slot = 0

  constructor() {
    this.run(INITIAL_COMMAND.operation as Operation)
  }

  bytes(command: Uint8Array): Uint8Array {
    const at = { slot: this.slot++, timeMs: this.timeMs, level: 1 }
    this.machine.onSlot(at)
    return this.machine.apply(command, at)
  }

  result(operation: Operation): Result {
    return Result.decode(this.bytes(Command.encode({ operation }).finish()))
  }

  run(operation: Operation): Result['outcome'] {
    return this.result(operation).outcome
  }

  reason(operation: Operation): string {
    const outcome = this.run(operation)
    return outcome?.$case === 'refusal' ? outcome.value.reason : 'OK'
  }
}

function put(key: string, text: string, requestId = ''): Operation {
  return { $case: 'put', value: { key, value: bytes(text), returnPrevious: true, requestId } }
}

function open(accountId: string, requestId = ''): Operation {
  return { $case: 'openAccount', value: { accountId, asset: 'EUR', overdraftLimit: 0n, requestId } }
}

function depositTo(accountId: string, depositId: string, amount: bigint): Operation {
  return { $case: 'deposit', value: { depositId, accountId, asset: 'EUR', amount, authorityId: 'mint', signature: GOOD } }
}

function wireTransfer(transferId: string, { amount = 3n, pending = false } = {}): TransferRequest {
  return { transferId, sourceAccountId: 'a', destinationAccountId: 'b', amount, pending, timeout: undefined }
}

function transferOf(transferId: string, options: { pending?: boolean } = {}): Operation {
  return { $case: 'transfer', value: wireTransfer(transferId, options) }
}

function batchOf(firstId: string, secondId: string, secondAmount = 1n): TransferBatchRequest {
  return { transfers: [wireTransfer(firstId), wireTransfer(secondId, { amount: secondAmount })], linkedGroups: [] }
}

test('whatever the bytes, the answer is a result', () => {
  const { machine } = new Fixture()
  const valid = Command.encode({ operation: open('a') }).finish()
  const mangled = tuple(nat(valid.length - 1), nat(255), nat(valid.length)).map(([at, byte, end]) =>
    valid.map((old, i) => (i === at ? byte : old)).slice(0, end),
  )
  check(
    property(oneof(uint8Array({ maxLength: 60 }), mangled), (input) => {
      const result = machine.apply(input, { slot: 1, timeMs: 1, level: 1 })
      assert.notEqual(Result.decode(machine.answer(input) ?? result).outcome, undefined)
      assert.notEqual(Result.decode(machine.query(input)).outcome, undefined)
    }),
    { numRuns: 2_000 },
  )
})

test('what cannot be decoded, or is out of its bounds, is refused with INVALID_ARGUMENT', () => {
  const fixture = new Fixture()
  const garbage = Result.decode(fixture.bytes(bytes('garbage'))).outcome
  assert.ok(garbage?.$case === 'refusal' && garbage.value.reason === 'INVALID_ARGUMENT')
  const invalid = fixture.run({ $case: 'transferBatch', value: { transfers: [], linkedGroups: [] } })
  assert.ok(invalid?.$case === 'refusal')
  assert.equal(invalid.value.reason, 'INVALID_ARGUMENT')
})

test('an id that is no UTF-8 is refused, not mended: two of them would become one', () => {
  const fixture = new Fixture()
  const command = Command.encode({ operation: open('abc') }).finish()
  const at = Buffer.from(command).indexOf('abc')
  command[at + 1] = 0xff
  const outcome = Result.decode(fixture.bytes(command)).outcome
  assert.ok(outcome?.$case === 'refusal' && outcome.value.reason === 'INVALID_ARGUMENT')
})

test('only in slot 0 an authority comes in unsigned', () => {
  const fixture = new Fixture()
  const outcome = fixture.run(INITIAL_COMMAND.operation as Operation)
  assert.ok(outcome?.$case === 'refusal')
  assert.equal(outcome.value.reason, 'INVALID_ARGUMENT')
})

test('values are copied out of the message that they came in', () => {
  const fixture = new Fixture()
  const command = Command.encode({ operation: put('a', 'value') }).finish()
  fixture.bytes(command)
  command.fill(0)
  const { outcome } = fixture.machine.read({ query: { $case: 'get', value: { key: 'a', consistency: 0 } } })
  assert.ok(outcome?.$case === 'get')
  assert.equal(Buffer.from(outcome.value.pair?.value ?? bytes('')).toString(), 'value')
  assert.equal(
    fixture.machine.books.keys.get({ key: 'a' }).pair?.value,
    'value',
    'no view of a buffer that would be kept with it',
  )
})

test('a query answers the same as bytes, as a message and through the log', () => {
  const fixture = new Fixture()
  fixture.run(open('a'))
  const query: Query = { query: { $case: 'getBalance', value: { accountId: 'a', consistency: 2 } } }
  const expected = fixture.machine.read(query)
  assert.deepEqual(fixture.machine.query(Query.encode(query).finish()), Result.encode(expected).finish())
  const command = Command.encode({ operation: { $case: 'query', value: query } }).finish()
  fixture.bytes(command)
  assert.deepEqual(fixture.machine.answer(command), Result.encode(expected).finish())
})

test('of a query in the log nothing is kept or compared, whatever it comes to', () => {
  const fixture = new Fixture()
  fixture.run(open('a'))
  const queries: Query['query'][] = [
    { $case: 'getBalance', value: { accountId: 'a', consistency: 1 } },
    { $case: 'getBalance', value: { accountId: 'nobody', consistency: 1 } },
    { $case: 'listAccounts', value: { pageSize: 5_000, pageToken: '', consistency: 1 } },
    undefined,
  ]
  for (const query of queries) {
    const command = Command.encode({ operation: { $case: 'query', value: { query } } }).finish()
    assert.equal(fixture.bytes(command).length, 0)
    assert.ok((fixture.machine.answer(command)?.length ?? 0) > 0)
  }
  assert.equal(fixture.machine.answer(Command.encode({ operation: open('b') }).finish()), undefined)
  assert.equal(fixture.machine.answer(bytes('junk')), undefined)
})

test('a request id gets its first answer again, a refusal included', () => {
  const fixture = new Fixture()
  const first = fixture.run(put('a', 'one', 'r1'))
  fixture.run(put('a', 'two', 'r2'))
  assert.deepEqual(fixture.run(put('a', 'one', 'r1')), first)
  fixture.run(open('x'))
  const refused = fixture.run(open('x', 'r3'))
  assert.equal(refused?.$case, 'refusal')
  assert.deepEqual(fixture.run(open('x', 'r3')), refused)
  const { outcome } = fixture.machine.read({ query: { $case: 'get', value: { key: 'a', consistency: 0 } } })
  assert.ok(outcome?.$case === 'get')
  assert.deepEqual([Buffer.from(outcome.value.pair?.value ?? bytes('')).toString(), outcome.value.revision], ['two', 4n])
})

test('a repeat gets the slot of the first result, a refusal included; other content gets its own', () => {
  const fixture = new Fixture()
  for (const accountId of ['a', 'b']) fixture.run(open(accountId))
  fixture.run(depositTo('a', 'd', 100n))
  const commands: Operation[] = [
    put('k', 'one', 'r1'),
    open('a', 'r2'),
    depositTo('a', 'd1', 1n),
    { $case: 'withdraw', value: { withdrawalId: 'w1', accountId: 'a', amount: 1n } },
    { $case: 'withdraw', value: { withdrawalId: 'w2', accountId: 'a', amount: 1_000n } },
    transferOf('t1'),
    transferOf('p1', { pending: true }),
    transferOf('p2', { pending: true }),
    { $case: 'postTransfer', value: { transferId: 'p1', amount: 2n } },
    { $case: 'voidTransfer', value: { transferId: 'p2', amount: 0n } },
    { $case: 'transferBatch', value: batchOf('b1', 'b2') },
    { $case: 'transferBatch', value: { ...batchOf('b3', 'b4', 1_000n), linkedGroups: [{ first: 0, count: 2 }] } },
  ]
  const firstSlot = fixture.slot
  const results = commands.map((operation) => fixture.result(operation))
  assert.deepEqual(
    results.map(({ slot }) => slot),
    commands.map((_, i) => firstSlot + i),
  )
  fixture.run(depositTo('a', 'd2', 50n))
  assert.deepEqual(
    commands.map((operation) => fixture.result(operation)),
    results,
  )
  const others: Operation[] = [
    put('k', 'two', 'r1'),
    depositTo('a', 'd1', 2n),
    { $case: 'transferBatch', value: batchOf('b1', 'b5') },
  ]
  for (const other of others) assert.equal(fixture.result(other).slot, fixture.slot - 1)
})

test('a request id with other content is refused, of whatever kind; one name space for all', () => {
  const fixture = new Fixture()
  fixture.run(put('a', 'one', 'r'))
  const others: Operation[] = [
    put('a', 'two', 'r'),
    put('b', 'one', 'r'),
    open('a', 'r'),
    { $case: 'delete', value: { target: { $case: 'key', value: 'a' }, all: false, returnPrevious: true, requestId: 'r' } },
  ]
  for (const operation of others) assert.equal(fixture.reason(operation), 'ID_REUSED')
})

/** The put of `a` under request id `r`, with a field that no version has. */
function withField15000(text: string): Buffer {
  const request = Buffer.concat([
    Buffer.from('0a016112036f6e6520012a0172', 'hex'),
    Buffer.from([0xc2, 0xa9, 0x07, text.length]),
    Buffer.from(text),
  ])
  return Buffer.concat([Buffer.from([0x0a, request.length]), request])
}

test('content is compared by its bytes, which every version reads alike; fields that it does not know are among them', () => {
  const fixture = new Fixture()
  const first = fixture.bytes(Command.encode({ operation: put('a', 'one', 'r') }).finish())
  assert.deepEqual(fixture.bytes(Command.encode({ operation: put('a', 'one', 'r') }).finish()), first)
  const { outcome } = Result.decode(fixture.bytes(withField15000('new')))
  assert.ok(outcome?.$case === 'refusal' && outcome.value.reason === 'ID_REUSED')
})

test('the answer to a request id is forgotten after a day of log time; that the id was used is not', () => {
  const fixture = new Fixture()
  const pass = (ms: number) => {
    fixture.timeMs += ms
    fixture.machine.onSlot({ slot: fixture.slot, timeMs: fixture.timeMs, level: 1 })
  }
  fixture.run(put('a', 'one', 'r'))
  pass(DAY_MS - 1)
  assert.equal(fixture.reason(put('a', 'two', 'r')), 'ID_REUSED')
  pass(1)
  assert.deepEqual(
    [put('a', 'one', 'r'), put('a', 'two', 'r'), open('b', 'r')].map((o) => fixture.reason(o)),
    ['EXPIRED_ID', 'EXPIRED_ID', 'EXPIRED_ID'],
  )
  pass(100 * DAY_MS)
  const outcome = fixture.run(put('a', 'one', 'r'))
  assert.deepEqual(outcome?.$case === 'refusal' && outcome.value.parameters, { request_id: 'r', slot: '1' })
  assert.equal(fixture.machine.books.events.revision, 2n)
})

test('a request id whose answer made room for others is not carried out again, wherever it stands by then', () => {
  const disk = new CheckpointDisk()
  const start = (): BankAndKeys => {
    const started = new BankAndKeys(fakeCrypto, { ...FIRST_ANSWER_LIMITS, countMax: 2 })
    disk.restore(started)
    return started
  }
  let machine = start()
  let slot = 0
  const reason = (requestId: string): string => {
    const command = Command.encode({ operation: put('a', requestId, requestId) }).finish()
    const { outcome } = Result.decode(machine.apply(command, { slot: ++slot, timeMs: slot, level: 1 }))
    return outcome?.$case === 'refusal' ? outcome.value.reason : 'OK'
  }
  const used: string[] = []
  const check = () => assert.deepEqual(new Set(used.slice(0, -2).map(reason)), new Set(used.length > 2 ? ['EXPIRED_ID'] : []))
  for (let i = 0; i < 12; i++) {
    used.push(`r${i}`)
    assert.equal(reason(`r${i}`), 'OK')
    check()
    if (i % 3 === 0) {
      disk.begin(machine)
      check()
    } else if (i % 3 === 1) {
      while (!disk.walk(100)) continue
      disk.commit(machine)
      check()
    } else if (i % 6 === 5) {
      const before = disk.digest()
      machine = start()
      // What came after the checkpoint is applied again.
      assert.deepEqual([reason(`r${i - 1}`), reason(`r${i}`)], ['OK', 'OK'])
      check()
      assert.equal(disk.digest(), before)
    }
  }
  assert.equal(machine.books.keys.pairs.get('a')?.version, 12n)
})

test('an invalid request does not take its request id', () => {
  const fixture = new Fixture()
  assert.equal(fixture.reason(put('', 'one', 'r')), 'INVALID_ARGUMENT')
  assert.equal(fixture.reason(put('a', 'one', 'r')), 'OK')
})

test('times and durations cross the border in milliseconds', () => {
  const fixture = new Fixture()
  fixture.timeMs = 1_700_000_000_123
  fixture.run(open('a'))
  fixture.run(open('b'))
  const signature = Uint8Array.of(1)
  fixture.run({
    $case: 'deposit',
    value: { depositId: 'd', accountId: 'a', asset: 'EUR', amount: 5n, authorityId: 'mint', signature },
  })
  const outcome = fixture.run({
    $case: 'transfer',
    value: {
      transferId: 't',
      sourceAccountId: 'a',
      destinationAccountId: 'b',
      amount: 5n,
      pending: true,
      timeout: { seconds: 2n, nanos: 345_000_000 },
    },
  })
  assert.ok(outcome?.$case === 'transfer')
  const { movement, source } = outcome.value
  const times = [movement?.time, movement?.expiresAt, source?.openedAt].map((date) => date?.getTime())
  assert.deepEqual(times, [1_700_000_000_123, 1_700_000_002_468, 1_700_000_000_123])
})
