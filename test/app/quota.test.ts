import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokenBankInvariants } from '../../src/app/bank/bank-audit.js'
import type { Operation, Outcome } from '../../src/app/operation.js'
import { Refusal } from '../../src/app/refusal.js'
import { ActingBooks } from './acting-books.js'
import { branches, dump, Fixture, fakeCrypto, GOOD, KEY, operationOf, reasonOf, transfer, valueOf } from './fixture.js'
import { Random } from './random.js'
import { INITIAL_COMMAND, randomCommand } from './random-commands.js'

const put = (key: string, text: string): Operation => ({
  $case: 'put',
  value: { key, value: text, returnPrevious: false },
})
const del = (key: string): Operation => ({
  $case: 'delete',
  value: { target: { $case: 'key', value: key }, returnPrevious: false },
})
const txn = (...then: Operation[]): Operation => ({ $case: 'txn', value: branches([], then, []) })
const openAccount = (accountId: string, asset = 'EUR'): Operation => ({
  $case: 'openAccount',
  value: { accountId, asset, overdraftLimit: 100n },
})
const deposit = (depositId: string, accountId: string, asset: string): Operation => ({
  $case: 'deposit',
  value: { depositId, accountId, asset, amount: 10n, authorityId: 'mint', signature: GOOD },
})
const hold = { pending: true, timeoutMs: 60_000 }

/** Accounts, a key, a hold and another that has no end, and room for nothing more. */
class FullFixture extends Fixture {
  constructor() {
    super()
    for (const id of ['alice', 'bob']) this.open(id, { overdraftLimit: 100n })
    this.open('dollars', { asset: 'USD' })
    this.deposit('d1', 'alice', 50n)
    this.put('key', '12345')
    this.transfer('held', 'alice', 'bob', 5n, hold)
    this.transfer('open', 'alice', 'bob', 5n, { pending: true })
  }

  full(operation: Operation, roomBytes = 0): Outcome {
    this.machine.onSlot({ slot: this.slot, timeMs: this.timeMs, level: 1 })
    const outcome = this.machine.apply(operation, { slot: this.slot, timeMs: this.timeMs, roomBytes, level: 1 })
    this.slot++
    assert.deepEqual(brokenBankInvariants(this.machine.bank.ledger), [])
    return outcome
  }
}

/** Of each transfer of a batch. */
function reasonsOf(outcome: Outcome): string[] {
  return valueOf('transferBatch', outcome).results.map((result) => reasonOf(result))
}

const GROWING: readonly Operation[] = [
  put('another', ''),
  put('key', '123456'),
  openAccount('carol'),
  deposit('d2', 'dollars', 'USD'),
  { $case: 'transfer', value: transfer('t', 'alice', 'bob', 1n, hold) },
  { $case: 'registerAuthority', value: { authorityId: 'new', publicKey: KEY, signerId: 'mint', signature: GOOD } },
  txn(del('nothing'), put('another', '')),
  txn(put('key', ''), put('another', '')),
]

const GOING_ON: readonly Operation[] = [
  put('key', '54321'),
  put('key', ''),
  del('key'),
  txn(del('key'), put('k', '1234567')),
  { $case: 'get', value: { key: 'key' } },
  { $case: 'listAccounts', value: { pageSize: 0, pageToken: '' } },
  { $case: 'transfer', value: transfer('t', 'alice', 'bob', 1n) },
  deposit('d2', 'alice', 'EUR'),
  { $case: 'withdraw', value: { withdrawalId: 'w', accountId: 'alice', amount: 1n } },
  { $case: 'postTransfer', value: { transferId: 'held', amount: 0n } },
  { $case: 'voidTransfer', value: { transferId: 'open', amount: 0n } },
]

