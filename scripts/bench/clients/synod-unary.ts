import { randomUUID } from 'node:crypto'
import { type ServiceError, status } from '@grpc/grpc-js'
import { BankServiceService, GetBalanceRequest, TransferRequest } from '../../../src/gen/synod/bank/v1/bank.js'
import { KeyValueServiceService } from '../../../src/gen/synod/kv/v1/kv.js'
import type { BankClient } from '../types.js'
import { type KeyPaths, UnaryChannels } from './unary.js'

export const SYNOD_KEY_PATHS: KeyPaths = { put: KeyValueServiceService.put.path, get: KeyValueServiceService.get.path }

/** The bank by unary calls. Money that is wanting is an answer, too. */
export class SynodUnaryBankClient implements BankClient {
  readonly #channels: UnaryChannels
  /** Transfers of other turns have other ids. */
  readonly #prefix = randomUUID()
  #transferCount = 0

  constructor(addresses: readonly string[]) {
    this.#channels = new UnaryChannels(addresses)
  }

  transfer(from: string, to: string, amount: bigint): Promise<unknown> {
    const transferId = `${this.#prefix}-${this.#transferCount++}`
    const request = TransferRequest.fromPartial({ transferId, sourceAccountId: from, destinationAccountId: to, amount })
    return this.#channels.call(BankServiceService.transfer.path, TransferRequest.encode(request).finish()).catch(passRefusal)
  }

  balance(account: string): Promise<unknown> {
    const request = GetBalanceRequest.encode(GetBalanceRequest.fromPartial({ accountId: account })).finish()
    return this.#channels.call(BankServiceService.getBalance.path, request)
  }

  close(): void {
    this.#channels.close()
  }
}

function passRefusal(error: unknown): void {
  if ((error as ServiceError).code !== status.FAILED_PRECONDITION) throw error
}
