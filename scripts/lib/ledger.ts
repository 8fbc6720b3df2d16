import assert from 'node:assert/strict'
import { type Client, connect, MovementStatus, SynodError } from '../../src/client/client.js'
import type { Random } from '../../src/sim/random.js'
import type { Cluster, ClusterNode } from './cluster.js'

const ACCOUNTS = Array.from({ length: 20 }, (_, i) => `a${i}`)
const DEPOSIT = 1_000_000n
/** Requests that one client has under way. */
const WORKERS = 4
const TIMEOUT_MS = 30_000
const BULK_TIMEOUT_MS = 120_000
/** Of what was acknowledged in earlier rounds, as much is asked for again after each. */
const SAMPLE = 300

interface Transfer {
  readonly id: string
  readonly source: string
  readonly destination: string
  readonly amount: bigint
}

/** What all clients of a cluster were told so far, and so what it must hold. */
export class Ledger {
  readonly #cluster: Cluster
  readonly #balances = new Map(ACCOUNTS.map((account) => [account, DEPOSIT]))
  readonly #transfers: Transfer[] = []
  /** Unique ones; each put once. */
  readonly #keys: string[] = []
  /** Each owned by one worker, which puts 1, 2, 3 and so on: what the last acknowledged put was. */
  readonly #counters = new Map<string, number>()
  /** Neither acknowledged nor refused: may have happened, at most once. */
  #unknownTransfers: Transfer[] = []
  #unknownKeys: string[] = []
  readonly #doubtfulKeys = new Set<string>()
  /** Where what has been checked already ends. */
  #checkedTransfers = 0
  #checkedKeys = 0

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  get acknowledgedCount(): number {
    return this.#transfers.length + this.#keys.length
  }

  get unknownCount(): number {
    return this.#unknownTransfers.length + this.#unknownKeys.length
  }

  /** Opens the accounts and brings money into them. */
  async begin(): Promise<void> {
    const client = this.#cluster.connect({ timeoutMs: TIMEOUT_MS })
    const { authority } = this.#cluster
    for (const accountId of ACCOUNTS) {
      await client.bank.openAccount({ accountId, asset: 'EUR' })
      await client.bank.deposit({ depositId: `d-${accountId}`, accountId, asset: 'EUR', amount: DEPOSIT, authority })
    }
    client.close()
  }

  /** One worker's endless work, until `isOver`. */
  async work(client: Client, name: string, random: Random, isOver: () => boolean): Promise<void> {
    for (let n = 1; !isOver(); n++) {
      const [source, destination] = random.shuffle(ACCOUNTS) as [string, string]
      await this.#transfer(client, { id: `${name}-${n}`, source, destination, amount: BigInt(random.int(1, 9)) })
      if (n % 4 === 0) await this.#put(client, `${name}-${n}`)
      if (n % 4 === 2) await this.#count(client, name, n)
    }
  }

