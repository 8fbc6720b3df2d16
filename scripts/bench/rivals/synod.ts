import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accountOf, forEach, putKeys } from '../../lib/bank-load.js'
import { Cluster } from '../../lib/cluster.js'
import { SdkBankClient, SdkKeyClient } from '../clients/sdk.js'
import { SYNOD_KEY_PATHS, SynodUnaryBankClient } from '../clients/synod-unary.js'
import { UnaryKeyClient } from '../clients/unary.js'
import { profileArguments } from '../profile.js'
import type { BankClient, BankRival, ClientKind, KeyClient, KeyRival, MeasuredProcess } from '../types.js'

const NODES = 3
const FORM_TIMEOUT_MS = 60_000
const LOAD_TIMEOUT_MS = 120_000
const ACCOUNTS_PER_TRANSACTION = 128
const TRANSACTIONS_IN_FLIGHT = 32

/** Three nodes of Synod as it is built, with its defaults. */
export class SynodRival implements KeyRival, BankRival {
  readonly name = 'synod'
  readonly title = `Synod, ${NODES} nodes`
  readonly #directory = mkdtempSync(join(tmpdir(), 'synod-bench-'))
  readonly #profileDirectory: string | undefined
  #cluster: Cluster | undefined
  #accountCount = 0

  /** `profileDirectory`: where its nodes are to write CPU profiles. */
  constructor(profileDirectory?: string) {
    this.#profileDirectory = profileDirectory
  }

  /** For scenarios that kill nodes or look into them. It is there from start() to stop(). */
  get cluster(): Cluster {
    if (this.#cluster === undefined) throw new Error('Synod is started')
    return this.#cluster
  }

  get processes(): MeasuredProcess[] {
    return this.cluster.nodes.map((node) => ({ name: `n${node.nodeId}`, pid: () => node.child?.pid }))
  }

  async start(): Promise<void> {
    const profiles = this.#profileDirectory
    const nodeArgumentsOf = (nodeId: number): string[] => (profiles === undefined ? [] : profileArguments(profiles, nodeId))
    this.#cluster = await Cluster.make({ directory: this.#directory, nodes: NODES, nodeArgumentsOf })
    for (const node of this.#cluster.nodes) this.#cluster.start(node)
    await this.#cluster.untilFormed(FORM_TIMEOUT_MS)
  }

  async stop(): Promise<void> {
    await this.#cluster?.stop()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  keyClient(kind: ClientKind): KeyClient {
    const { cluster } = this
    return kind === 'sdk' ? new SdkKeyClient(cluster.connect()) : new UnaryKeyClient(cluster.endpoints, SYNOD_KEY_PATHS)
  }

  bankClient(kind: ClientKind): BankClient {
    const { cluster } = this
    return kind === 'sdk' ? new SdkBankClient(cluster.connect()) : new SynodUnaryBankClient(cluster.endpoints)
  }

  async putKeys(count: number, bytes: number): Promise<void> {
    const client = this.cluster.connect({ timeoutMs: LOAD_TIMEOUT_MS })
    await putKeys(client, count, bytes)
    client.close()
  }

  /** Funds are an overdraft limit: deposits would have to be signed. */
  async openAccounts(count: number, funds: bigint): Promise<void> {
    const client = this.cluster.connect({ timeoutMs: LOAD_TIMEOUT_MS })
    const missing = Array.from({ length: Math.max(0, count - this.#accountCount) }, (_, i) => accountOf(this.#accountCount + i))
    await forEach(Math.ceil(missing.length / ACCOUNTS_PER_TRANSACTION), TRANSACTIONS_IN_FLIGHT, (n) => {
      const accounts = missing.slice(n * ACCOUNTS_PER_TRANSACTION, (n + 1) * ACCOUNTS_PER_TRANSACTION)
      const opening = accounts.map((accountId) => ({ openAccount: { accountId, asset: 'EUR', overdraftLimit: funds } }))
      // oxlint-disable-next-line unicorn/no-thenable -- the proto's field, a list
      return client.kv.txn({ then: opening })
    })
    this.#accountCount += missing.length
    client.close()
  }
}
