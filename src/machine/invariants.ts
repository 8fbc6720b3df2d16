import type { Ledger } from './ledger.js'
import { type Account, INT64_MAX } from './movement.js'

const INT64_MIN = -(2n ** 63n)

/**
 * The bank's basic invariants: what must hold at every slot, one plain sentence for each that does not. Reads every account and
 * movement: for tests and the simulator.
 */
export function brokenBankInvariants(ledger: Ledger): string[] {
  return [...brokenTotals(ledger), ...brokenAccounts(ledger), ...brokenHolds(ledger)]
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

function brokenAccounts(ledger: Ledger): string[] {
  const broken: string[] = []
  for (const account of ledger.accounts.values()) {
    const { accountId, balance, held, overdraftLimit } = account
    if (held < 0n || held > INT64_MAX) broken.push(`account ${accountId} holds ${held}`)
    if (balance < INT64_MIN || balance > INT64_MAX) broken.push(`the balance of ${accountId}, ${balance}, passes int64`)
    if (balance - held < -overdraftLimit) broken.push(`account ${accountId} is below its limit`)
    if (historyBalance(ledger, account) !== balance) broken.push(`the movements of ${accountId} do not add up to its balance`)
  }
  return broken
}

function brokenHolds(ledger: Ledger): string[] {
  const held = new Map<string, bigint>()
  for (const movement of ledger.movements.values()) {
    if (movement.status !== 'pending') continue
    held.set(movement.source, (held.get(movement.source) ?? 0n) + movement.pendingAmount)
  }
  return Array.from(ledger.accounts.values())
    .filter((account) => account.held !== (held.get(account.accountId) ?? 0n))
    .map((account) => `what account ${account.accountId} holds is not the sum of its pending transfers`)
}

function historyBalance(ledger: Ledger, { accountId }: Account): bigint {
  let balance = 0n
  for (const id of ledger.history(accountId)) {
    const movement = ledger.movements.get(id)
    if (movement?.status !== 'posted') continue
    balance += movement.destination === accountId ? movement.amount : -movement.amount
  }
  return balance
}
