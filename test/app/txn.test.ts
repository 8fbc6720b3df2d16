import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Operation } from '../../src/app/operation.js'
import { BAD, branches, bytes, dump, Fixture, GOOD, reasonOf, transfer, valueOf } from './fixture.js'

function bank(): Fixture {
  const fixture = new Fixture()
  for (const account of ['a', 'b']) fixture.open(account)
  fixture.deposit('d', 'a', 100n)
  fixture.put('k1', 'one')
  fixture.put('k2', 'two')
  return fixture
}

function putOp(key: string, text: string, returnPrevious = false): Operation {
  return { $case: 'put', value: { key, value: bytes(text), returnPrevious } }
}

function transferOp(id: string, source: string, destination: string, amount: bigint): Operation {
  return { $case: 'transfer', value: transfer(id, source, destination, amount) }
}

test('conditions choose the branch, which sees its own writes; all writes share one revision', () => {
  const fixture = bank()
  const compare = [{ key: 'k1', operator: 'equal', target: { $case: 'value', value: bytes('one') } }] as const
  const then: Operation[] = [
    { $case: 'get', value: { key: 'k1' } },
    putOp('k1', 'uno'),
    { $case: 'delete', value: { target: { $case: 'prefix', value: 'k' }, returnPrevious: true } },
    putOp('k3', 'tres'),
    { $case: 'get', value: { key: 'k3' } },
  ]
  const value = branches(compare, then, [putOp('else', '')])
  const outcome = valueOf('txn', fixture.run({ $case: 'txn', value }))
  assert.deepEqual([outcome.succeeded, outcome.revision, outcome.responses.length], [true, 7n, 5])
  assert.deepEqual(outcome.responses[2], {
    $case: 'delete',
    value: {
      deletedCount: 2n,
      revision: 7n,
      previous: [
        { key: 'k1', value: bytes('uno'), createRevision: 5n, modRevision: 7n, version: 2n },
        { key: 'k2', value: bytes('two'), createRevision: 6n, modRevision: 6n, version: 1n },
      ],
    },
  })
  const pair = { key: 'k3', value: bytes('tres'), createRevision: 7n, modRevision: 7n, version: 1n }
  assert.deepEqual(outcome.responses[4], { $case: 'get', value: { pair, revision: 7n } })
  const other = valueOf('txn', fixture.run({ $case: 'txn', value }))
  assert.deepEqual([other.succeeded, other.revision], [false, 8n])
})

test('a transaction that moves money takes a revision, one that only reads takes none', () => {
  const fixture = bank()
  const get: Operation = { $case: 'get', value: { key: 'k1' } }
  assert.equal(valueOf('txn', fixture.txn([get])).revision, 6n)
  assert.equal(valueOf('txn', fixture.txn([transferOp('t', 'a', 'b', 1n), get])).revision, 7n)
  // Done before: nothing changes.
  assert.equal(valueOf('txn', fixture.txn([transferOp('t', 'a', 'b', 1n), get])).revision, 7n)
})

test('keys and money change together', () => {
  const fixture = bank()
  const outcome = valueOf(
    'txn',
    fixture.txn([
      { $case: 'openAccount', value: { accountId: 'c', asset: 'EUR', overdraftLimit: 0n } },
      {
        $case: 'deposit',
        value: { depositId: 'd2', accountId: 'c', asset: 'EUR', amount: 5n, authorityId: 'mint', signature: GOOD },
      },
      { $case: 'transfer', value: transfer('p', 'a', 'c', 10n, { pending: true }) },
      { $case: 'postTransfer', value: { transferId: 'p', amount: 4n } },
      { $case: 'withdraw', value: { withdrawalId: 'w', accountId: 'c', amount: 9n } },
      putOp('paid', 'yes'),
      { $case: 'getBalance', value: { accountId: 'a' } },
    ]),
  )
  assert.equal(outcome.responses.length, 7)
  assert.deepEqual(
    [fixture.balance('a'), fixture.balance('c')],
    [
      [96n, 0n],
      [0n, 0n],
    ],
  )
})

