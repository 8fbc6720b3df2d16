import assert from 'node:assert/strict'
import { test } from 'node:test'
import { INT64_MAX } from '../../src/app/bank/movement.js'
import { Fixture, reasonOf, valueOf } from './fixture.js'

function bank(): Fixture {
  const fixture = new Fixture()
  for (const account of ['a', 'b']) fixture.open(account)
  fixture.deposit('d', 'a', 100n)
  return fixture
}

function hold(fixture: Fixture, id: string, amount: bigint, timeoutMs = 0): string {
  return reasonOf(fixture.transfer(id, 'a', 'b', amount, { pending: true, timeoutMs }))
}

test('a pending transfer holds at the source: what is held cannot be spent, and has not arrived', () => {
  const fixture = bank()
  assert.equal(hold(fixture, 'p', 70n), 'OK')
  assert.deepEqual(
    [fixture.balance('a'), fixture.balance('b')],
    [
      [100n, 70n],
      [0n, 0n],
    ],
  )
  assert.equal(reasonOf(fixture.withdraw('w1', 'a', 31n)), 'INSUFFICIENT_FUNDS')
  assert.equal(hold(fixture, 'p2', 31n), 'INSUFFICIENT_FUNDS')
  assert.equal(reasonOf(fixture.withdraw('w2', 'a', 30n)), 'OK')
})

test('posting carries the transfer out; a part posted gives the rest back', () => {
  const fixture = bank()
  hold(fixture, 'whole', 10n)
  hold(fixture, 'part', 20n)
  assert.deepEqual(valueOf('postTransfer', fixture.post('whole')).movement.status, 'posted')
  const { movement, source, destination } = valueOf('postTransfer', fixture.post('part', 5n))
  assert.deepEqual([movement.amount, movement.pendingAmount], [5n, 20n])
  assert.deepEqual([source?.balance, source?.held, destination?.balance], [85n, 0n, 15n])
  assert.deepEqual(
    [fixture.balance('a'), fixture.balance('b')],
    [
      [85n, 0n],
      [15n, 0n],
    ],
  )
})

test('voiding gives the hold back', () => {
  const fixture = bank()
  hold(fixture, 'p', 10n)
  assert.equal(reasonOf(fixture.void('p', 9n)), 'PENDING_AMOUNT_DIFFERS')
  assert.equal(valueOf('voidTransfer', fixture.void('p', 10n)).movement.status, 'voided')
  assert.deepEqual(
    [fixture.balance('a'), fixture.balance('b')],
    [
      [100n, 0n],
      [0n, 0n],
    ],
  )
})

test('a hold ends once: the same again gets the first result, anything else is refused', () => {
  const fixture = bank()
  for (const id of ['posted', 'part', 'voided']) hold(fixture, id, 10n)
  const first = fixture.post('posted')
  assert.deepEqual([fixture.post('posted'), fixture.post('posted', 10n)], [first, first])
  const part = fixture.post('part', 4n)
  assert.deepEqual(fixture.post('part', 4n), part)
  const voided = fixture.void('voided')
  fixture.withdraw('w', 'a', 1n)
  assert.deepEqual([fixture.void('voided'), fixture.void('voided', 10n)], [voided, voided])
  const others = [
    fixture.post('posted', 9n),
    fixture.post('part'),
    fixture.void('posted'),
    fixture.post('voided'),
    fixture.void('voided', 9n),
  ]
  assert.deepEqual(
    others.map(reasonOf),
    others.map(() => 'TRANSFER_NOT_PENDING'),
  )
})

test('who asks again for a pending transfer gets it as it was made, whatever has become of it', () => {
  const fixture = bank()
  const ask = (id: string) => fixture.transfer(id, 'a', 'b', 10n, { pending: true, timeoutMs: 1_000 })
  const ids = ['posted', 'voided', 'expired']
  const first = ids.map(ask)
  fixture.post('posted', 4n)
  fixture.void('voided')
  fixture.timeMs += 1_000
  assert.deepEqual(ids.map(ask), first)
  assert.deepEqual(
    ids.map((id) => fixture.statusOf(id)),
    ids,
  )
})

test('what is no pending transfer can be neither posted nor voided', () => {
  const fixture = bank()
  fixture.transfer('t', 'a', 'b', 1n)
  fixture.transfer('refused', 'a', 'b', 1_000n, { pending: true })
  for (const id of ['t', 'refused', 'd']) {
    assert.equal(reasonOf(fixture.post(id)), 'TRANSFER_NOT_PENDING')
    assert.equal(reasonOf(fixture.void(id)), 'TRANSFER_NOT_PENDING')
  }
  for (const outcome of [fixture.post('none'), fixture.void('none')]) assert.equal(reasonOf(outcome), 'TRANSFER_NOT_FOUND')
})

