import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AccountLists, placeOf } from '../../src/app/bank/bank-history.js'
import type { AccountRow, Movement } from '../../src/app/bank/movement.js'
import { Random } from './random.js'

/** Lists as the ledger drives them, beside plain arrays; what a checkpoint has taken is on a disk once it is durable. */
class Fixture {
  readonly disk = new Map<string, string>()
  readCount = 0
  readonly lists = new AccountLists({
    movement: () => undefined,
    movementId: (accountId, index) => {
      this.readCount++
      return this.disk.get(`${accountId} ${index}`)
    },
  })
  accounts = new Map<string, AccountRow>()
  model = new Map<string, string[]>()
  count = 0
  #taken: Map<string, string> | undefined

  move(source: string, destination: string): void {
    const sequence = ++this.count
    const id = `${sequence} of ${source} to ${destination}`
    const movement = { id, source, destination, sequence } as Movement
    this.lists.add(movement, { source: this.accounts.get(source), destination: this.accounts.get(destination) })
    for (const [side, accountId] of [
      ['source', source],
      ['destination', destination],
    ] as const) {
      const account = this.accounts.get(accountId)
      if (account === undefined) continue
      const movementCount = account.movementCount + 1
      this.accounts.set(accountId, { ...account, movementCount, lastPlace: placeOf(sequence, side) })
      this.model.set(accountId, [...(this.model.get(accountId) ?? []), id])
    }
  }

  open(accountId: string): void {
    const account = { accountId, asset: '', balance: 0n, held: 0n, overdraftLimit: 0n, openedAtMs: 0 }
    this.accounts.set(accountId, { ...account, movementCount: 0, lastPlace: 0 })
  }

  /** As a linked group that is refused at its end. */
  rolledBack(work: () => void): void {
    const { count, accounts, model } = this
    this.accounts = new Map(accounts)
    this.model = new Map(model)
    work()
    Object.assign(this, { count, accounts, model })
  }

  take(): void {
    this.#taken = new Map()
    for (const { accountId, index, movementId } of this.lists.takeChanges(this.count)) {
      const key = `${accountId} ${index}`
      assert.ok(!this.disk.has(key) && !this.#taken.has(key), 'each place is written once')
      this.#taken.set(key, movementId)
    }
  }

  commit(): void {
    for (const [key, id] of this.#taken ?? []) this.disk.set(key, id)
    this.#taken = undefined
    this.lists.onCheckpointed()
  }

  check(): void {
    for (const [accountId, account] of this.accounts) {
      const ids = Array.from({ length: account.movementCount }, (_, index) => this.lists.get(account, index))
      assert.deepEqual(ids, this.model.get(accountId) ?? [], accountId)
    }
  }
}

test('an account finds each of its movements, wherever checkpoints are made and whatever is rolled back', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed)
    const fixture = new Fixture()
    const names = ['a', 'b', 'c', 'd', 'busy']
    for (const name of names) fixture.open(name)
    const some = (): string => (random.below(3) === 0 ? 'busy' : (names[random.below(names.length)] ?? ''))
    const moves = (): void => {
      for (let i = random.below(12); i >= 0; i--) {
        const source = some()
        const destination = random.below(4) === 0 ? '' : some()
        if (source !== destination) fixture.move(source, destination)
      }
    }
    let isTaken = false
    for (let step = 0; step < 120; step++) {
      const kind = random.below(10)
      if (kind < 5) moves()
      else if (kind < 8) fixture.rolledBack(moves)
      else if (isTaken) fixture.commit()
      else fixture.take()
      if (kind >= 8) isTaken = !isTaken
      if (step % 5 === 0) fixture.check()
    }
    fixture.check()
  }
})

test('what is in memory is not looked for on the disk', () => {
  const fixture = new Fixture()
  for (const name of ['a', 'b']) fixture.open(name)
  for (let i = 0; i < 100; i++) fixture.move('a', 'b')
  fixture.take()
  for (let i = 0; i < 100; i++) fixture.move('b', 'a')
  fixture.check()
  assert.equal(fixture.readCount, 0)
  fixture.commit()
  fixture.check()
  assert.equal(fixture.readCount, 200)
})
