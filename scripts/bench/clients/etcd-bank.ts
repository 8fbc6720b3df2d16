import type { BankClient } from '../types.js'
import { decodeTxn, ETCD_RANGE, ETCD_TXN, type EtcdTxnAnswer, type EtcdVersion, encodeReads, encodeTxn } from './etcd-messages.js'
import { encodeKey, UnaryChannels } from './unary.js'

/**
 * Accounts as keys of etcd. A transfer is an optimistic transaction, as its own Go library's STM does it: read both accounts, put both on
 * condition that neither has changed, and if one has, begin again with what the refused transaction has read.
 */
export class EtcdBankClient implements BankClient {
  readonly #channels: UnaryChannels

  constructor(addresses: readonly string[]) {
    this.#channels = new UnaryChannels(addresses)
  }

  async transfer(from: string, to: string, amount: bigint): Promise<unknown> {
    let answer = await this.#txn(encodeReads([from, to]))
    for (;;) {
      const source = versionOf(answer, from)
      const destination = versionOf(answer, to)
      const balance = decodeBalance(source.value)
      if (balance < amount) return undefined
      const request = encodeTxn({
        unchanged: [source, destination],
        put: [
          { key: from, value: encodeBalance(balance - amount) },
          { key: to, value: encodeBalance(decodeBalance(destination.value) + amount) },
        ],
        otherwiseRead: [from, to],
      })
      answer = await this.#txn(request)
      if (answer.succeeded) return undefined
    }
  }

  balance(account: string): Promise<unknown> {
    return this.#channels.call(ETCD_RANGE, encodeKey(account))
  }

  close(): void {
    this.#channels.close()
  }

  async #txn(request: Uint8Array): Promise<EtcdTxnAnswer> {
    return decodeTxn(await this.#channels.call(ETCD_TXN, request))
  }
}

function versionOf(answer: EtcdTxnAnswer, account: string): EtcdVersion {
  const version = answer.versions.find(({ key }) => key === account)
  if (version === undefined) throw new Error(`etcd knows no account ${account}`)
  return version
}

export function encodeBalance(balance: bigint): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(balance)
  return bytes
}

function decodeBalance(bytes: Uint8Array): bigint {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readBigInt64BE()
}
