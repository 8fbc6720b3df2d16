import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accountOf, forEach } from '../../lib/bank-load.js'
import { Etcd } from '../../lib/etcd.js'
import { EtcdBankClient } from '../clients/etcd-bank.js'
import { ETCD_PUT, ETCD_RANGE } from '../clients/etcd-messages.js'
import { UnaryKeyClient } from '../clients/unary.js'
import type { BankRival, KeyClient, KeyRival, MeasuredProcess, RivalName } from '../types.js'

const NODES = 3
const START_TIMEOUT_MS = 60_000
/** As many operations as etcd takes in a transaction by default. */
const ACCOUNTS_PER_TRANSACTION = 128
const TRANSACTIONS_IN_FLIGHT = 16

/** Which etcd it is. */
export interface EtcdProgram {
  readonly name: Extract<RivalName, 'etcd' | 'etcd-newest'>
  /** 'etcd 3.4.23'. */
  readonly title: string
  readonly command: string
}

/** Three nodes of etcd with its defaults. Its clients are unary ones: it has no stream of commands. */
export class EtcdRival implements KeyRival, BankRival {
  readonly name: EtcdProgram['name']
  readonly title: string
  readonly #command: string
  readonly #directory = mkdtempSync(join(tmpdir(), 'synod-bench-etcd-'))
  #etcd: Etcd | undefined
  #accountCount = 0

  constructor({ name, title, command }: EtcdProgram) {
    this.name = name
    this.title = title
    this.#command = command
  }

  /** For scenarios that kill nodes. It is there from start() to stop(). */
  get etcd(): Etcd {
    if (this.#etcd === undefined) throw new Error('etcd is started')
    return this.#etcd
  }

  get processes(): MeasuredProcess[] {
    return this.etcd.nodes.map((node) => ({ name: node.name, pid: () => node.child?.pid }))
  }

  async start(): Promise<void> {
    this.#etcd = await Etcd.make(this.#directory, NODES, this.#command)
    this.#etcd.start()
    await this.#etcd.untilUp(START_TIMEOUT_MS)
  }

  async stop(): Promise<void> {
    await this.#etcd?.kill()
    this.#etcd?.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  keyClient(): KeyClient {
    return new UnaryKeyClient(this.etcd.endpoints, { put: ETCD_PUT, get: ETCD_RANGE })
  }

  bankClient(): EtcdBankClient {
    return new EtcdBankClient(this.etcd.endpoints)
  }

  async openAccounts(count: number, funds: bigint): Promise<void> {
    const client = this.bankClient()
    const missing = Array.from({ length: Math.max(0, count - this.#accountCount) }, (_, i) => accountOf(this.#accountCount + i))
    await forEach(Math.ceil(missing.length / ACCOUNTS_PER_TRANSACTION), TRANSACTIONS_IN_FLIGHT, (n) =>
      client.openAccounts(missing.slice(n * ACCOUNTS_PER_TRANSACTION, (n + 1) * ACCOUNTS_PER_TRANSACTION), funds),
    )
    this.#accountCount += missing.length
    client.close()
  }
}
