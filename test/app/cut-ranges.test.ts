import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BankAndKeys } from '../../src/api/bank-and-keys.js'
import { apply } from '../../src/app/carry-out.js'
import type { Operation, Outcome } from '../../src/app/operation.js'
import type { Outcome as DeleteOutcome } from '../../src/app/operations/delete.js'
import type { Outcome as ListOutcome } from '../../src/app/operations/list.js'
import { Refusal } from '../../src/app/refusal.js'
import type { StateEntry } from '../../src/replication/state-machine.js'
import { ActingBooks } from './acting-books.js'
import { Fixture, fakeCrypto } from './fixture.js'
import { Random } from './random.js'

const put = (key: string, value = ''): Operation => ({ $case: 'put', value: { key, value, returnPrevious: false } })
const del = (prefix: string): Operation => ({
  $case: 'delete',
  value: { target: { $case: 'prefix', value: prefix }, returnPrevious: false },
})
/** Refused, and everything before it with it. */
const REFUSED: Operation = { $case: 'getBalance', value: { accountId: 'nobody' } }

function countOf(machine: ActingBooks, prefix: string): number {
  const request = { prefix, start: '', end: '', limit: 0, descending: false, keysOnly: true, countOnly: false, pageToken: '' }
  const outcome = machine.read({ $case: 'list', value: request }) as { value: ListOutcome }
  assert.equal(BigInt(outcome.value.pairs.length), outcome.value.count)
  return outcome.value.pairs.length
}

test('very many keys are deleted in one revision, gone at once, and cleared ten thousand a slot', () => {
  const fixture = new Fixture()
  const { machine } = fixture
  for (let i = 0; i < 25_000; i++) fixture.machine.apply(put(`k/${i}`, 'v'), { slot: 1, timeMs: 1, level: 1 })
  for (const key of ['j', 'k', 'l']) fixture.machine.apply(put(key, 'v'), { slot: 1, timeMs: 1, level: 1 })
  const bytes = machine.stateBytes
  const at = { slot: 1, timeMs: 1, level: 1 }
  const { value } = machine.apply(del('k/'), at) as { value: DeleteOutcome }
  assert.deepEqual(value, { deletedCount: 25_000n, revision: 25_005n, previous: [] })
  assert.equal(countOf(machine, 'k'), 1)
  assert.equal(machine.keys.get({ key: 'k/7' }).pair, undefined)
  machine.apply(put('k/7', 'again'), at)
  assert.deepEqual(machine.keys.get({ key: 'k/7' }).pair, {
    key: 'k/7',
    value: 'again',
    createRevision: 25_006n,
    modRevision: 25_006n,
    version: 1n,
  })
  const held: number[] = []
  while (machine.nextDeadlineMs !== undefined) {
    machine.onSlot(at)
    held.push(machine.stateBytes)
  }
  assert.equal(held.length, 3)
  assert.ok(held.every((left, i) => left < (held[i - 1] ?? bytes)))
  assert.equal(countOf(machine, 'k'), 2)
  assert.equal(machine.keys.pairs.size, 4)
})

/** Keys that belong to a few prefixes, so that deletions meet what others have deleted, and what has come again. */
function randomStep(random: Random, sequence: number): Operation[] {
  const prefix = ['a', 'ab', 'b', ''][random.below(4)] ?? ''
  if (random.below(9) === 0) return [del(prefix)]
  const count = 1 + random.below(60)
  return Array.from({ length: count }, (_, i) =>
    random.below(40) === 0 ? del(prefix) : put(`${prefix}x${random.below(300)}`, `${sequence}.${i}`),
  )
}

test('whatever is deleted, comes again and is taken back, is found as in a plain map; restored half way, it goes on the same', () => {
  for (let seed = 1; seed <= 6; seed++) {
    const random = new Random(seed)
    let live = new BankAndKeys(fakeCrypto)
    load(live, [])
    const disk = new Map<string, StateEntry>()
    let plain = new Map<string, string>()
    let restored: BankAndKeys | undefined
    for (let slot = 1; slot <= 250; slot++) {
      const operations = randomStep(random, slot)
      const isRefused = random.below(4) === 0
      const at = { slot, timeMs: slot, level: 1 }
      const outcomes = [live, ...(restored === undefined ? [] : [restored])].map((machine): Outcome => {
        // Few a slot, so that there is always something left to clear.
        machine.books.keys.cuts.clear(20)
        const all = isRefused ? [...operations, REFUSED] : operations
        // oxlint-disable-next-line unicorn/no-thenable -- the proto's name; a transaction is never awaited
        return apply(machine.books, { $case: 'txn', value: { compare: [], then: all, else: [] } }, at)
      })
      if (restored !== undefined) {
        assert.deepEqual(outcomes[1], outcomes[0], `seed ${seed}, slot ${slot}`)
        assert.equal(restored.stateBytes, live.stateBytes, `seed ${seed}, slot ${slot}`)
      }
      if (isRefused) assert.ok(outcomes[0] instanceof Refusal)
      else plain = carriedOut(plain, operations)
      assert.deepEqual(
        pairsOf(live),
        [...plain].toSorted(([a], [b]) => (a < b ? -1 : 1)),
        `seed ${seed}, slot ${slot}`,
      )
      if (random.below(20) !== 0) continue
      for (const entry of live.changes()) {
        if (entry.value === undefined) disk.delete(entry.key)
        else disk.set(entry.key, { key: entry.key, value: entry.value.slice(), keyspace: entry.keyspace })
      }
      live.onCheckpointed()
      if (restored !== undefined && random.below(2) === 0) live = restored
      restored = new BankAndKeys(fakeCrypto)
      load(restored, [...disk.values()])
      if (live !== restored) for (const entry of restored.changes()) assert.ok(entry.key !== '')
      restored.onCheckpointed()
    }
  }
})

function load(machine: BankAndKeys, entries: StateEntry[]): void {
  const restoration = machine.restore({ read: () => undefined })
  restoration.load(entries.filter(({ keyspace }) => keyspace === 'state').toSorted((a, b) => (a.key < b.key ? -1 : 1)))
  restoration.finish()
}

function carriedOut(before: ReadonlyMap<string, string>, operations: readonly Operation[]): Map<string, string> {
  const plain = new Map(before)
  for (const operation of operations) {
    if (operation.$case === 'put') plain.set(operation.value.key, operation.value.value as string)
    else if (operation.$case === 'delete') {
      for (const key of plain.keys()) if (key.startsWith(operation.value.target.value)) plain.delete(key)
    }
  }
  return plain
}

function pairsOf({ books }: BankAndKeys): [string, string][] {
  const { pairs } = books.keys
  const keys = [
    ...pairs.keys.ascending(
      pairs.keys.position(() => false),
      pairs.keys.position(() => true),
    ),
  ]
  return keys.map((key) => [key, String(pairs.get(key)?.value)])
}
