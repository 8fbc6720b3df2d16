// SmallBank: Alomari, Cahill, Fekete and Röhm, "The cost of serializability on platforms that use snapshot isolation" (ICDE '08), and
// SendPayment, which later programs (H-Store's, OLTP-Bench's) added with the shares below. Each customer has a savings and a checking
// account; customers are chosen by a scrambled Zipfian distribution. Every operation is serializable on every rival: how each brings
// that about stands in smallbank-synod.ts and smallbank-etcd.ts.
import { Random } from '../../../src/sim/random.js'
import type { Operation } from '../types.js'
import { ScrambledZipfian } from '../zipf.js'

/** Between these a customer has on each account at the beginning. */
const BALANCE_MIN = 10_000
const BALANCE_MAX = 50_000
const AMOUNT_MAX = 100
/** What a check costs that is not covered. */
export const PENALTY = 1n

/** One connected client. Each operation resolves when it was carried out, or refused for want of money; conflicts are tried again. */
export interface SmallBank {
  /** Opens the accounts of customers 0 to count - 1. */
  open(count: number, balances: () => Balances): Promise<void>
  /** The sum of both accounts. */
  balance(customer: number): Promise<unknown>
  depositChecking(customer: number, amount: bigint): Promise<unknown>
  /** A negative amount takes money out: refused where there is not enough. */
  transactSavings(customer: number, amount: bigint): Promise<unknown>
  /** All that the one has, on both accounts, goes to the other's checking account. */
  amalgamate(from: number, to: number): Promise<unknown>
  /** Takes money from the checking account; and a penalty, where both accounts together do not cover it. */
  writeCheck(customer: number, amount: bigint): Promise<unknown>
  /** From one checking account to another: refused where there is not enough. */
  sendPayment(from: number, to: number, amount: bigint): Promise<unknown>
  close(): void
}

export interface Balances {
  readonly savings: bigint
  readonly checking: bigint
}

type Kind = Exclude<keyof SmallBank, 'open' | 'close'>

const SHARES: readonly (readonly [Kind, number])[] = [
  ['sendPayment', 0.25],
  ['amalgamate', 0.15],
  ['balance', 0.15],
  ['depositChecking', 0.15],
  ['transactSavings', 0.15],
  ['writeCheck', 0.15],
]

export function initialBalances(seed: number): () => Balances {
  const random = new Random(seed)
  const draw = (): bigint => BigInt(random.int(BALANCE_MIN, BALANCE_MAX))
  return () => ({ savings: draw(), checking: draw() })
}

export function smallBankOperation(bank: SmallBank, customers: number, seed: number): Operation {
  const random = new Random(seed)
  const chosen = new ScrambledZipfian(random, customers)
  return () => {
    const kind = drawKind(random)
    const customer = chosen.next()
    const amount = BigInt(random.int(1, AMOUNT_MAX))
    switch (kind) {
      case 'balance':
        return bank.balance(customer)
      case 'depositChecking':
      case 'writeCheck':
        return bank[kind](customer, amount)
      case 'transactSavings':
        return bank.transactSavings(customer, random.chance(0.5) ? amount : -amount)
      case 'amalgamate':
        return bank.amalgamate(customer, otherThan(customer, chosen))
      case 'sendPayment':
        return bank.sendPayment(customer, otherThan(customer, chosen), amount)
    }
  }
}

function drawKind(random: Random): Kind {
  let left = random.next()
  for (const [kind, share] of SHARES) {
    left -= share
    if (left < 0) return kind
  }
  return 'balance'
}

function otherThan(customer: number, chosen: ScrambledZipfian): number {
  for (;;) {
    const other = chosen.next()
    if (other !== customer) return other
  }
}
