import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokenBankInvariants } from '../../src/app/bank/bank-audit.js'
import type { Outcome } from '../../src/app/operation.js'
import { Refusal } from '../../src/app/refusal.js'
import { ActingBooks } from './acting-books.js'
import { dump, fakeCrypto, operationOf } from './fixture.js'
import { Random } from './random.js'
import { INITIAL_COMMAND, randomCommand } from './random-commands.js'

const SEEDS = 12
const COMMANDS = 500

/** A history in which one of these never happens proves little. */
const EXPECTED = (
  'put delete txn openAccount deposit withdraw transfer postTransfer voidTransfer transferBatch registerAuthority revokeAuthority ' +
  'ID_REUSED ACCOUNT_EXISTS ACCOUNT_NOT_FOUND TRANSFER_NOT_FOUND UNKNOWN_AUTHORITY INVALID_SIGNATURE ASSET_MISMATCH ' +
  'INSUFFICIENT_FUNDS BALANCE_OVERFLOW TRANSFER_NOT_PENDING TRANSFER_EXPIRED EXCEEDS_PENDING_AMOUNT PENDING_AMOUNT_DIFFERS ' +
  'LINKED_REFUSED'
).split(' ')

test('in random histories the books balance after every operation, and every outcome is met', () => {
  const met = new Map<string, number>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Random(seed)
    const machine = new ActingBooks(fakeCrypto)
    machine.apply(operationOf(INITIAL_COMMAND), { slot: 0, timeMs: 0, level: 1 })
    let timeMs = 1_000_000
    for (let slot = 1; slot <= COMMANDS; slot++) {
      timeMs += random.below(2_000)
      machine.onSlot({ slot, timeMs, level: 1 })
      const outcome = machine.apply(operationOf(randomCommand(random)), { slot, timeMs, level: 1 })
      count(met, outcome)
      assert.deepEqual(brokenBankInvariants(machine.bank.ledger), [], `seed ${seed}, slot ${slot}`)
    }
  }
  const missing = EXPECTED.filter((name) => !met.has(name))
  assert.deepEqual(missing, [])
})

test('a refused command changes nothing but that a refused id stays refused', () => {
  const random = new Random(99)
  const machine = new ActingBooks(fakeCrypto)
  machine.apply(operationOf(INITIAL_COMMAND), { slot: 0, timeMs: 0, level: 1 })
  let refusals = 0
  for (let slot = 1; slot <= 1_000; slot++) {
    const before = withoutRefused(machine)
    // Time stands still: no hold ends on the way.
    const outcome = machine.apply(operationOf(randomCommand(random)), { slot, timeMs: 1_000, level: 1 })
    if (!(outcome instanceof Refusal)) continue
    refusals++
    assert.deepEqual(withoutRefused(machine), before, `slot ${slot}`)
  }
  assert.ok(refusals > 100)
})

/** Everything but refused movements, and how they are counted. */
function withoutRefused(machine: ActingBooks): unknown {
  const { histories, ...rest } = dump(machine) as { histories: { sequence: number }[][] }
  return { ...rest, histories: histories.map((list) => list.map((movement) => ({ ...movement, sequence: 0 }))), sequence: 0 }
}

function count(met: Map<string, number>, outcome: Outcome | Refusal): void {
  const name = outcome instanceof Refusal ? outcome.reason : outcome.$case
  met.set(name, (met.get(name) ?? 0) + 1)
  if (outcome instanceof Refusal || outcome.$case !== 'transferBatch') return
  for (const result of outcome.value.results) if (result instanceof Refusal) count(met, result)
}
