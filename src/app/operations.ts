import type { RegisterAuthorityRequest, RevokeAuthorityRequest } from './bank/authorities.js'
import type {
  DepositRequest,
  MovementOutcome,
  OpenAccountOutcome,
  OpenAccountRequest,
  TransferBatchOutcome,
  TransferBatchRequest,
  TransferOutcome,
  TransferRequest,
  WithdrawRequest,
} from './bank/bank.js'
import type { PostTransferRequest, VoidTransferRequest } from './bank/holds.js'
import type {
  GetBalanceOutcome,
  GetBalanceRequest,
  GetTransferOutcome,
  GetTransferRequest,
  ListAccountsOutcome,
  ListAccountsRequest,
  ListMovementsOutcome,
  ListMovementsRequest,
} from './bank/reads.js'
import type {
  Compare,
  DeleteOutcome,
  DeleteRequest,
  GetOutcome,
  GetRequest,
  ListOutcome,
  ListRequest,
  PutOutcome,
  PutRequest,
} from './kv/keys.js'
import type { Refusal } from './refusal.js'

/** What may stand in a transaction. */
export type TxnOperation =
  | { readonly $case: 'put'; readonly value: PutRequest }
  | { readonly $case: 'get'; readonly value: GetRequest }
  | { readonly $case: 'delete'; readonly value: DeleteRequest }
  | { readonly $case: 'openAccount'; readonly value: OpenAccountRequest }
  | { readonly $case: 'deposit'; readonly value: DepositRequest }
  | { readonly $case: 'withdraw'; readonly value: WithdrawRequest }
  | { readonly $case: 'transfer'; readonly value: TransferRequest }
  | { readonly $case: 'postTransfer'; readonly value: PostTransferRequest }
  | { readonly $case: 'voidTransfer'; readonly value: VoidTransferRequest }
  | { readonly $case: 'getBalance'; readonly value: GetBalanceRequest }

export interface TxnRequest {
  readonly compare: readonly Compare[]
  readonly then: readonly TxnOperation[]
  readonly else: readonly TxnOperation[]
}

export interface TxnOutcome {
  /** Whether every condition held. */
  readonly succeeded: boolean
  /** One for each operation of the branch that was taken, in order; no refusal among them. */
  readonly responses: readonly TxnOperationOutcome[]
  readonly revision: bigint
}

/** A read. */
export type Query =
  | { readonly $case: 'get'; readonly value: GetRequest }
  | { readonly $case: 'list'; readonly value: ListRequest }
  | { readonly $case: 'getBalance'; readonly value: GetBalanceRequest }
  | { readonly $case: 'getTransfer'; readonly value: GetTransferRequest }
  | { readonly $case: 'listMovements'; readonly value: ListMovementsRequest }
  | { readonly $case: 'listAccounts'; readonly value: ListAccountsRequest }

/** What stands in the log: writes, and reads that take a slot of their own. */
export type Operation =
  | TxnOperation
  | { readonly $case: 'txn'; readonly value: TxnRequest }
  | { readonly $case: 'transferBatch'; readonly value: TransferBatchRequest }
  | { readonly $case: 'registerAuthority'; readonly value: RegisterAuthorityRequest }
  | { readonly $case: 'revokeAuthority'; readonly value: RevokeAuthorityRequest }
  | Query

export type TxnOperationOutcome =
  | { readonly $case: 'put'; readonly value: PutOutcome }
  | { readonly $case: 'get'; readonly value: GetOutcome }
  | { readonly $case: 'delete'; readonly value: DeleteOutcome }
  | { readonly $case: 'openAccount'; readonly value: OpenAccountOutcome }
  | { readonly $case: 'deposit'; readonly value: MovementOutcome }
  | { readonly $case: 'withdraw'; readonly value: MovementOutcome }
  | { readonly $case: 'transfer'; readonly value: TransferOutcome }
  | { readonly $case: 'postTransfer'; readonly value: TransferOutcome }
  | { readonly $case: 'voidTransfer'; readonly value: TransferOutcome }
  | { readonly $case: 'getBalance'; readonly value: GetBalanceOutcome }

export type QueryOutcome =
  | { readonly $case: 'get'; readonly value: GetOutcome }
  | { readonly $case: 'list'; readonly value: ListOutcome }
  | { readonly $case: 'getBalance'; readonly value: GetBalanceOutcome }
  | { readonly $case: 'getTransfer'; readonly value: GetTransferOutcome }
  | { readonly $case: 'listMovements'; readonly value: ListMovementsOutcome }
  | { readonly $case: 'listAccounts'; readonly value: ListAccountsOutcome }

/** What an operation came to, under the name of the operation. */
export type Outcome =
  | TxnOperationOutcome
  | QueryOutcome
  | { readonly $case: 'txn'; readonly value: TxnOutcome }
  | { readonly $case: 'transferBatch'; readonly value: TransferBatchOutcome }
  | { readonly $case: 'registerAuthority' | 'revokeAuthority'; readonly value: undefined }
  | Refusal
