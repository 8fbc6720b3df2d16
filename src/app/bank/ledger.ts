import type { EventLog } from '../../replication/event-log.js'
import { assert } from '../../tables/assert.js'
import type { Journal } from '../../tables/journal.js'
import { ACCOUNT_BYTES, MOVEMENT_BYTES, TOTAL_BYTES, textBytes } from '../../tables/row-bytes.js'
import { OrderedTable, Table } from '../../tables/table.js'
import { AccountLists, Movements, NO_HISTORY, placeOf, type StoredHistory } from './bank-history.js'
import type { Account, AccountRow, MovedAccounts, Movement, Standing } from './movement.js'

/** The sums that have entered and left the bank in one asset. Unbounded: each is a sum of int64 amounts. */
export interface AssetTotals {
  readonly asset: string
  readonly deposits: bigint
  readonly withdrawals: bigint
}

interface AccountChange {
  readonly balance?: bigint
  readonly held?: bigint
  /** That of a new movement which touches it; see nextPlace. */
  readonly place?: number
}

/** The bank's books: accounts, every movement by id, and the order of each account's movements. It refuses nothing; Bank does. */
export class Ledger {
  readonly accounts: OrderedTable<AccountRow>
  readonly movements: Movements
  readonly totals: Table<AssetTotals>
  /** Ids of the movements that touched an account: refused ones touched none. */
  readonly lists: AccountLists
  readonly #events: EventLog

  constructor(journal: Journal, events: EventLog, stored: StoredHistory = NO_HISTORY) {
    this.#events = events
    this.accounts = new OrderedTable(journal, ({ asset }) => ACCOUNT_BYTES + textBytes(asset))
    this.movements = new Movements(journal, stored)
    this.lists = new AccountLists(stored)
    this.totals = new Table(journal, () => TOTAL_BYTES)
  }

  /** The account's movement at the index, from 0 to its movementCount; sequences ascend. */
  movementAt(accountId: string, index: number): Movement {
    const movement = this.movements.get(this.lists.get(this.account(accountId), index))
    assert(movement !== undefined, 'every movement of an account is found')
    return movement
  }

  /** Enters a new movement in the books. `touched`: its accounts as they were before it. */
  record(movement: Movement, touched: MovedAccounts): void {
    this.movements.add(movement)
    this.lists.add(movement, touched)
    if (movement.status !== 'refused') this.#events.add('movementMade', undefined, movement, MOVEMENT_BYTES)
  }

  /** The place of the next movement in the list of its account on that side. */
  nextPlace(side: 'source' | 'destination'): number {
    return placeOf(this.movements.count.value + 1, side)
  }

  /** Puts another state of a movement, which stands as `before`, in its place. */
  replace(before: Movement, movement: Movement): void {
    assert(before.status === 'pending' && before.id === movement.id, 'only a pending movement changes')
    this.movements.set(movement)
    this.#events.add('movementEnded', before, movement, 2 * MOVEMENT_BYTES)
  }

  /** Changes what an account holds, and what of it is held, by so much, perhaps by a new movement. Gives it back as it is then. */
  change(account: AccountRow, { balance = 0n, held = 0n, place = 0 }: AccountChange): AccountRow {
    const after: AccountRow = {
      accountId: account.accountId,
      asset: account.asset,
      balance: account.balance + balance,
      // The same object where it is the same amount: movements keep it, see Standing.
      held: held === 0n ? account.held : account.held + held,
      overdraftLimit: account.overdraftLimit,
      openedAtMs: account.openedAtMs,
      movementCount: place === 0 ? account.movementCount : account.movementCount + 1,
      lastPlace: place === 0 ? account.lastPlace : place,
    }
    assert(after.held >= 0n, 'a hold is given back once')
    assert(after.balance - after.held >= -after.overdraftLimit, 'no account goes below its limit')
    this.accounts.set(account.accountId, after)
    return after
  }

  /** One that a movement has touched. */
  account(accountId: string): AccountRow {
    const account = this.accounts.get(accountId)
    assert(account !== undefined, 'money moves between accounts that exist')
    return account
  }

  /** The standing of a movement's accounts as of now. */
  standing(movement: { readonly source: string; readonly destination: string }): Standing {
    return standingOf({ source: this.accounts.get(movement.source), destination: this.accounts.get(movement.destination) })
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
}

/** The standing of two accounts. */
export function standingOf({ source, destination }: MovedAccounts): Standing {
  return {
    sourceBalance: source?.balance ?? 0n,
    sourceHeld: source?.held ?? 0n,
    destinationBalance: destination?.balance ?? 0n,
    destinationHeld: destination?.held ?? 0n,
  }
}

/** An account as it was when it held so much. */
function accountAt(account: Account, { balance, held }: { balance: bigint; held: bigint }): Account {
  const { accountId, asset, overdraftLimit, openedAtMs } = account
  return { accountId, asset, balance, held, overdraftLimit, openedAtMs }
}
