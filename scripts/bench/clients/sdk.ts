import { randomUUID } from 'node:crypto'
import { type Client, SynodError } from '../../../src/client/client.js'
import type { BankClient, KeyClient } from '../types.js'

/** Keys through Synod's SDK: one stream for all that is under way. */
export class SdkKeyClient implements KeyClient {
  readonly #client: Client

  constructor(client: Client) {
    this.#client = client
  }

  put(key: string, value: Uint8Array): Promise<unknown> {
    return this.#client.kv.put(key, value)
  }

  get(key: string): Promise<unknown> {
    return this.#client.kv.get(key)
  }

  close(): void {
    this.#client.close()
  }
}

/** The bank through Synod's SDK. */
export class SdkBankClient implements BankClient {
  readonly #client: Client
  /** Transfers of other turns have other ids. */
  readonly #prefix = randomUUID()
  #transferCount = 0

  constructor(client: Client) {
    this.#client = client
  }

  transfer(from: string, to: string, amount: bigint): Promise<unknown> {
    const transferId = `${this.#prefix}-${this.#transferCount++}`
    return this.#client.bank.transfer({ transferId, sourceAccountId: from, destinationAccountId: to, amount }).catch(passRefusal)
  }

  balance(account: string): Promise<unknown> {
    return this.#client.bank.getBalance(account)
  }

  close(): void {
    this.#client.close()
  }
}

function passRefusal(error: unknown): void {
  if (!(error instanceof SynodError && error.reason === 'INSUFFICIENT_FUNDS')) throw error
}
