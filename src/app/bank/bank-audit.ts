import type { Ledger } from './ledger.js'
import { type AccountRow, INT64_MAX } from './movement.js'

const INT64_MIN = -(2n ** 63n)

/** The sums over an account's movements. */
interface AccountSum {
  /** Number of movements that have been looked at. */
  movementCount: number
  balance: bigint
  /** Sum of the account's pending transfers out. */
  held: bigint
  /** The ids of those that may still change. */
  readonly pendingIds: Set<string>
}

/**
 * The bank's basic invariants: what must hold at every slot, one plain sentence for each that does not. Reads every account and
 * movement, those on disk too: for tests and the simulator.
 */
export function brokenBankInvariants(ledger: Ledger): string[] {
  return new BankAudit().brokenInvariants(ledger)
}

/** Audits one bank again and again. Each movement is read when it is new and while it is pending, and all of them now and then. */
export class BankAudit {
  static readonly #AUDITS_PER_FULL_ONE = 64
  #ledger: Ledger | undefined
  #sums = new Map<string, AccountSum>()
  #count = 0

  /** As brokenBankInvariants. */
  brokenInvariants(ledger: Ledger): string[] {
    if (this.#ledger !== ledger || this.#count % BankAudit.#AUDITS_PER_FULL_ONE === 0) this.#sums = new Map()
    this.#ledger = ledger
    this.#count++
    return [...brokenTotals(ledger), ...Array.from(ledger.accounts.values(), (account) => this.#broken(account, ledger)).flat()]
  }

  #broken(account: AccountRow, ledger: Ledger): string[] {
    const broken: string[] = []
    const { accountId, balance, held, overdraftLimit } = account
    const sum = this.#sumOf(account, ledger)
    if (held < 0n || held > INT64_MAX) broken.push(`account ${accountId} holds ${held}`)
    if (balance < INT64_MIN || balance > INT64_MAX) broken.push(`the balance of ${accountId}, ${balance}, passes int64`)
    if (balance - held < -overdraftLimit) broken.push(`account ${accountId} is below its limit`)
    if (sum.balance !== balance) broken.push(`the movements of ${accountId} do not add up to its balance`)
    if (sum.held !== held) broken.push(`what account ${accountId} holds is not the sum of its pending transfers`)
    return broken
  }

  #sumOf({ accountId, movementCount }: AccountRow, ledger: Ledger): AccountSum {
    const sum = this.#sums.get(accountId) ?? { movementCount: 0, balance: 0n, held: 0n, pendingIds: new Set<string>() }
    this.#sums.set(accountId, sum)
    const news = Array.from(sum.pendingIds, (id) => ledger.movements.get(id))
    for (; sum.movementCount < movementCount; sum.movementCount++) news.push(ledger.movementAt(accountId, sum.movementCount))
    sum.pendingIds.clear()
    sum.held = 0n
    for (const movement of news) {
      if (movement === undefined) continue
      if (movement.status === 'pending') {
        sum.pendingIds.add(movement.id)
        if (movement.source === accountId) sum.held += movement.pendingAmount
      }
      if (movement.status === 'posted') sum.balance += movement.destination === accountId ? movement.amount : -movement.amount
    }
    return sum
  }
}

/** Double entry: money enters by deposit, leaves by withdrawal, and is otherwise only moved. */
function brokenTotals(ledger: Ledger): string[] {
  const sums = new Map<string, bigint>()
  for (const { asset, balance } of ledger.accounts.values()) sums.set(asset, (sums.get(asset) ?? 0n) + balance)
  for (const { asset, deposits, withdrawals } of ledger.totals.values()) {
    sums.set(asset, (sums.get(asset) ?? 0n) - deposits + withdrawals)
  }
  return Array.from(sums)
    .filter(([, difference]) => difference !== 0n)
    .map(([asset, difference]) => `the sum of balances in ${asset} is ${difference} off deposits - withdrawals`)
}
