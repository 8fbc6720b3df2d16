import {
  BankServiceService,
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
import { change, defineService, read } from './service.js'

/** synod.bank.v1.BankService */
export const bankService = defineService(BankServiceService, ({ operations }) => ({
  openAccount: change(OpenAccountRequest, (request, context) => operations.write('openAccount', request, context)),
  deposit: change(DepositRequest, (request, context) => operations.write('deposit', request, context)),
  withdraw: change(WithdrawRequest, (request, context) => operations.write('withdraw', request, context)),
  transfer: change(TransferRequest, (request, context) => operations.write('transfer', request, context)),
  postTransfer: change(PostTransferRequest, (request, context) => operations.write('postTransfer', request, context)),
  voidTransfer: change(VoidTransferRequest, (request, context) => operations.write('voidTransfer', request, context)),
  transferBatch: change(TransferBatchRequest, (request, context) => operations.write('transferBatch', request, context)),
  getBalance: read(GetBalanceRequest, (request, context) => operations.read('getBalance', request, context)),
  getTransfer: read(GetTransferRequest, (request, context) => operations.read('getTransfer', request, context)),
  listMovements: read(ListMovementsRequest, (request, context) => operations.read('listMovements', request, context)),
  listAccounts: read(ListAccountsRequest, (request, context) => operations.read('listAccounts', request, context)),
  registerAuthority: change(RegisterAuthorityRequest, (request, context) =>
    operations.write('registerAuthority', request, context),
  ),
  revokeAuthority: change(RevokeAuthorityRequest, (request, context) => operations.write('revokeAuthority', request, context)),
}))
