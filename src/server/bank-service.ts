import {
  type BankServiceService,
  DepositRequest,
  GetBalanceRequest,
  GetTransferRequest,
  ListAccountsRequest,
  ListMovementsRequest,
  OpenAccountRequest,
  PostTransferRequest,
  RegisterAuthorityRequest,
  RevokeAuthorityRequest,
  TransferBatchRequest,
  TransferRequest,
  VoidTransferRequest,
  WithdrawRequest,
} from '../gen/synod/bank/v1/bank.js'
import type { Operations } from './operations.js'
import type { RawHandlers, UnaryCalls } from './unary.js'

/** synod.bank.v1.BankService */
export function bankService(calls: UnaryCalls, operations: Operations): RawHandlers<typeof BankServiceService> {
  return {
    openAccount: calls.handler(OpenAccountRequest, (request, context) => operations.write('openAccount', request, context)),
    deposit: calls.handler(DepositRequest, (request, context) => operations.write('deposit', request, context)),
    withdraw: calls.handler(WithdrawRequest, (request, context) => operations.write('withdraw', request, context)),
    transfer: calls.handler(TransferRequest, (request, context) => operations.write('transfer', request, context)),
    postTransfer: calls.handler(PostTransferRequest, (request, context) => operations.write('postTransfer', request, context)),
    voidTransfer: calls.handler(VoidTransferRequest, (request, context) => operations.write('voidTransfer', request, context)),
    transferBatch: calls.handler(TransferBatchRequest, (request, context) => operations.write('transferBatch', request, context)),
    getBalance: calls.reader(GetBalanceRequest, (request, context) => operations.read('getBalance', request, context)),
    getTransfer: calls.reader(GetTransferRequest, (request, context) => operations.read('getTransfer', request, context)),
    listMovements: calls.reader(ListMovementsRequest, (request, context) => operations.read('listMovements', request, context)),
    listAccounts: calls.reader(ListAccountsRequest, (request, context) => operations.read('listAccounts', request, context)),
    registerAuthority: calls.handler(RegisterAuthorityRequest, (request, context) =>
      operations.write('registerAuthority', request, context),
    ),
    revokeAuthority: calls.handler(RevokeAuthorityRequest, (request, context) =>
      operations.write('revokeAuthority', request, context),
    ),
  }
}
