import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accountOf, forEach, keyOf, valueOf } from '../../lib/bank-load.js'
import { Etcd } from '../../lib/etcd.js'
import { EtcdBankClient, encodeBalance } from '../clients/etcd-bank.js'
import { ETCD_PUT, ETCD_RANGE, ETCD_TXN, type EtcdPair, encodeTxn } from '../clients/etcd-messages.js'
import { UnaryChannels, UnaryKeyClient } from '../clients/unary.js'
import type { BankClient, BankRival, KeyClient, KeyRival, MeasuredProcess, RivalName } from '../types.js'

const NODES = 3
const START_TIMEOUT_MS = 60_000
/** As many operations as etcd takes in a transaction by default. */
const PUTS_PER_TRANSACTION = 128
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

  bankClient(): BankClient {
    return new EtcdBankClient(this.etcd.endpoints)
  }

  async putKeys(count: number, bytes: number): Promise<void> {
    await this.#putAll(Array.from({ length: count }, (_, i) => ({ key: keyOf(i), value: valueOf(i, bytes) })))
  }

  async openAccounts(count: number, funds: bigint): Promise<void> {
    const value = encodeBalance(funds)
    const missing = Math.max(0, count - this.#accountCount)
    await this.#putAll(Array.from({ length: missing }, (_, i) => ({ key: accountOf(this.#accountCount + i), value })))
    this.#accountCount += missing
  }

  async #putAll(pairs: readonly EtcdPair[]): Promise<void> {
    const channels = new UnaryChannels(this.etcd.endpoints)
    await forEach(Math.ceil(pairs.length / PUTS_PER_TRANSACTION), TRANSACTIONS_IN_FLIGHT, (n) => {
      const put = pairs.slice(n * PUTS_PER_TRANSACTION, (n + 1) * PUTS_PER_TRANSACTION)
      return channels.call(ETCD_TXN, encodeTxn({ unchanged: [], put, otherwiseRead: [] }))
    })
    channels.close()
  }
}
