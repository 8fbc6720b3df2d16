import assert from 'node:assert/strict'
import { test } from 'node:test'
import { INT64_MAX } from '../../src/app/bank/movement.js'
import type { Outcome } from '../../src/app/operation.js'
import { Refusal } from '../../src/app/refusal.js'
import { BAD, dump, Fixture, reasonOf, valueOf } from './fixture.js'

/** poor has 5 EUR, rich has 100, full cannot take one more, usd holds another asset. `used` is a transfer that was carried out. */
function bank(): Fixture {
  const fixture = new Fixture()
  for (const account of ['poor', 'rich', 'full']) fixture.open(account)
  fixture.open('usd', { asset: 'USD' })
  fixture.deposit('d-poor', 'poor', 6n)
  fixture.deposit('d-rich', 'rich', 99n)
  fixture.deposit('d-full', 'full', INT64_MAX)
  fixture.transfer('used', 'poor', 'rich', 1n)
  return fixture
}

/** Each row has the faults of all rows below it that can go together with its own: the first fault decides. */
const TRANSFERS: [expected: string, run: (bank: Fixture) => Outcome][] = [
  ['ID_REUSED', (b) => b.transfer('used', 'nobody', 'noone', 200n)],
  ['ID_REUSED', (b) => b.transfer('used', 'poor', 'full', 200n)],
  ['ACCOUNT_NOT_FOUND', (b) => b.transfer('t', 'nobody', 'noone', 200n)],
  ['ACCOUNT_NOT_FOUND', (b) => b.transfer('t', 'nobody', 'full', 200n)],
  ['ACCOUNT_NOT_FOUND', (b) => b.transfer('t', 'poor', 'noone', 200n)],
  ['ASSET_MISMATCH', (b) => b.transfer('t', 'poor', 'usd', 200n)],
  ['INSUFFICIENT_FUNDS', (b) => b.transfer('t', 'poor', 'full', 200n)],
  ['BALANCE_OVERFLOW', (b) => b.transfer('t', 'poor', 'full', 1n)],
  ['OK', (b) => b.transfer('t', 'poor', 'rich', 5n)],
]

const DEPOSITS: [expected: string, run: (bank: Fixture) => Outcome][] = [
  ['ID_REUSED', (b) => b.deposit('used', 'nobody', 1n, { authorityId: 'forger', signature: BAD })],
  ['ID_REUSED', (b) => b.deposit('d-poor', 'nobody', 1n, { authorityId: 'forger', signature: BAD })],
  ['UNKNOWN_AUTHORITY', (b) => b.deposit('d', 'nobody', 1n, { authorityId: 'forger', signature: BAD })],
  ['INVALID_SIGNATURE', (b) => b.deposit('d', 'nobody', 1n, { signature: BAD })],
  ['ACCOUNT_NOT_FOUND', (b) => b.deposit('d', 'nobody', 1n)],
  ['ASSET_MISMATCH', (b) => b.deposit('d', 'full', 1n, { asset: 'USD' })],
  ['BALANCE_OVERFLOW', (b) => b.deposit('d', 'full', 1n)],
  ['OK', (b) => b.deposit('d', 'poor', 1n)],
]

const WITHDRAWALS: [expected: string, run: (bank: Fixture) => Outcome][] = [
  ['ID_REUSED', (b) => b.withdraw('used', 'nobody', 200n)],
  ['ACCOUNT_NOT_FOUND', (b) => b.withdraw('w', 'nobody', 200n)],
  ['INSUFFICIENT_FUNDS', (b) => b.withdraw('w', 'poor', 200n)],
  ['OK', (b) => b.withdraw('w', 'poor', 5n)],
]

for (const [name, rows] of Object.entries({ transfer: TRANSFERS, deposit: DEPOSITS, withdrawal: WITHDRAWALS })) {
  test(`a ${name} is refused for the first of its faults, in the documented order`, () => {
    for (const [expected, run] of rows) assert.equal(reasonOf(run(bank())), expected)
  })

  test(`a refused ${name} moves nothing, and stays refused when its fault is mended; faults of signature and id are not recorded`, () => {
    for (const [expected, run] of rows) {
      if (expected === 'OK') continue
      const fixture = bank()
      run(fixture)
      for (const account of ['nobody', 'noone']) fixture.open(account)
      fixture.deposit('mend', 'poor', 1_000n)
      fixture.withdraw('make-room', 'full', 1_000n)
      const isRecorded = !['ID_REUSED', 'UNKNOWN_AUTHORITY', 'INVALID_SIGNATURE'].includes(expected)
      const before = ['poor', 'rich', 'full', 'usd', 'nobody'].map((account) => fixture.balance(account))
      const again = run(fixture)
      assert.equal(reasonOf(again), expected)
      assert.deepEqual(
        ['poor', 'rich', 'full', 'usd', 'nobody'].map((account) => fixture.balance(account)),
        before,
      )
      assert.equal(
        ['t', 'd', 'w'].some((id) => fixture.statusOf(id) === 'refused'),
        isRecorded,
      )
    }
  })
}

