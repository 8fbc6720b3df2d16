import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '../../src/app/refusal.js'
import { Fixture, reasonOf, valueOf } from './fixture.js'

function bank(): Fixture {
  const fixture = new Fixture()
  for (const account of ['b', 'a', '😀', '～']) fixture.open(account)
  fixture.deposit('m0', 'a', 1_000n)
  for (let i = 1; i <= 24; i++) fixture.transfer(`m${i}`, 'a', 'b', 1n)
  return fixture
}

function movements(fixture: Fixture, { accountId = 'b', pageSize = 0, pageToken = '', descending = false } = {}) {
  const query = { $case: 'listMovements', value: { accountId, pageSize, pageToken, descending } } as const
  return valueOf('listMovements', fixture.machine.read(query))
}

test('an account has its movements in the order of the log, a page at a time, in both orders', () => {
  for (const descending of [false, true]) {
    const fixture = bank()
    const seen: string[] = []
    let pageToken = ''
    do {
      const page = movements(fixture, { pageSize: 7, pageToken, descending })
      seen.push(...page.movements.map((movement) => movement.id))
      pageToken = page.nextPageToken
      // What comes meanwhile comes after: an ascending list sees it, a descending one has passed it.
      if (seen.length === 7) fixture.transfer('late', 'a', 'b', 1n)
    } while (pageToken !== '')
    const ids = Array.from({ length: 24 }, (_, i) => `m${i + 1}`)
    assert.deepEqual(seen, descending ? ids.toReversed() : [...ids, 'late'])
  }
})

test('the last page has no token, also when it is full', () => {
  const fixture = bank()
  assert.equal(movements(fixture, { pageSize: 24 }).nextPageToken, '')
  assert.equal(movements(fixture, { pageSize: 24, descending: true }).nextPageToken, '')
  assert.notEqual(movements(fixture, { pageSize: 23 }).nextPageToken, '')
})

test('a refused movement touched no account, but is found by its id', () => {
  const fixture = bank()
  fixture.transfer('refused', 'b', 'a', 1_000n)
  assert.ok(!movements(fixture).movements.some((movement) => movement.id === 'refused'))
  const { movement } = valueOf('getTransfer', fixture.machine.read({ $case: 'getTransfer', value: { transferId: 'refused' } }))
  assert.deepEqual([movement.status, movement.refusalReason, movement.amount], ['refused', 'INSUFFICIENT_FUNDS', 1_000n])
})

test('accounts are listed in the order of their UTF-8 bytes', () => {
  const fixture = bank()
  const seen: string[] = []
  let pageToken = ''
  do {
    const page = valueOf('listAccounts', fixture.machine.read({ $case: 'listAccounts', value: { pageSize: 2, pageToken } }))
    seen.push(...page.accounts.map((account) => account.accountId))
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  assert.deepEqual(seen, ['a', 'b', '～', '😀'])
})

test('page tokens of another account, another order or nobody are invalid', () => {
  const fixture = bank()
  const { nextPageToken } = movements(fixture, { pageSize: 1 })
  const wrong = [
    { accountId: 'a', pageSize: 1, pageToken: nextPageToken, descending: false },
    { accountId: 'b', pageSize: 1, pageToken: nextPageToken, descending: true },
    { accountId: 'b', pageSize: 1, pageToken: 'nonsense', descending: false },
  ]
  for (const value of wrong) {
    const outcome = fixture.machine.read({ $case: 'listMovements', value })
    assert.ok(outcome instanceof Refusal)
    assert.equal(outcome.fields[0], 'page_token')
  }
  assert.equal(
    reasonOf(fixture.machine.read({ $case: 'listAccounts', value: { pageSize: 1, pageToken: 'x' } })),
    'INVALID_ARGUMENT',
  )
})

test('what does not exist is not found', () => {
  const { machine } = bank()
  const value = { accountId: 'nobody', pageSize: 0, pageToken: '', descending: false }
  assert.equal(reasonOf(machine.read({ $case: 'getBalance', value })), 'ACCOUNT_NOT_FOUND')
  assert.equal(reasonOf(machine.read({ $case: 'listMovements', value })), 'ACCOUNT_NOT_FOUND')
  assert.equal(reasonOf(machine.read({ $case: 'getTransfer', value: { transferId: 'none' } })), 'TRANSFER_NOT_FOUND')
})
