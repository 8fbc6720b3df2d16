import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { type Client, connect, MovementStatus, SynodError } from '../../src/client/client.js'

export const ACCOUNTS = ['a0', 'a1', 'a2', 'a3', 'a4', 'a5']

/** What one client was told. */
interface Told {
  readonly acknowledged: { readonly id: string; readonly source: string; readonly slot: number }[]
  readonly puts: { readonly key: string; readonly slot: number }[]
  /** Neither acknowledged nor refused: may have happened, at most once. */
  readonly unknown: string[]
  readonly refused: string[]
}

/**
 * Clients that move money between a few accounts and put keys, each on a node of its own to begin with, until told to stop; and the
 * check that what was acknowledged is there exactly once.
 */
export class Workload {
  readonly #clients: Client[]
  readonly #told: Told = { acknowledged: [], puts: [], unknown: [], refused: [] }
  readonly #pauseMs: number
  #isStopping = false
  #running: Promise<void>[] = []
  #waiters: { readonly count: number; readonly resolve: () => void }[] = []

  /** `name` must differ between workloads on one cluster. A client waits `pauseMs` between its operations, which leaves time for others. */
  constructor(endpoints: readonly string[], options: { clients: number; name: string; pauseMs?: number }) {
    this.#pauseMs = options.pauseMs ?? 0
    this.#clients = Array.from({ length: options.clients }, (_, i) =>
      connect({
        endpoints: [...endpoints.slice(i % endpoints.length), ...endpoints.slice(0, i % endpoints.length)],
        timeoutMs: 30_000,
      }),
    )
    this.#running = this.#clients.map((client, i) => this.#run(client, `${options.name}-${i}`, i))
  }

  get acknowledgedCount(): number {
    return this.#told.acknowledged.length
  }

  get unknownCount(): number {
    return this.#told.unknown.length
  }

  /** Resolves when `count` further transfers have been acknowledged. */
  untilAcknowledged(count: number): Promise<void> {
    return new Promise((resolve) => this.#waiters.push({ count: this.acknowledgedCount + count, resolve }))
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#running)
    for (const client of this.#clients) client.close()
  }

  /** Asserts that `client` finds each acknowledged transfer exactly once, every acknowledged key, and the sum of money untouched. */
  async check(client: Client, total: bigint): Promise<void> {
    const counts = new Map<string, number>()
    for (const account of ACCOUNTS) {
      for await (const movement of client.bank.listAllMovements({ accountId: account })) {
        if (movement.source !== account) continue
        assert.equal(movement.status, MovementStatus.POSTED)
        counts.set(movement.id, (counts.get(movement.id) ?? 0) + 1)
      }
    }
    for (const { id } of this.#told.acknowledged) assert.equal(counts.get(id), 1, `acknowledged ${id} is there once`)
    for (const id of this.#told.refused) assert.equal(counts.get(id), undefined, `refused ${id} did not happen`)
    for (const { key } of this.#told.puts) {
      assert.equal((await client.kv.get(key)).pair?.version, 1n, `acknowledged key ${key} was put once`)
    }
    const balances = await Promise.all(ACCOUNTS.map(async (account) => (await client.bank.getBalance(account)).account.balance))
    assert.equal(
      balances.reduce((sum, balance) => sum + balance, 0n),
      total,
      'money was neither made nor lost',
    )
    assert.ok(balances.every((balance) => balance >= 0n))
  }

  async #run(client: Client, name: string, seed: number): Promise<void> {
    for (let n = 1; !this.#isStopping; n++) {
      const source = ACCOUNTS[(n + seed) % ACCOUNTS.length] ?? ''
      const destination = ACCOUNTS[(n * 5 + seed + 1) % ACCOUNTS.length] ?? ''
      if (source !== destination) await this.#transfer(client, { id: `${name}-${n}`, source, destination })
      if (n % 8 === 0) await this.#put(client, `${name}-${n}`)
      if (this.#pauseMs > 0) await delay(this.#pauseMs)
    }
  }

  async #transfer(
    client: Client,
    { id, source, destination }: { id: string; source: string; destination: string },
  ): Promise<void> {
    const request = { transferId: id, sourceAccountId: source, destinationAccountId: destination, amount: 3n }
    try {
      const { movement } = await client.bank.transfer(request)
      this.#told.acknowledged.push({ id, source, slot: movement.slot })
    } catch (error) {
      this.#note(id, error)
    }
    this.#waiters = this.#waiters.filter(({ count, resolve }) => {
      if (this.acknowledgedCount >= count) resolve()
      return this.acknowledgedCount < count
    })
  }

  async #put(client: Client, key: string): Promise<void> {
    try {
      const { header } = await client.kv.put(key, key)
      this.#told.puts.push({ key, slot: header?.slot ?? 0 })
    } catch (error) {
      this.#note(key, error)
    }
  }

  #note(id: string, error: unknown): void {
    if (!(error instanceof SynodError)) throw error
    if (error.reason === 'INSUFFICIENT_FUNDS') this.#told.refused.push(id)
    else this.#told.unknown.push(id)
  }
}