test('a refusal names the account at fault, the first time and every time', () => {
  const fixture = bank()
  const first = fixture.transfer('t', 'poor', 'noone', 1n)
  fixture.open('noone')
  assert.deepEqual(fixture.transfer('t', 'poor', 'noone', 1n), first)
  assert.deepEqual(first instanceof Refusal && first.parameters, { account_id: 'noone', movement_id: 't', kind: 'transfer' })
})

test('a forged deposit does not burn its id', () => {
  const fixture = bank()
  assert.equal(reasonOf(fixture.deposit('d', 'poor', 1n, { signature: BAD })), 'INVALID_SIGNATURE')
  assert.equal(reasonOf(fixture.deposit('d', 'poor', 1n)), 'OK')
})

test('the same id with the same content gets the first result, and nothing moves again', () => {
  const fixture = bank()
  const requests = [
    () => fixture.deposit('d', 'poor', 10n),
    () => fixture.withdraw('w', 'poor', 2n),
    () => fixture.transfer('t', 'poor', 'rich', 3n),
    () => fixture.transfer('p', 'poor', 'rich', 3n, { pending: true, timeoutMs: 60_000 }),
  ]
  const first = requests.map((run) => run())
  // Not as it is now: as it was then.
  fixture.post('p', 1n)
  fixture.deposit('later', 'poor', 1n)
  const before = dump(fixture.machine)
  fixture.timeMs += 10
  assert.deepEqual(
    requests.map((run) => run()),
    first,
  )
  assert.deepEqual(dump(fixture.machine), before)
})

test('every field of a request is part of its content', () => {
  const fixture = bank()
  const other = { authorityId: 'other', publicKey: new Uint8Array(32), signerId: 'mint', signature: Uint8Array.of(1) }
  fixture.machine.apply({ $case: 'registerAuthority', value: other }, { slot: 1, timeMs: 0, level: 1 })
  fixture.deposit('d', 'poor', 10n)
  fixture.withdraw('w', 'rich', 2n)
  fixture.transfer('t', 'poor', 'rich', 3n)
  fixture.transfer('p', 'poor', 'rich', 1n, { pending: true, timeoutMs: 60_000 })
  const others = [
    fixture.deposit('d', 'rich', 10n),
    fixture.deposit('d', 'poor', 11n),
    fixture.deposit('d', 'poor', 10n, { asset: 'USD' }),
    fixture.deposit('d', 'poor', 10n, { authorityId: 'other' }),
    fixture.deposit('d', 'poor', 10n, { signature: BAD }),
    fixture.withdraw('w', 'poor', 2n),
    fixture.withdraw('w', 'rich', 3n),
    fixture.transfer('t', 'rich', 'poor', 3n),
    fixture.transfer('t', 'poor', 'full', 3n),
    fixture.transfer('t', 'poor', 'rich', 4n),
    fixture.transfer('t', 'poor', 'rich', 3n, { pending: true }),
    fixture.transfer('p', 'poor', 'rich', 1n, { pending: true }),
    fixture.transfer('p', 'poor', 'rich', 1n, { pending: true, timeoutMs: 60_001 }),
    fixture.transfer('p', 'poor', 'rich', 1n),
    // One name space: the id of a deposit is no id for a withdrawal or a transfer.
    fixture.withdraw('d', 'poor', 10n),
    fixture.transfer('w', 'rich', 'poor', 2n),
  ]
  assert.deepEqual(
    others.map(reasonOf),
    others.map(() => 'ID_REUSED'),
  )
})

test('the account id is taken once, whatever the asset', () => {
  const fixture = bank()
  assert.equal(reasonOf(fixture.open('poor')), 'ACCOUNT_EXISTS')
  assert.equal(reasonOf(fixture.open('poor', { asset: 'USD' })), 'ACCOUNT_EXISTS')
})

test('an account may go below zero as far as it allows and no further', () => {
  const fixture = bank()
  fixture.open('credit', { overdraftLimit: 10n })
  assert.equal(reasonOf(fixture.withdraw('w1', 'credit', 11n)), 'INSUFFICIENT_FUNDS')
  assert.equal(reasonOf(fixture.withdraw('w2', 'credit', 10n)), 'OK')
  assert.deepEqual(fixture.balance('credit'), [-10n, 0n])
  assert.equal(reasonOf(fixture.transfer('t', 'credit', 'rich', 1n)), 'INSUFFICIENT_FUNDS')
})

test('an answer shows the movement with its slot and time, and the accounts right after it', () => {
  const fixture = bank()
  const { movement, source, destination } = valueOf('transfer', fixture.transfer('t', 'poor', 'rich', 2n))
  assert.deepEqual(
    { ...movement },
    {
      id: 't',
      kind: 'transfer',
      source: 'poor',
      destination: 'rich',
      asset: 'EUR',
      amount: 2n,
      status: 'posted',
      slot: fixture.slot - 1,
      timeMs: fixture.timeMs,
      pendingAmount: 0n,
      timeoutMs: 0,
      refusalReason: '',
      refusedAccount: '',
      authorization: '',
      sequence: 5,
      standing: { sourceBalance: 3n, sourceHeld: 0n, destinationBalance: 102n, destinationHeld: 0n },
      endSlot: 0,
      endStanding: undefined,
    },
  )
  assert.deepEqual([source?.balance, destination?.balance], [3n, 102n])
})
