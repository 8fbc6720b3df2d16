import { encodeText, maybeText } from '../encoding/text.js'
import { Duration } from '../gen/google/protobuf/duration.js'
import type {
  DepositRequest,
  LinkedGroup,
  OpenAccountRequest,
  PostTransferRequest,
  TransferBatchRequest,
  TransferRequest,
  VoidTransferRequest,
} from '../gen/synod/bank/v1/bank.js'
import type {
  Compare,
  DeleteRequest,
  GetRequest,
  PutRequest,
  TxnOperation,
  TxnOperationResponse,
  TxnRequest,
} from '../gen/synod/kv/v1/kv.js'
import { CompareOperator } from '../gen/synod/kv/v1/kv.js'
import { type Authority, signDeposit } from './authority-signing.js'
import { invalidArgument } from './synod-error.js'

/** A request of which only the fields K must be given; the others have the proto's defaults. */
export type Input<T, K extends keyof T = never> = Pick<T, K> & Partial<Omit<T, K>>

/** Text stands for its UTF-8 bytes. */
export type Bytes = string | Uint8Array

export type OpenAccountInput = Input<OpenAccountRequest, 'accountId' | 'asset'>

/** A deposit, signed already or with the authority that signs it. */
export type DepositInput = Pick<DepositRequest, 'depositId' | 'accountId' | 'asset' | 'amount'> &
  (Pick<DepositRequest, 'authorityId' | 'signature'> | { readonly authority: Authority })

export type TransferInput = Input<
  Omit<TransferRequest, 'timeout'>,
  'transferId' | 'sourceAccountId' | 'destinationAccountId' | 'amount'
> & {
  /** Duration of the hold in log time, in ms, with `pending`. Default: until it is posted or voided. */
  readonly timeoutMs?: number
}

/** Up to 8,190 transfers in one slot. */
export interface TransferBatchInput {
  readonly transfers: readonly TransferInput[]
  /** Runs of transfers of which all happen or none does, by the place of the first, ascending. */
  readonly linkedGroups?: readonly LinkedGroup[]
}

export type PutInput = Omit<Input<PutRequest, 'key'>, 'value'> & { readonly value: Bytes }

/** One key, every key with a prefix, or every key there is. */
export type DeleteTarget = { readonly key: string } | { readonly prefix: string } | { readonly all: true }

type DeleteInput = DeleteTarget & Input<Omit<DeleteRequest, 'target' | 'all'>>

/** One condition of a transaction: the key's target compared with the given one, EQUAL unless `operator` says otherwise. */
export type CompareInput = { readonly key: string; readonly operator?: CompareOperator } & (
  | { readonly value: Bytes }
  | { readonly version: bigint }
  | { readonly createRevision: bigint }
  | { readonly modRevision: bigint }
)

/** One operation of a transaction. */
export type OperationInput =
  | { readonly put: Omit<PutInput, 'requestId'> }
  | { readonly get: Pick<GetRequest, 'key'> }
  | { readonly delete: DeleteTarget & { readonly returnPrevious?: boolean } }
  | { readonly openAccount: Omit<OpenAccountInput, 'requestId'> }
  | { readonly deposit: DepositInput }
  | { readonly withdraw: { readonly withdrawalId: string; readonly accountId: string; readonly amount: bigint } }
  | { readonly transfer: TransferInput }
  | { readonly postTransfer: Input<PostTransferRequest, 'transferId'> }
  | { readonly voidTransfer: Input<VoidTransferRequest, 'transferId'> }
  | { readonly getBalance: { readonly accountId: string } }

/** All of `compare` hold: `then` is carried out, else `else`; all of it or nothing. */
export interface TxnInput {
  readonly compare?: readonly CompareInput[]
  readonly then?: readonly OperationInput[]
  readonly else?: readonly OperationInput[]
  /** Makes a repeated *call* safe, beyond the retries that the SDK does by itself; see PutRequest. */
  readonly requestId?: string
}

type ResponseCase = NonNullable<TxnOperationResponse['response']>

/** The response to the operation at the same place, under the operation's name. */
export type OperationOutput = { [C in ResponseCase['$case']]?: Extract<ResponseCase, { $case: C }>['value'] }

function toBytes(value: Bytes): Uint8Array {
  return typeof value === 'string' ? encodeText(value) : value
}

/** The text that a value holds in UTF-8. @throws SynodError INVALID_ARGUMENT when it is not UTF-8, as other bytes may be */
export function toText(bytes: Uint8Array): string {
  const text = bytes instanceof Uint8Array ? maybeText(bytes) : undefined
  if (text === undefined) throw invalidArgument('bytes', 'must be UTF-8')
  return text
}