test('without room, what makes the state grow is refused and changes nothing', () => {
  for (const roomBytes of [0, -1_000]) {
    for (const operation of GROWING) {
      const f = new FullFixture()
      const before = dump(f.machine)
      const bytes = f.machine.stateBytes
      assert.equal(reasonOf(f.full(operation, roomBytes)), 'QUOTA_EXCEEDED', operation.$case)
      assert.deepEqual([dump(f.machine), f.machine.stateBytes], [before, bytes])
      assert.equal(reasonOf(f.full(operation, 1_000)), 'OK', `${operation.$case}: the same may be asked again`)
    }
  }
})

test('without room, what does not make the state grow goes on', () => {
  for (const roomBytes of [0, -1_000]) {
    for (const operation of GOING_ON) assert.equal(reasonOf(new FullFixture().full(operation, roomBytes)), 'OK', operation.$case)
  }
})

test('of a batch without room the transfers are refused that hold for a time, and linked groups with one of them', () => {
  const f = new FullFixture()
  const transfers = [
    transfer('t1', 'alice', 'bob', 1n),
    transfer('t2', 'alice', 'bob', 1n, hold),
    transfer('t3', 'alice', 'bob', 1n),
    transfer('t4', 'alice', 'bob', 1n, hold),
    transfer('t5', 'alice', 'bob', 1n),
  ]
  const batch: Operation = { $case: 'transferBatch', value: { transfers, linkedGroups: [{ first: 2, count: 2 }] } }
  assert.deepEqual(reasonsOf(f.full(batch)), ['OK', 'QUOTA_EXCEEDED', 'QUOTA_EXCEEDED', 'QUOTA_EXCEEDED', 'OK'])
  assert.deepEqual(
    ['t2', 't3', 't4'].map((id) => f.statusOf(id)),
    [undefined, undefined, undefined],
  )
  assert.deepEqual(reasonsOf(f.full(batch, 10_000)), ['OK', 'OK', 'OK', 'OK', 'OK'])
})

test('the room of a batch is used up by its transfers, one after the other', () => {
  const f = new FullFixture()
  const one = new FullFixture()
  const before = one.machine.stateBytes
  one.transfer('t0', 'alice', 'bob', 1n, hold)
  const transfers = Array.from({ length: 5 }, (_, i) => transfer(`t${i}`, 'alice', 'bob', 1n, hold))
  const outcome = f.full(
    { $case: 'transferBatch', value: { transfers, linkedGroups: [] } },
    3 * (one.machine.stateBytes - before),
  )
  const reasons = valueOf('transferBatch', outcome).results.map((result) => reasonOf(result))
  assert.deepEqual(reasons, ['OK', 'OK', 'OK', 'QUOTA_EXCEEDED', 'QUOTA_EXCEEDED'])
})

test('whether a command is watched, as there may be too little room, makes no difference', () => {
  for (let seed = 1; seed <= 4; seed++) {
    const random = new Random(seed)
    const watched = new ActingBooks(fakeCrypto)
    const hasty = new ActingBooks(fakeCrypto, { growthBytesMax: 4_000 })
    const counts = { refused: 0, unwatched: 0 }
    for (let slot = 0; slot < 1_500; slot++) {
      const operation = operationOf(slot === 0 ? INITIAL_COMMAND : randomCommand(random))
      const quotaBytes = 3_000 + random.below(8_000)
      const at = { slot, timeMs: 1_000_000 + slot * 700, level: 1 }
      for (const machine of [watched, hasty]) machine.onSlot(at)
      const outcomes = [watched, hasty].map((machine) =>
        machine.apply(operation, slot === 0 ? at : { ...at, roomBytes: quotaBytes - machine.stateBytes }),
      )
      assert.deepEqual(outcomes[1], outcomes[0])
      assert.equal(hasty.stateBytes, watched.stateBytes)
      if (outcomes[0] instanceof Refusal && outcomes[0].reason === 'QUOTA_EXCEEDED') counts.refused++
      if (quotaBytes - watched.stateBytes > 4_000) counts.unwatched++
    }
    assert.deepEqual(dump(hasty), dump(watched))
    assert.ok(counts.refused > 20 && counts.unwatched > 100, JSON.stringify(counts))
  }
})