test('one refused bank operation takes everything back, but its id stays refused', () => {
  const fixture = bank()
  const before = dump(fixture.machine)
  const operations = [
    putOp('k1', 'changed'),
    transferOp('t1', 'a', 'b', 10n),
    transferOp('t2', 'b', 'a', 11n),
    putOp('k9', 'new'),
  ]
  assert.equal(reasonOf(fixture.txn(operations)), 'INSUFFICIENT_FUNDS')
  assert.deepEqual([fixture.statusOf('t1'), fixture.statusOf('t2')], [undefined, 'refused'])
  assert.deepEqual(
    [fixture.balance('a'), fixture.balance('b')],
    [
      [100n, 0n],
      [0n, 0n],
    ],
  )
  assert.deepEqual(
    { ...(dump(fixture.machine) as object), movements: [], sequence: 0 },
    { ...(before as object), movements: [], sequence: 0 },
  )
  fixture.deposit('d2', 'b', 100n)
  assert.equal(reasonOf(fixture.transfer('t2', 'b', 'a', 11n)), 'INSUFFICIENT_FUNDS')
  assert.equal(reasonOf(fixture.transfer('t1', 'a', 'b', 10n)), 'OK')
})

test('a refusal that is recorded nowhere leaves the state exactly as it was', () => {
  const bad: Operation[] = [
    {
      $case: 'deposit',
      value: { depositId: 'x', accountId: 'a', asset: 'EUR', amount: 1n, authorityId: 'mint', signature: BAD },
    },
    { $case: 'openAccount', value: { accountId: 'a', asset: 'EUR', overdraftLimit: 0n } },
    { $case: 'getBalance', value: { accountId: 'nobody' } },
    { $case: 'postTransfer', value: { transferId: 'none', amount: 0n } },
    { $case: 'voidTransfer', value: { transferId: 'd', amount: 0n } },
    transferOp('d', 'a', 'b', 1n),
  ]
  for (const last of bad) {
    const fixture = bank()
    fixture.transfer('p', 'a', 'b', 7n, { pending: true })
    const before = dump(fixture.machine)
    const outcome = fixture.txn([
      putOp('k1', 'changed'),
      putOp('a-new-key', ''),
      { $case: 'delete', value: { target: { $case: 'prefix', value: 'k' }, returnPrevious: false } },
      putOp('k2', 'again'),
      { $case: 'openAccount', value: { accountId: 'c', asset: 'USD', overdraftLimit: 9n } },
      {
        $case: 'deposit',
        value: { depositId: 'd2', accountId: 'c', asset: 'USD', amount: 5n, authorityId: 'mint', signature: GOOD },
      },
      transferOp('t1', 'a', 'b', 10n),
      { $case: 'postTransfer', value: { transferId: 'p', amount: 3n } },
      { $case: 'withdraw', value: { withdrawalId: 'w', accountId: 'b', amount: 13n } },
      last,
    ])
    assert.notEqual(reasonOf(outcome), 'OK')
    assert.deepEqual(dump(fixture.machine), before)
  }
})

test('a transaction that would answer more than 3 MiB is refused and changes nothing', () => {
  const fixture = bank()
  for (const key of ['l1', 'l2', 'l3']) {
    fixture.run({ $case: 'put', value: { key, value: new Uint8Array(1024 * 1024), returnPrevious: false } })
  }
  const before = dump(fixture.machine)
  const gets = ['l1', 'l2'].map((key): Operation => ({ $case: 'get', value: { key } }))
  assert.equal(reasonOf(fixture.txn([putOp('k1', 'changed'), ...gets, putOp('l3', '', true)])), 'RESPONSE_TOO_LARGE')
  assert.deepEqual(dump(fixture.machine), before)
  assert.equal(reasonOf(fixture.txn(gets)), 'OK')
})