export function putRequest(input: PutInput): PutRequest {
  return {
    key: input.key,
    value: toBytes(input.value),
    returnPrevious: input.returnPrevious ?? false,
    requestId: input.requestId ?? '',
  }
}

function deleteTarget(input: DeleteTarget): DeleteRequest['target'] {
  if ('key' in input) return { $case: 'key', value: input.key }
  return 'prefix' in input ? { $case: 'prefix', value: input.prefix } : undefined
}

export function deleteRequest(input: DeleteInput): DeleteRequest {
  return {
    target: deleteTarget(input),
    all: 'all' in input,
    returnPrevious: input.returnPrevious ?? false,
    requestId: input.requestId ?? '',
  }
}

export function openAccountRequest(input: OpenAccountInput): OpenAccountRequest {
  return {
    accountId: input.accountId,
    asset: input.asset,
    overdraftLimit: input.overdraftLimit ?? 0n,
    requestId: input.requestId ?? '',
  }
}

export function transferBatchRequest(input: TransferBatchInput): TransferBatchRequest {
  return { transfers: input.transfers.map(transferRequest), linkedGroups: [...(input.linkedGroups ?? [])] }
}

export function depositRequest(input: DepositInput): DepositRequest {
  const { depositId, accountId, asset, amount } = input
  if ('authority' in input) return signDeposit(input.authority, { depositId, accountId, asset, amount })
  return { depositId, accountId, asset, amount, authorityId: input.authorityId, signature: input.signature }
}

export function transferRequest(input: TransferInput): TransferRequest {
  return {
    transferId: input.transferId,
    sourceAccountId: input.sourceAccountId,
    destinationAccountId: input.destinationAccountId,
    amount: input.amount,
    pending: input.pending ?? false,
    timeout: input.timeoutMs === undefined ? undefined : durationOf(input.timeoutMs),
  }
}

/** @throws SynodError INVALID_ARGUMENT unless it is a whole number of milliseconds. The bounds are the node's to check. */
function durationOf(timeoutMs: number): Duration {
  if (!Number.isSafeInteger(timeoutMs)) throw invalidArgument('timeoutMs', `must be a whole number, not ${timeoutMs}`)
  return Duration.create({ seconds: BigInt(Math.trunc(timeoutMs / 1_000)), nanos: (timeoutMs % 1_000) * 1_000_000 })
}

export function txnRequest(input: TxnInput): TxnRequest {
  return {
    compare: (input.compare ?? []).map(compare),
    // oxlint-disable-next-line unicorn/no-thenable -- the proto's field, a list
    then: (input.then ?? []).map(txnOperation),
    else: (input.else ?? []).map(txnOperation),
    requestId: input.requestId ?? '',
  }
}

function compare(input: CompareInput): Compare {
  return { key: input.key, operator: input.operator ?? CompareOperator.EQUAL, target: compareTarget(input) }
}

function compareTarget(input: CompareInput): Compare['target'] {
  if ('value' in input) return { $case: 'value', value: toBytes(input.value) }
  if ('version' in input) return { $case: 'version', value: input.version }
  if ('createRevision' in input) return { $case: 'createRevision', value: input.createRevision }
  return { $case: 'modRevision', value: input.modRevision }
}

function txnOperation(input: OperationInput): TxnOperation {
  return { operation: operationOf(input) }
}

function operationOf(input: OperationInput): NonNullable<TxnOperation['operation']> {
  if ('put' in input) return { $case: 'put', value: putRequest(input.put) }
  if ('get' in input) return { $case: 'get', value: { key: input.get.key, consistency: 0 } }
  if ('delete' in input) return { $case: 'delete', value: deleteRequest(input.delete) }
  if ('openAccount' in input) return { $case: 'openAccount', value: openAccountRequest(input.openAccount) }
  if ('deposit' in input) return { $case: 'deposit', value: depositRequest(input.deposit) }
  if ('withdraw' in input) return { $case: 'withdraw', value: input.withdraw }
  if ('transfer' in input) return { $case: 'transfer', value: transferRequest(input.transfer) }
  if ('postTransfer' in input) return { $case: 'postTransfer', value: endRequest(input.postTransfer) }
  if ('voidTransfer' in input) return { $case: 'voidTransfer', value: endRequest(input.voidTransfer) }
  if ('getBalance' in input) return { $case: 'getBalance', value: { accountId: input.getBalance.accountId, consistency: 0 } }
  throw invalidArgument('operation', `must be one of the operations that a transaction has, not ${Object.keys(input).join()}`)
}

function endRequest({ transferId, amount = 0n }: Input<PostTransferRequest, 'transferId'>): PostTransferRequest {
  return { transferId, amount }
}

export function operationOutput({ response }: TxnOperationResponse): OperationOutput {
  return response === undefined ? {} : { [response.$case]: response.value }
}
