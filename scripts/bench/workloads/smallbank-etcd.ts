// SmallBank on etcd. Each account is a key with its balance. An operation reads the keys that it needs in one linearizable transaction,
// decides, and puts what changes on condition that none of what it read has changed since: the same optimistic way as the transfers of
// clients/etcd-bank.ts. A balance is one transaction, of two reads.
import { forEach } from '../../lib/bank-load.js'
import { decodeTxn, ETCD_TXN, type EtcdPair, type EtcdVersion, encodeReads, encodeTxn } from '../clients/etcd-messages.js'
import { UnaryChannels } from '../clients/unary.js'
import { type Balances, PENALTY, type SmallBank } from './smallbank.js'

/** Of a transaction that opens them: two puts each, of the 128 that etcd takes. */
const CUSTOMERS_PER_TXN = 64
const LOADS_IN_FLIGHT = 16

/** What becomes of accounts whose balances are these; undefined: nothing. */
type Decision = (balances: readonly bigint[]) => readonly bigint[] | undefined

export class EtcdSmallBank implements SmallBank {
  readonly #channels: UnaryChannels

  constructor(addresses: readonly string[]) {
    this.#channels = new UnaryChannels(addresses)
  }

  async open(count: number, balances: () => Balances): Promise<void> {
    await forEach(Math.ceil(count / CUSTOMERS_PER_TXN), LOADS_IN_FLIGHT, (n) => {
      const first = n * CUSTOMERS_PER_TXN
      const customers = Array.from({ length: Math.min(CUSTOMERS_PER_TXN, count - first) }, (_, i) => first + i)
      const put = customers.flatMap((customer) => {
        const { savings, checking } = balances()
        return [pair(savingsOf(customer), savings), pair(checkingOf(customer), checking)]
      })
      return this.#txn(encodeTxn({ unchanged: [], put, otherwiseRead: [] }))
    })
  }

  balance(customer: number): Promise<unknown> {
    return this.#txn(encodeReads([savingsOf(customer), checkingOf(customer)]))
  }

  depositChecking(customer: number, amount: bigint): Promise<unknown> {
    return this.#change([checkingOf(customer)], ([checking = 0n]) => [checking + amount])
  }

  transactSavings(customer: number, amount: bigint): Promise<unknown> {
    return this.#change([savingsOf(customer)], ([savings = 0n]) => (savings + amount < 0n ? undefined : [savings + amount]))
  }

  amalgamate(from: number, to: number): Promise<unknown> {
    const accounts = [savingsOf(from), checkingOf(from), checkingOf(to)]
    return this.#change(accounts, ([savings = 0n, checking = 0n, other = 0n]) => [0n, 0n, other + savings + checking])
  }

  writeCheck(customer: number, amount: bigint): Promise<unknown> {
    return this.#change([savingsOf(customer), checkingOf(customer)], ([savings = 0n, checking = 0n]) => {
      const isCovered = savings + checking >= amount
      return [savings, checking - (isCovered ? amount : amount + PENALTY)]
    })
  }

  sendPayment(from: number, to: number, amount: bigint): Promise<unknown> {
    return this.#change([checkingOf(from), checkingOf(to)], ([checking = 0n, other = 0n]) =>
      checking < amount ? undefined : [checking - amount, other + amount],
    )
  }

  close(): void {
    this.#channels.close()
  }

  /** Until nobody else was faster. What a refused transaction has read serves the next try. */
  async #change(accounts: readonly string[], decide: Decision): Promise<void> {
    let { versions } = await this.#txn(encodeReads(accounts))
    for (;;) {
      const before = versions.map(balanceIn)
      const after = decide(before)
      if (after === undefined) return
      const put = accounts.flatMap((key, i) => (after[i] === before[i] ? [] : [pair(key, after[i] ?? 0n)]))
      const answer = await this.#txn(encodeTxn({ unchanged: versions, put, otherwiseRead: accounts }))
      if (answer.succeeded) return
      versions = answer.versions
    }
  }

  async #txn(request: Uint8Array): Promise<ReturnType<typeof decodeTxn>> {
    return decodeTxn(await this.#channels.call(ETCD_TXN, request))
  }
}

function savingsOf(customer: number): string {
  return `savings-${customer}`
}

function checkingOf(customer: number): string {
  return `checking-${customer}`
}

function pair(key: string, balance: bigint): EtcdPair {
  return { key, value: Buffer.from(String(balance)) }
}

function balanceIn({ value }: EtcdVersion): bigint {
  return BigInt(Buffer.from(value).toString())
}
