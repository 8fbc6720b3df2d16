import { assert } from './assert.js'
import { AccountLists, Movements, NO_HISTORY, type StoredHistory } from './bank-history.js'
import type { Account, AccountRow, Movement, Standing } from './movement.js'
import { type Journal, OrderedTable, Table } from './table.js'

/** What has entered and left the bank in one asset. Unbounded: a sum of int64 amounts. */
export interface AssetTotals {
  readonly asset: string
  readonly deposits: bigint
  readonly withdrawals: bigint
}

interface AccountChange {
  readonly balance?: bigint
  readonly held?: bigint
  /** 1 when a new movement touches it. */
  readonly movements?: 0 | 1
}

/** The bank's books: accounts, every movement by id, and the order of each account's movements. It refuses nothing; Bank does. */
export class Ledger {
  readonly accounts: OrderedTable<AccountRow>
  readonly movements: Movements
  readonly totals: Table<AssetTotals>
  /** Ids of the movements that touched an account: refused ones touched none. */
  readonly lists: AccountLists
  readonly #journal: Journal

  constructor(journal: Journal, stored: StoredHistory = NO_HISTORY) {
    this.#journal = journal
    this.accounts = new OrderedTable(journal)
    this.movements = new Movements(journal, stored)
    this.lists = new AccountLists(stored)
    this.totals = new Table(journal)
  }

  /** The account's movement at the index, from 0 to its movementCount; sequences ascend. */
  movementAt(accountId: string, index: number): Movement {
    const movement = this.movements.get(this.lists.get(accountId, index))
    assert(movement !== undefined, 'every movement of an account is found')
    return movement
  }

  /** Enters a new movement, which its accounts have counted already, in the books. */
  record(movement: Movement): void {
    this.movements.add(movement)
    if (movement.status === 'refused') return
    if (movement.source !== '') this.#list(movement.source, movement.id)
    if (movement.destination !== '') this.#list(movement.destination, movement.id)
  }

  /** Puts another state of a movement, which stands as `before`, in its place. */
  replace(before: Movement, movement: Movement): void {
    assert(before.status === 'pending' && before.id === movement.id, 'only a pending movement changes')
    this.movements.set(movement)
  }

  /** Changes what an account holds, what of it is held, and how many movements have touched it, by so much. The account must exist. */
  change(accountId: string, { balance = 0n, held = 0n, movements = 0 }: AccountChange): void {
    const account = this.accounts.get(accountId)
    assert(account !== undefined, 'money moves between accounts that exist')
    const after: AccountRow = {
      accountId,
      asset: account.asset,
      balance: account.balance + balance,
      // The same object where it is the same amount: movements keep it, see Standing.
      held: held === 0n ? account.held : account.held + held,
      overdraftLimit: account.overdraftLimit,
      openedAtMs: account.openedAtMs,
      movementCount: account.movementCount + movements,
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
      source: source && accountAt(source, { balance: standing.sourceBalance, held: standing.sourceHeld }),
      destination:
        destination && accountAt(destination, { balance: standing.destinationBalance, held: standing.destinationHeld }),
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

  /** See StateMachine.onCheckpointed. */
  onCheckpointed(): void {
    this.movements.onCheckpointed()
    this.lists.onCheckpointed()
  }

  #list(accountId: string, movementId: string): void {
    const account = this.accounts.get(accountId)
    assert(account !== undefined, 'money moves between accounts that exist')
    this.lists.append(accountId, account.movementCount - 1, movementId)
    if (this.#journal.isOpen) this.#journal.record(() => this.lists.removeLast(accountId, movementId))
  }
}

/** An account as it was when it held so much. */
function accountAt(account: Account, { balance, held }: { balance: bigint; held: bigint }): Account {
  const { accountId, asset, overdraftLimit, openedAtMs } = account
  return { accountId, asset, balance, held, overdraftLimit, openedAtMs }
}