  async #transfer(client: Client, transfer: Transfer): Promise<void> {
    try {
      await send(client, transfer)
      this.#note(transfer)
    } catch (error) {
      if (!isRefusal(error)) this.#unknownTransfers.push(transfer)
    }
  }

  #note(transfer: Transfer): void {
    const { source, destination, amount } = transfer
    this.#transfers.push(transfer)
    this.#balances.set(source, (this.#balances.get(source) ?? 0n) - amount)
    this.#balances.set(destination, (this.#balances.get(destination) ?? 0n) + amount)
  }

  async #put(client: Client, key: string): Promise<void> {
    try {
      await client.kv.put(key, key)
      this.#keys.push(key)
    } catch (error) {
      if (!(error instanceof SynodError)) throw error
      this.#unknownKeys.push(key)
    }
  }

  async #count(client: Client, name: string, n: number): Promise<void> {
    try {
      await client.kv.put(`count-${name}`, String(n))
      this.#counters.set(`count-${name}`, n)
    } catch (error) {
      if (!(error instanceof SynodError)) throw error
    }
  }

  /** Asks again for what has no outcome yet, under the same ids, while nothing else goes on. */
  async settle(): Promise<void> {
    const client = this.#cluster.connect({ timeoutMs: TIMEOUT_MS })
    const transfers = this.#unknownTransfers
    const keys = this.#unknownKeys
    this.#unknownTransfers = []
    this.#unknownKeys = []
    await Promise.all([
      ...transfers.map((transfer) => this.#transfer(client, transfer)),
      ...keys.map((key) => {
        this.#doubtfulKeys.add(key)
        return this.#put(client, key)
      }),
    ])
    client.close()
    assert.equal(this.unknownCount, 0, 'without faults, every request has an outcome')
  }

  /** Asserts that every node holds what was acknowledged, exactly once: all that is new, and some of the rest; or all of it. */
  async check(random: Random, scope: 'new' | 'all'): Promise<void> {
    const from = scope === 'new' ? this.#checkedTransfers : 0
    const transfers = [...this.#transfers.slice(from), ...sample(random, this.#transfers.slice(0, from))]
    const keysFrom = scope === 'new' ? this.#checkedKeys : 0
    const keys = [...this.#keys.slice(keysFrom), ...sample(random, this.#keys.slice(0, keysFrom))]
    this.#checkedTransfers = this.#transfers.length
    this.#checkedKeys = this.#keys.length
    for (const node of this.#cluster.nodes) await this.#checkNode(node, transfers, keys)
  }

  /** What a node answers is its own. */
  async #checkNode(node: ClusterNode, transfers: readonly Transfer[], keys: readonly string[]): Promise<void> {
    const client = connect({ endpoints: node.clientAddress, timeoutMs: TIMEOUT_MS })
    try {
      await inBatches(transfers, (transfer) => checkTransfer(client, transfer))
      await inBatches(keys, async (key) => {
        const version = (await client.kv.get(key)).pair?.version
        const isFine = version === 1n || (version === 2n && this.#doubtfulKeys.has(key))
        assert.ok(isFine, `acknowledged key ${key} was put once; its version is ${version}`)
      })
      for (const [key, acknowledged] of this.#counters) {
        const { pair } = await client.kv.get(key)
        const value = Number(Buffer.from(pair?.value ?? '0').toString())
        assert.ok(value >= acknowledged, `${key} was set to ${acknowledged}, and is ${value}`)
      }
      for (const [account, balance] of this.#balances) {
        assert.equal((await client.bank.getBalance(account)).account.balance, balance, `the balance of ${account}`)
      }
    } catch (cause) {
      throw new Error(`node ${node.nodeId}: ${(cause as Error).message}`, { cause })
    } finally {
      client.close()
    }
  }
}

async function checkTransfer(client: Client, { id, source, destination, amount }: Transfer): Promise<void> {
  const { movement } = await client.bank.getTransfer(id).catch((cause: unknown) => {
    throw new Error(`acknowledged transfer ${id}: ${(cause as Error).message}`, { cause })
  })
  const seen = [movement.source, movement.destination, movement.amount, movement.status]
  assert.deepEqual(seen, [source, destination, amount, MovementStatus.POSTED], `transfer ${id}`)
}

async function send(client: Client, { id, source, destination, amount }: Transfer): Promise<void> {
  await client.bank.transfer({ transferId: id, sourceAccountId: source, destinationAccountId: destination, amount })
}

/** Whether the cluster has said that it will never happen. @throws what no cluster says */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof SynodError)) throw error
  return error.reason === 'INSUFFICIENT_FUNDS'
}

function sample<T>(random: Random, from: readonly T[]): T[] {
  return from.length <= SAMPLE ? [...from] : Array.from({ length: SAMPLE }, () => random.pick(from))
}

async function inBatches<T>(items: readonly T[], check: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += 1_000) await Promise.all(items.slice(i, i + 1_000).map(check))
}

/** Clients that never stop, each on a node of its own to begin with. */
export class Load {
  readonly #ledger: Ledger
  readonly #clients: readonly Client[]
  readonly #workers: readonly Promise<void>[]
  #isOver = false

  /** `name` must differ between loads on one cluster. */
  constructor(ledger: Ledger, endpoints: readonly string[], options: { clients: number; name: string; random: Random }) {
    this.#ledger = ledger
    this.#clients = Array.from({ length: options.clients }, (_, i) => {
      const first = i % endpoints.length
      return connect({ endpoints: [...endpoints.slice(first), ...endpoints.slice(0, first)], timeoutMs: TIMEOUT_MS })
    })
    this.#workers = this.#clients.flatMap((client, i) =>
      Array.from({ length: WORKERS }, (_, w) =>
        ledger.work(client, `${options.name}-${i}-${w}`, options.random.fork(), () => this.#isOver),
      ),
    )
  }

  /** Resolves when so many more have been acknowledged. @throws Error after timeoutMs */
  async progress(count: number, timeoutMs: number): Promise<void> {
    const target = this.#ledger.acknowledgedCount + count
    const deadlineMs = performance.now() + timeoutMs
    while (this.#ledger.acknowledgedCount < target) {
      if (performance.now() > deadlineMs) throw new Error(`nothing goes on: not ${count} acknowledged in ${timeoutMs / 1_000} s`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#workers)
    for (const client of this.#clients) client.close()
  }
}

/** More than a checkpoint is apart from the next, and than the log's window holds. */
export async function pushOutOfWindow(cluster: Cluster): Promise<void> {
  const client = cluster.connect({ timeoutMs: BULK_TIMEOUT_MS })
  await putMany(client, 'bulk', 70_000)
  client.close()
}

/** So many values of 1 KiB, over 1,000 keys. */
export async function putMany(client: Client, prefix: string, count: number): Promise<void> {
  const value = new Uint8Array(1_024).fill(0x78)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await client.kv.put(`${prefix}-${next++ % 1_000}`, value)
  }
  await Promise.all(Array.from({ length: 256 }, worker))
}
