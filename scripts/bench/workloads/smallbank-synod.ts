// SmallBank on Synod's bank. Each customer has two accounts; what comes from outside the bank, or leaves it, is transferred from and to
// one more account, `cash`, that all share. A checking account may be overdrawn, a savings account may not.
//
// A transaction's bank operations do not depend on a balance that it reads, and its conditions are on keys alone. So each customer has
// a key as well, whose version counts the changes of both accounts: every transaction that moves a customer's money puts it. Then
//
//   balance           one transaction, of two reads
//   depositChecking   one transaction: a transfer from cash, and the key
//   transactSavings   the same, with savings; the refusal for want of money is the bank's own
//   amalgamate, writeCheck, sendPayment
//                     a transaction that reads balances and the key, then one that moves money if the key still has that version
import { randomUUID } from 'node:crypto'
import { type Client, SynodError } from '../../../src/client/client.js'
import type { CompareInput, OperationInput } from '../../../src/client/request-inputs.js'
import { forEach } from '../../lib/bank-load.js'
import { type Balances, PENALTY, type SmallBank } from './smallbank.js'

const ASSET = 'EUR'
const CASH = 'cash'
const OVERDRAFT_LIMIT = 1n << 50n
/** Of a transaction that opens them: five operations each, of the 128 that it may have. */
const CUSTOMERS_PER_TXN = 25
const LOADS_IN_FLIGHT = 32

/** What it needs of one. */
type BankClient = Pick<Client, 'kv' | 'bank' | 'close'>

interface Seen extends Balances {
  readonly customer: number
  /** Of the customer's key. */
  readonly version: bigint
}

export class SynodSmallBank implements SmallBank {
  readonly #client: BankClient
  /** Begins the ids of its transfers: no other client has it. */
  readonly #name = randomUUID()
  #transfers = 0

  constructor(client: BankClient) {
    this.#client = client
  }

  async open(count: number, balances: () => Balances): Promise<void> {
    await this.#client.bank.openAccount({ accountId: CASH, asset: ASSET, overdraftLimit: OVERDRAFT_LIMIT })
    await forEach(Math.ceil(count / CUSTOMERS_PER_TXN), LOADS_IN_FLIGHT, (n) => {
      const first = n * CUSTOMERS_PER_TXN
      const customers = Array.from({ length: Math.min(CUSTOMERS_PER_TXN, count - first) }, (_, i) => first + i)
      return this.#txn(
        [],
        customers.flatMap((customer) => this.#openCustomer(customer, balances())),
      )
    })
  }

  #openCustomer(customer: number, { savings, checking }: Balances): OperationInput[] {
    return [
      { openAccount: { accountId: savingsOf(customer), asset: ASSET } },
      { openAccount: { accountId: checkingOf(customer), asset: ASSET, overdraftLimit: OVERDRAFT_LIMIT } },
      ...this.#move(CASH, savingsOf(customer), savings),
      ...this.#move(CASH, checkingOf(customer), checking),
      changed(customer),
    ]
  }

  balance(customer: number): Promise<unknown> {
    return this.#txn([], readsOf(customer).slice(0, 2))
  }

  depositChecking(customer: number, amount: bigint): Promise<unknown> {
    return this.#txn([], [...this.#move(CASH, checkingOf(customer), amount), changed(customer)])
  }

  async transactSavings(customer: number, amount: bigint): Promise<unknown> {
    try {
      return await this.#txn([], [...this.#move(CASH, savingsOf(customer), amount), changed(customer)])
    } catch (error) {
      if (error instanceof SynodError && error.reason === 'INSUFFICIENT_FUNDS') return undefined
      throw error
    }
  }

  amalgamate(from: number, to: number): Promise<unknown> {
    return this.#optimistically(from, ({ savings, checking }) => [
      ...this.#move(savingsOf(from), checkingOf(to), savings),
      ...this.#move(checkingOf(from), checkingOf(to), checking),
      changed(to),
    ])
  }

  writeCheck(customer: number, amount: bigint): Promise<unknown> {
    return this.#optimistically(customer, ({ savings, checking }) => {
      const isCovered = savings + checking >= amount
      return this.#move(checkingOf(customer), CASH, isCovered ? amount : amount + PENALTY)
    })
  }

  sendPayment(from: number, to: number, amount: bigint): Promise<unknown> {
    return this.#optimistically(from, ({ checking }) =>
      checking < amount ? undefined : [...this.#move(checkingOf(from), checkingOf(to), amount), changed(to)],
    )
  }

  close(): void {
    this.#client.close()
  }

  /** Reads, decides, and carries it out if the customer is as it was read; again until it is. Undefined: there is nothing to do. */
  async #optimistically(customer: number, decide: (seen: Seen) => OperationInput[] | undefined): Promise<void> {
    for (;;) {
      const seen = await this.#read(customer)
      const operations = decide(seen)
      if (operations === undefined) return
      const { succeeded } = await this.#txn([{ key: keyOf(customer), version: seen.version }], [...operations, changed(customer)])
      if (succeeded) return
    }
  }

  async #read(customer: number): Promise<Seen> {
    const { responses } = await this.#txn([], readsOf(customer))
    const [savings, checking, key] = responses
    const balanceIn = (response: typeof savings): bigint => response?.getBalance?.account?.balance ?? 0n
    return {
      customer,
      savings: balanceIn(savings),
      checking: balanceIn(checking),
      version: key?.get?.pair?.version ?? 0n,
    }
  }

  /** A negative amount goes the other way. */
  #move(from: string, to: string, amount: bigint): OperationInput[] {
    if (amount === 0n) return []
    if (amount < 0n) return this.#move(to, from, -amount)
    const transferId = `${this.#name}-${++this.#transfers}`
    return [{ transfer: { transferId, sourceAccountId: from, destinationAccountId: to, amount } }]
  }

  #txn(compare: readonly CompareInput[], operations: readonly OperationInput[]): ReturnType<Client['kv']['txn']> {
    // oxlint-disable-next-line unicorn/no-thenable -- the proto's field, a list
    return this.#client.kv.txn({ compare, then: operations })
  }
}

function savingsOf(customer: number): string {
  return `savings-${customer}`
}

function checkingOf(customer: number): string {
  return `checking-${customer}`
}

function keyOf(customer: number): string {
  return `customer-${customer}`
}

function changed(customer: number): OperationInput {
  return { put: { key: keyOf(customer), value: '' } }
}

function readsOf(customer: number): OperationInput[] {
  return [
    { getBalance: { accountId: savingsOf(customer) } },
    { getBalance: { accountId: checkingOf(customer) } },
    { get: { key: keyOf(customer) } },
  ]
}
