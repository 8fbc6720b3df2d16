import {
  type Account,
  type DepositResponse,
  GetBalanceRequest,
  type GetBalanceResponse,
  GetTransferRequest,
  type GetTransferResponse,
  ListAccountsRequest,
  type ListAccountsResponse,
  ListMovementsRequest,
  type ListMovementsResponse,
  type Movement,
  type OpenAccountResponse,
  PostTransferRequest,
  type PostTransferResponse,
  RegisterAuthorityRequest,
  type RegisterAuthorityResponse,
  RevokeAuthorityRequest,
  type RevokeAuthorityResponse,
  type TransferBatchResponse,
  type TransferResponse,
  VoidTransferRequest,
  type VoidTransferResponse,
  WithdrawRequest,
  type WithdrawResponse,
} from '../gen/synod/bank/v1/bank.js'
import { checkArguments } from './arguments.js'
import type { Answered, Caller } from './caller.js'
import type { CallOptions } from './client-options.js'
import type { ReadOptions } from './kv-client.js'
import { pagesFrom } from './pages.js'
import {
  type DepositInput,
  depositRequest,
  type Input,
  type OpenAccountInput,
  openAccountRequest,
  type TransferBatchInput,
  type TransferInput,
  transferBatchRequest,
  transferRequest,
} from './request-inputs.js'

type TransferParts = 'movement' | 'source' | 'destination'

/**
 * Accounts and movements. Amounts are bigints in minor units. A movement's id makes repeating the *call* safe, too: the same id with
 * the same content gets the first answer. Every method rejects with a SynodError; a refusal has changed nothing.
 */
export class BankClient {
  readonly #caller: Caller

  constructor(caller: Caller) {
    this.#caller = caller
  }

  /** Opens an account in one asset. Refused with ACCOUNT_EXISTS when the id is taken. */
  openAccount(request: OpenAccountInput, options?: CallOptions): Promise<Answered<OpenAccountResponse, 'account'>> {
    return this.#caller.command('openAccount', openAccountRequest, request, options)
  }

  /** Brings money in: `deposit({ …, authority })` signs, `deposit({ …, authorityId, signature })` is signed already. */
  deposit(request: DepositInput, options?: CallOptions): Promise<Answered<DepositResponse, 'movement' | 'account'>> {
    return this.#caller.command('deposit', depositRequest, request, options)
  }

  /** Takes money out. */
  withdraw(request: WithdrawRequest, options?: CallOptions): Promise<Answered<WithdrawResponse, 'movement' | 'account'>> {
    return this.#caller.command('withdraw', (input) => WithdrawRequest.fromPartial(input), request, options)
  }

  /** Moves money, or with `pending` holds it until it is posted, voided, or `timeoutMs` of log time have passed. */
  transfer(request: TransferInput, options?: CallOptions): Promise<Answered<TransferResponse, TransferParts>> {
    return this.#caller.command('transfer', transferRequest, request, options)
  }

  /** Carries out a pending transfer, all of it or `amount`; the rest goes back. */
  postTransfer(
    request: Input<PostTransferRequest, 'transferId'>,
    options?: CallOptions,
  ): Promise<Answered<PostTransferResponse, TransferParts>> {
    return this.#caller.command('postTransfer', (input) => PostTransferRequest.fromPartial(input), request, options)
  }

  /** Gives a pending transfer's hold back. */
  voidTransfer(
    request: Input<VoidTransferRequest, 'transferId'>,
    options?: CallOptions,
  ): Promise<Answered<VoidTransferResponse, TransferParts>> {
    return this.#caller.command('voidTransfer', (input) => VoidTransferRequest.fromPartial(input), request, options)
  }

  /** Up to 8,190 transfers in one slot. Resolves even if some, or all, were refused: each has its own result, in order. */
  transferBatch(request: TransferBatchInput, options?: CallOptions): Promise<Answered<TransferBatchResponse>> {
    return this.#caller.command('transferBatch', transferBatchRequest, request, options)
  }

  /** Reads one account. */
  getBalance(accountId: string, options: ReadOptions = {}): Promise<Answered<GetBalanceResponse, 'account'>> {
    return this.#caller.query('getBalance', (input) => GetBalanceRequest.fromPartial(input), { accountId, ...options }, options)
  }

  /** Reads one movement by its id: a transfer, a deposit or a withdrawal. */
  getTransfer(transferId: string, options: ReadOptions = {}): Promise<Answered<GetTransferResponse, 'movement'>> {
    return this.#caller.query(
      'getTransfer',
      (input) => GetTransferRequest.fromPartial(input),
      { transferId, ...options },
      options,
    )
  }

  /** One page of an account's movements, oldest first unless `order` says otherwise. */
  listMovements(
    request: Input<ListMovementsRequest, 'accountId'>,
    options?: CallOptions,
  ): Promise<Answered<ListMovementsResponse>> {
    return this.#caller.query('listMovements', (input) => ListMovementsRequest.fromPartial(input), request, options)
  }

  /** Every movement of an account, page after page. */
  async *listAllMovements(request: Input<ListMovementsRequest, 'accountId'>, options?: CallOptions): AsyncGenerator<Movement> {
    checkArguments('listMovements', request)
    const pages = pagesFrom(request.pageToken, (pageToken) => this.listMovements({ ...request, pageToken }, options))
    for await (const { movements } of pages) yield* movements
  }

  /** One page of accounts, in the order of their ids' UTF-8 bytes. */
  listAccounts(request: Partial<ListAccountsRequest> = {}, options?: CallOptions): Promise<Answered<ListAccountsResponse>> {
    return this.#caller.query('listAccounts', (input) => ListAccountsRequest.fromPartial(input), request, options)
  }

  /** Every account, page after page. */
  async *listAllAccounts(request: Partial<ListAccountsRequest> = {}, options?: CallOptions): AsyncGenerator<Account> {
    checkArguments('listAccounts', request)
    const pages = pagesFrom(request.pageToken, (pageToken) => this.listAccounts({ ...request, pageToken }, options))
    for await (const { accounts } of pages) yield* accounts
  }

  /** Lets another key sign deposits; `signRegisterAuthority` makes the request. */
  registerAuthority(request: RegisterAuthorityRequest, options?: CallOptions): Promise<Answered<RegisterAuthorityResponse>> {
    return this.#caller.command('registerAuthority', (input) => RegisterAuthorityRequest.fromPartial(input), request, options)
  }

  /** Ends an authority; `signRevokeAuthority` makes the request. The last one cannot be revoked. */
  revokeAuthority(request: RevokeAuthorityRequest, options?: CallOptions): Promise<Answered<RevokeAuthorityResponse>> {
    return this.#caller.command('revokeAuthority', (input) => RevokeAuthorityRequest.fromPartial(input), request, options)
  }
}
