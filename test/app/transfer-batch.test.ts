import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Request as TransferBatchRequest } from '../../src/app/operations/transfer-batch.js'
import { Refusal } from '../../src/app/refusal.js'
import { dump, Fixture, reasonOf, transfer, valueOf } from './fixture.js'

function bank(): Fixture {
  const fixture = new Fixture()
  for (const account of ['a', 'b', 'c']) fixture.open(account)
  fixture.deposit('d', 'a', 100n)
  return fixture
}

function batch(
  fixture: Fixture,
  transfers: TransferBatchRequest['transfers'],
  linkedGroups: TransferBatchRequest['linkedGroups'] = [],
): string[] {
  const { results } = valueOf('transferBatch', fixture.run({ $case: 'transferBatch', value: { transfers, linkedGroups } }))
  return results.map(reasonOf)
}

test('each transfer of a batch stands for itself, and sees those before it', () => {
  const fixture = bank()
  const results = batch(fixture, [
    transfer('t1', 'b', 'c', 10n),
    transfer('t2', 'a', 'b', 10n),
    transfer('t3', 'b', 'c', 10n),
    transfer('t4', 'b', 'nobody', 1n),
  ])
  assert.deepEqual(results, ['INSUFFICIENT_FUNDS', 'OK', 'OK', 'ACCOUNT_NOT_FOUND'])
  assert.deepEqual(fixture.balance('c'), [10n, 0n])
})

test('a linked group happens as a whole', () => {
  const fixture = bank()
  const transfers = [
    transfer('t0', 'a', 'b', 1n),
    transfer('t1', 'a', 'b', 2n),
    transfer('t2', 'b', 'c', 3n),
    transfer('t3', 'a', 'c', 4n),
  ]
  assert.deepEqual(batch(fixture, transfers, [{ first: 1, count: 2 }]), ['OK', 'OK', 'OK', 'OK'])
  assert.deepEqual(
    [fixture.balance('a'), fixture.balance('b'), fixture.balance('c')],
    [
      [93n, 0n],
      [0n, 0n],
      [7n, 0n],
    ],
  )
})

test('a refused group changes nothing, and only the refused id stays refused', () => {
  const fixture = bank()
  const group = [transfer('g1', 'a', 'b', 1n), transfer('g2', 'b', 'c', 50n), transfer('g3', 'a', 'c', 1n)]
  const transfers = [transfer('t0', 'a', 'b', 10n), ...group, transfer('t4', 'a', 'b', 10n)]
  const groups = [{ first: 1, count: 3 }]
  assert.deepEqual(batch(fixture, transfers, groups), ['OK', 'LINKED_REFUSED', 'INSUFFICIENT_FUNDS', 'LINKED_REFUSED', 'OK'])
  assert.deepEqual(
    [fixture.balance('a'), fixture.balance('b')],
    [
      [80n, 0n],
      [20n, 0n],
    ],
  )
  assert.deepEqual(
    ['g1', 'g2', 'g3'].map((id) => fixture.statusOf(id)),
    [undefined, 'refused', undefined],
  )
  fixture.deposit('d2', 'b', 100n)
  const before = dump(fixture.machine)
  // The whole batch again: what was done is not done twice, what was refused stays refused.
  assert.deepEqual(batch(fixture, transfers, groups), ['OK', 'LINKED_REFUSED', 'INSUFFICIENT_FUNDS', 'LINKED_REFUSED', 'OK'])
  assert.deepEqual(dump(fixture.machine), before)
  assert.deepEqual(batch(fixture, [group[0] ?? transfer('', '', '', 0n)]), ['OK'])
})

test('a refused group that is sent again gets the first results, though another of it would be refused by now', () => {
  const fixture = bank()
  const transfers = [transfer('g1', 'a', 'b', 60n), transfer('g2', 'b', 'c', 1_000n)]
  const send = () => batch(fixture, transfers, [{ first: 0, count: 2 }])
  assert.deepEqual(send(), ['LINKED_REFUSED', 'INSUFFICIENT_FUNDS'])
  fixture.withdraw('w', 'a', 100n)
  assert.deepEqual(send(), ['LINKED_REFUSED', 'INSUFFICIENT_FUNDS'])
  assert.equal(fixture.statusOf('g1'), undefined)
})

test('an id twice in one batch is one transfer', () => {
  const fixture = bank()
  const same = transfer('t', 'a', 'b', 10n)
  assert.deepEqual(batch(fixture, [same, same, transfer('t', 'a', 'b', 11n)]), ['OK', 'OK', 'ID_REUSED'])
  assert.deepEqual(fixture.balance('b'), [10n, 0n])
})

test('groups next to each other stand or fall apart', () => {
  const fixture = bank()
  const transfers = [
    transfer('t0', 'a', 'b', 1n),
    transfer('t1', 'c', 'b', 1n),
    transfer('t2', 'a', 'b', 1n),
    transfer('t3', 'a', 'b', 1n),
  ]
  const results = batch(fixture, transfers, [
    { first: 0, count: 2 },
    { first: 2, count: 2 },
  ])
  assert.deepEqual(results, ['LINKED_REFUSED', 'INSUFFICIENT_FUNDS', 'OK', 'OK'])
})

/** With ids as long as they may be. */
function longTransfers(count: number): TransferBatchRequest['transfers'] {
  const [from, to] = ['from'.padEnd(128, '.'), 'to'.padEnd(128, '.')] as const
  return Array.from({ length: count }, (_, i) => transfer(String(i).padStart(128, '.'), from, to, 1n))
}

test('a batch whose answer could be larger than a message is refused before any of it is carried out', () => {
  const fixture = new Fixture()
  const run = (count: number) =>
    fixture.run({ $case: 'transferBatch', value: { transfers: longTransfers(count), linkedGroups: [] } })
  const before = fixture.machine.stateBytes
  const refused = run(8_190)
  assert.ok(refused instanceof Refusal)
  assert.deepEqual([refused.reason, refused.parameters], ['RESPONSE_TOO_LARGE', { bytes_max: '4128768' }])
  assert.equal(fixture.machine.stateBytes, before)
  assert.equal((run(6_000) as { $case: string }).$case, 'transferBatch')
})