test('no more can be posted than is held', () => {
  const fixture = bank()
  hold(fixture, 'p', 10n)
  assert.equal(reasonOf(fixture.post('p', 11n)), 'EXCEEDS_PENDING_AMOUNT')
  assert.equal(reasonOf(fixture.post('p', 10n)), 'OK')
})

test('an overflow at the destination refuses the posting and leaves the transfer pending', () => {
  const fixture = bank()
  hold(fixture, 'p', 10n)
  fixture.deposit('full', 'b', INT64_MAX - 9n)
  assert.equal(reasonOf(fixture.post('p')), 'BALANCE_OVERFLOW')
  assert.equal(fixture.statusOf('p'), 'pending')
  fixture.withdraw('w', 'b', 1n)
  assert.equal(reasonOf(fixture.post('p')), 'OK')
})

test('what an account holds never passes int64, however far its overdraft would let it', () => {
  const fixture = bank()
  fixture.open('c', { overdraftLimit: INT64_MAX })
  fixture.deposit('d2', 'c', INT64_MAX)
  assert.equal(reasonOf(fixture.transfer('p1', 'c', 'b', INT64_MAX, { pending: true })), 'OK')
  assert.equal(reasonOf(fixture.transfer('p2', 'c', 'b', 1n, { pending: true })), 'BALANCE_OVERFLOW')
})

test('a hold ends by itself at its time, in log time, at the head of the next command', () => {
  const fixture = bank()
  hold(fixture, 'p', 10n, 1_000)
  hold(fixture, 'forever', 1n)
  fixture.timeMs += 999
  fixture.put('tick', '')
  assert.equal(fixture.statusOf('p'), 'pending')
  fixture.timeMs += 1
  // The very command that needs the money back gets it.
  assert.equal(reasonOf(fixture.withdraw('w', 'a', 99n)), 'OK')
  assert.deepEqual([fixture.statusOf('p'), fixture.statusOf('forever'), fixture.balance('a')], ['expired', 'pending', [1n, 1n]])
  for (const outcome of [fixture.post('p'), fixture.void('p')]) assert.equal(reasonOf(outcome), 'TRANSFER_EXPIRED')
})

test('of very many holds that end together a thousand end in a slot; none of them can be posted or voided any more', () => {
  const fixture = bank()
  fixture.deposit('more', 'a', 10_000n)
  for (let i = 0; i < 2_500; i++) {
    const operation = {
      transferId: `h${i}`,
      sourceAccountId: 'a',
      destinationAccountId: 'b',
      amount: 1n,
      pending: true,
      timeoutMs: 1_000,
    }
    fixture.machine.apply({ $case: 'transfer', value: operation }, { slot: fixture.slot, timeMs: fixture.timeMs, level: 1 })
  }
  fixture.timeMs += 1_000
  const { bank: machine } = fixture.machine
  for (const left of [1_500n, 500n, 0n]) {
    assert.ok(fixture.machine.nextDeadlineMs !== undefined, 'as long as one is due, another slot is')
    const at = { slot: fixture.slot++, timeMs: fixture.timeMs, level: 1 }
    fixture.machine.onSlot(at)
    assert.equal(machine.ledger.accounts.get('a')?.held, left)
    for (const transferId of ['h0', 'h2499']) {
      assert.equal(
        reasonOf(fixture.machine.apply({ $case: 'postTransfer', value: { transferId, amount: 0n } }, at)),
        'TRANSFER_EXPIRED',
      )
      assert.equal(
        reasonOf(fixture.machine.apply({ $case: 'voidTransfer', value: { transferId, amount: 0n } }, at)),
        'TRANSFER_EXPIRED',
      )
    }
  }
  assert.equal(fixture.machine.nextDeadlineMs, undefined)
  assert.deepEqual([fixture.statusOf('h0'), fixture.statusOf('h2499')], ['expired', 'expired'])
})

test('a hold that was posted or voided in time does not expire any more', () => {
  const fixture = bank()
  for (const id of ['posted', 'voided']) hold(fixture, id, 10n, 1_000)
  fixture.post('posted')
  fixture.void('voided')
  fixture.timeMs += 10_000
  fixture.put('tick', '')
  assert.deepEqual([fixture.statusOf('posted'), fixture.statusOf('voided')], ['posted', 'voided'])
})

test('a hold that was rolled back leaves nothing that could end its successor early', () => {
  const fixture = bank()
  const held = { transferId: 'p', sourceAccountId: 'a', destinationAccountId: 'b', amount: 10n, pending: true, timeoutMs: 1_000 }
  fixture.txn([
    { $case: 'transfer', value: held },
    { $case: 'getBalance', value: { accountId: 'nobody' } },
  ])
  assert.equal(fixture.statusOf('p'), undefined)
  hold(fixture, 'p', 20n, 5_000)
  fixture.timeMs += 1_000
  fixture.put('tick', '')
  assert.equal(fixture.statusOf('p'), 'pending')
  fixture.timeMs += 4_000
  fixture.put('tick', '')
  assert.equal(fixture.statusOf('p'), 'expired')
})
