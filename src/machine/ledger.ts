import { assert } from './assert.js'
import type { Account, Movement, Standing } from './movement.js'
import { Cell, type Journal, OrderedTable, Table } from './table.js'

/** What has entered and left the bank in one asset. Unbounded: a sum of int64 amounts. */
export interface AssetTotals {
  readonly asset: string
  readonly deposits: bigint
  readonly withdrawals: bigint
}

const NO_MOVEMENTS: readonly string[] = []

/** The bank's books: accounts, every movement by id, and the order of each account's movements. It refuses nothing; Bank does. */
export class Ledger {
  readonly accounts: OrderedTable<Account>
  readonly movements: Table<Movement>
  readonly totals: Table<AssetTotals>
  /** How many movements there are, refused ones included. */
  readonly sequence: Cell<number>
  /** Ids of the movements that touched an account, oldest first: refused ones touched none. */
  readonly #histories = new Map<string, string[]>()
  readonly #journal: Journal

  constructor(journal: Journal) {
    this.#journal = journal
    this.accounts = new OrderedTable(journal)
    this.movements = new Table(journal)
    this.totals = new Table(journal)
    this.sequence = new Cell(journal, 0)
  }

  /** The ids of the account's movements, oldest first, with ascending sequence. */
  history(accountId: string): readonly string[] {
    return this.#histories.get(accountId) ?? NO_MOVEMENTS
  }

  /** Enters a new movement in the books. */
  record(movement: Movement): void {
    assert(this.movements.get(movement.id) === undefined, 'a movement id is used once')
    assert(movement.sequence === this.sequence.value + 1, 'movements are numbered without a gap')
    this.sequence.set(movement.sequence)
    this.movements.set(movement.id, movement)
    this.#remember(movement)
    if (this.#journal.isOpen) this.#journal.record(() => this.#forget(movement))
  }

  /** Puts another state of a movement in the place of the one that stands. */
  replace(movement: Movement): void {
    assert(this.movements.get(movement.id)?.status === 'pending', 'only a pending movement changes')
    this.movements.set(movement.id, movement)
  }

  /** Changes what an account holds, and what of it is held, by so much. The account must exist. */
  change(accountId: string, { balance = 0n, held = 0n }: { balance?: bigint; held?: bigint }): void {
    const account = this.accounts.get(accountId)
    assert(account !== undefined, 'money moves between accounts that exist')
    const after: Account = {
      accountId,
      asset: account.asset,
      balance: account.balance + balance,
      // The same object where it is the same amount: movements keep it, see Standing.
      held: held === 0n ? account.held : account.held + held,
      overdraftLimit: account.overdraftLimit,
      openedAtMs: account.openedAtMs,
    }
    assert(after.held >= 0n, 'a hold is given back once')
    assert(after.balance - after.held >= -after.overdraftLimit, 'no account goes below its limit')
    this.accounts.set(accountId, after)
  }

  /** What the accounts of a movement hold now. */
  standing(movement: { readonly source: string; readonly destination: string }): Standing {
    const source = this.accounts.get(movement.source)
    const destination = this.accounts.get(movement.destination)
    return {
      sourceBalance: source?.balance ?? 0n,
      sourceHeld: source?.held ?? 0n,
      destinationBalance: destination?.balance ?? 0n,
      destinationHeld: destination?.held ?? 0n,
    }
  }

  /** The accounts of a movement as they were right after it was made, or, if it was posted or voided since, right after that. */
  accountsAfter(movement: Movement): { source: Account | undefined; destination: Account | undefined } {
    const standing = movement.endStanding ?? movement.standing
    assert(standing !== undefined, 'a movement that was made has changed its accounts')
    const source = this.accounts.get(movement.source)
    const destination = this.accounts.get(movement.destination)
    return {
      source: source && { ...source, balance: standing.sourceBalance, held: standing.sourceHeld },
      destination: destination && { ...destination, balance: standing.destinationBalance, held: standing.destinationHeld },
    }
  }

  /** Counts money that enters or leaves the bank. */
  count(asset: string, { deposits = 0n, withdrawals = 0n }: { deposits?: bigint; withdrawals?: bigint }): void {
    const totals = this.totals.get(asset)
    this.totals.set(asset, {
      asset,
      deposits: (totals?.deposits ?? 0n) + deposits,
      withdrawals: (totals?.withdrawals ?? 0n) + withdrawals,
    })
  }

  /** Puts back every movement of a checkpoint, in any order. */
  loadMovements(movements: Movement[]): void {
    movements.sort((a, b) => a.sequence - b.sequence)
    for (const movement of movements) {
      this.movements.load(movement.id, movement)
      this.#remember(movement)
    }
  }

  #remember(movement: Movement): void {
    if (movement.status === 'refused') return
    if (movement.source !== '') this.#append(movement.source, movement.id)
    if (movement.destination !== '') this.#append(movement.destination, movement.id)
  }

  #append(accountId: string, movementId: string): void {
    const history = this.#histories.get(accountId)
    if (history === undefined) this.#histories.set(accountId, [movementId])
    else history.push(movementId)
  }

  /** Undoing goes backwards, so that the movement is the last of both histories. */
  #forget(movement: Movement): void {
    if (movement.status === 'refused') return
    for (const accountId of [movement.source, movement.destination]) {
      if (accountId === '') continue
      const last = this.#histories.get(accountId)?.pop()
      assert(last === movement.id, 'what is undone was done last')
    }
  }
}
