import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Balances, PENALTY, type SmallBank, smallBankOperation } from '../../scripts/bench/workloads/smallbank.js'
import { SynodSmallBank } from '../../scripts/bench/workloads/smallbank-synod.js'
import { type SimClient, SimCluster } from '../../src/testing/sim-cluster.js'

const CUSTOMERS = 8
const SEED = 7
/** So that refusals and penalties occur. */
const LITTLE = (): Balances => ({ savings: 60n, checking: 40n })

/** What the paper says, in memory. */
class ModelBank implements SmallBank {
  readonly savings = new Map<number, bigint>()
  readonly checking = new Map<number, bigint>()

  async open(count: number, balances: Parameters<SmallBank['open']>[1]): Promise<void> {
    for (let customer = 0; customer < count; customer++) {
      const { savings, checking } = balances()
      this.savings.set(customer, savings)
      this.checking.set(customer, checking)
    }
  }

  async balance(): Promise<void> {}

  async depositChecking(customer: number, amount: bigint): Promise<void> {
    this.checking.set(customer, this.#of(customer).checking + amount)
  }

  async transactSavings(customer: number, amount: bigint): Promise<void> {
    const { savings } = this.#of(customer)
    if (savings + amount >= 0n) this.savings.set(customer, savings + amount)
  }

  async amalgamate(from: number, to: number): Promise<void> {
    const { savings, checking } = this.#of(from)
    this.savings.set(from, 0n)
    this.checking.set(from, 0n)
    this.checking.set(to, this.#of(to).checking + savings + checking)
  }

  async writeCheck(customer: number, amount: bigint): Promise<void> {
    const { savings, checking } = this.#of(customer)
    this.checking.set(customer, checking - (savings + checking < amount ? amount + PENALTY : amount))
  }

  async sendPayment(from: number, to: number, amount: bigint): Promise<void> {
    const { checking } = this.#of(from)
    if (checking < amount) return
    this.checking.set(from, checking - amount)
    this.checking.set(to, this.#of(to).checking + amount)
  }

  close(): void {}

  #of(customer: number): { savings: bigint; checking: bigint } {
    return { savings: this.savings.get(customer) ?? 0n, checking: this.checking.get(customer) ?? 0n }
  }
}

function smallBankOf(client: SimClient): SmallBank {
  return new SynodSmallBank({ ...client, close: () => undefined })
}

async function balancesOf({ bank }: SimClient, kind: 'savings' | 'checking'): Promise<Map<number, bigint>> {
  const balances = new Map<number, bigint>()
  for (let customer = 0; customer < CUSTOMERS; customer++) {
    const { account } = await bank.getBalance(`${kind}-${customer}`)
    balances.set(customer, account.balance)
  }
  return balances
}

describe('SmallBank on Synod', () => {
  it('comes to what the paper says, one operation after the other', async () => {
    const cluster = await SimCluster.start({ nodes: 1, seed: SEED })
    const client = cluster.client()
    const model = new ModelBank()
    for (const bank of [smallBankOf(client), model]) {
      await bank.open(CUSTOMERS, LITTLE)
      const operation = smallBankOperation(bank, CUSTOMERS, SEED)
      for (let n = 0; n < 200; n++) await operation(n)
    }
    assert.deepEqual(await balancesOf(client, 'savings'), model.savings)
    assert.deepEqual(await balancesOf(client, 'checking'), model.checking)
  })

  it('loses and makes no money when clients are in conflict', async () => {
    const cluster = await SimCluster.start({ nodes: 1, seed: SEED })
    const client = cluster.client()
    const banks = [smallBankOf(client), smallBankOf(cluster.client())]
    await banks[0]?.open(CUSTOMERS, LITTLE)
    const operations = banks.map((bank, i) => smallBankOperation(bank, CUSTOMERS, SEED + i))
    await Promise.all(operations.flatMap((operation) => Array.from({ length: 100 }, (_, n) => operation(n))))
    const { account: cash } = await client.bank.getBalance('cash')
    const savings = [...(await balancesOf(client, 'savings')).values()]
    const checking = [...(await balancesOf(client, 'checking')).values()]
    assert.equal(
      [cash.balance, ...savings, ...checking].reduce((sum, balance) => sum + balance, 0n),
      0n,
    )
    assert.ok(savings.every((balance) => balance >= 0n))
  })
})
