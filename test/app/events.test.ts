import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DELETED_EACH_MAX } from '../../src/app/events.js'
import type { Operation } from '../../src/app/operation.js'
import { bytes, Fixture, reasonOf, transfer } from './fixture.js'

const put = (key: string): Operation => ({ $case: 'put', value: { key, value: bytes(key), returnPrevious: false } })
const move = (id: string, amount: bigint): Operation => ({ $case: 'transfer', value: transfer(id, 'a', 'b', amount) })
const deletePrefix = (prefix: string): Operation => ({
  $case: 'delete',
  value: { target: { $case: 'prefix', value: prefix }, returnPrevious: false },
})

/** Two accounts, the first with 100, at revision 4; what follows is told. */
function followed(): Fixture {
  const fixture = new Fixture()
  for (const account of ['a', 'b']) fixture.open(account)
  fixture.deposit('d', 'a', 100n)
  fixture.machine.events.isKept = true
  return fixture
}

/** Events since the last call: what changed, from what to what. */
function told({ machine }: Fixture): string[] {
  return machine.events.take().map(({ revision, sub, kind, before, after }) => {
    return `${revision}.${sub} ${kind} ${nameOf(before)} -> ${nameOf(after)}`
  })
}

function nameOf(row: object | undefined): string {
  const known: { key?: string; version?: bigint; accountId?: string; id?: string; status?: string; prefix?: string } | undefined =
    row
  if (known?.key !== undefined) return `${known.key}@${known.version}`
  return known?.accountId ?? (known?.id === undefined ? (known?.prefix ?? 'none') : `${known.id} ${known.status}`)
}

test('every change of keys and money is an event, with the rows before and after it; repeats, reads and refusals are none', () => {
  const fixture = followed()
  fixture.put('k', 'one')
  fixture.put('k', 'two')
  fixture.run({ $case: 'get', value: { key: 'k' } })
  fixture.run({ $case: 'delete', value: { target: { $case: 'key', value: 'none' }, returnPrevious: false } })
  fixture.run({ $case: 'delete', value: { target: { $case: 'key', value: 'k' }, returnPrevious: false } })
  fixture.open('c')
  fixture.open('c')
  for (let i = 0; i < 2; i++) fixture.transfer('t', 'a', 'b', 10n)
  assert.equal(reasonOf(fixture.transfer('too much', 'a', 'b', 1_000n)), 'INSUFFICIENT_FUNDS')
  for (let i = 0; i < 2; i++) fixture.withdraw('w', 'b', 1n)
  fixture.run({ $case: 'revokeAuthority', value: { authorityId: 'mint', signerId: 'mint', signature: bytes('\u0001') } })
  assert.deepEqual(told(fixture), [
    '5.0 put none -> k@1',
    '6.0 put k@1 -> k@2',
    '7.0 delete k@2 -> none',
    '8.0 accountOpened none -> c',
    '9.0 movementMade none -> t posted',
    '10.0 movementMade none -> w posted',
  ])
  assert.equal(fixture.machine.events.revision, 10n)
})

test('a hold is told when it is made and when it ends, and each that ends by itself takes a revision', () => {
  const fixture = followed()
  for (const id of ['post', 'void']) fixture.transfer(id, 'a', 'b', 10n, { pending: true })
  fixture.post('post', 4n)
  fixture.void('void')
  for (const id of ['x2', 'x1']) fixture.transfer(id, 'a', 'b', 10n, { pending: true, timeoutMs: 1_000 })
  fixture.timeMs += 1_000
  fixture.put('k', 'v')
  assert.deepEqual(told(fixture), [
    '5.0 movementMade none -> post pending',
    '6.0 movementMade none -> void pending',
    '7.0 movementEnded post pending -> post posted',
    '8.0 movementEnded void pending -> void voided',
    '9.0 movementMade none -> x2 pending',
    '10.0 movementMade none -> x1 pending',
    '11.0 movementEnded x1 pending -> x1 expired',
    '12.0 movementEnded x2 pending -> x2 expired',
    '13.0 put none -> k@1',
  ])
})

test('a transaction and a batch take one revision; what they take back is told by nobody', () => {
  const fixture = followed()
  fixture.txn([put('k'), move('t1', 10n), put('k')])
  fixture.txn([put('k'), move('t2', 10n), move('t3', 1_000n)])
  const transfers = [
    transfer('b1', 'a', 'b', 1n),
    transfer('b2', 'a', 'b', 1n),
    transfer('b3', 'a', 'b', 1_000n),
    transfer('b4', 'a', 'b', 1n),
  ]
  fixture.run({ $case: 'transferBatch', value: { transfers, linkedGroups: [{ first: 1, count: 2 }] } })
  fixture.put('k', 'last')
  assert.deepEqual(told(fixture), [
    '5.0 put none -> k@1',
    '5.1 movementMade none -> t1 posted',
    '5.2 put k@1 -> k@2',
    '6.0 movementMade none -> b1 posted',
    '6.1 movementMade none -> b4 posted',
    '7.0 put k@2 -> k@3',
  ])
})

test('each key that is deleted by its prefix is told of, unless they are very many', () => {
  const fixture = followed()
  for (const key of ['p/a', 'p/b', 'q']) fixture.run(put(key))
  told(fixture)
  fixture.run(deletePrefix('p/'))
  assert.deepEqual(told(fixture), ['8.0 delete p/a@1 -> none', '8.1 delete p/b@1 -> none'])
  const at = { slot: 1, timeMs: fixture.timeMs, level: 1 }
  for (let i = 0; i < DELETED_EACH_MAX; i++) fixture.machine.apply(put(`many/${i}`), at)
  told(fixture)
  fixture.machine.apply(deletePrefix('many/'), at)
  assert.equal(told(fixture).length, DELETED_EACH_MAX)
  for (let i = 0; i <= DELETED_EACH_MAX; i++) fixture.machine.apply(put(`many/${i}`), at)
  told(fixture)
  fixture.machine.apply(deletePrefix('many/'), at)
  const [event, ...others] = fixture.machine.events.take()
  assert.deepEqual(event?.before, { prefix: 'many/', count: DELETED_EACH_MAX + 1 })
  assert.deepEqual([event.kind, others.length], ['deletePrefix', 0])
})

test('revisions do not depend on whether somebody listens', () => {
  const [heard, unheard] = [followed(), followed()]
  unheard.machine.events.isKept = false
  for (const fixture of [heard, unheard]) {
    fixture.txn([put('k'), put('l')])
    fixture.run(deletePrefix(''))
    fixture.transfer('t', 'a', 'b', 1n)
    assert.equal(fixture.machine.events.revision, 7n)
  }
  assert.deepEqual([told(heard).length, told(unheard).length], [5, 0])
})
