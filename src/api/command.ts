import type { TransferBatchRequest, TransferRequest } from '../app/bank/bank.js'
import type { Compare } from '../app/kv/keys.js'
import type { Operation, Query, TxnOperation, TxnRequest } from '../app/operations.js'
import { keep } from '../encoding/keep.js'
import type {
  TransferBatchRequest as WireTransferBatchRequest,
  TransferRequest as WireTransferRequest,
} from '../gen/synod/bank/v1/bank.js'
import { Order } from '../gen/synod/common/v1/common.js'
import {
  CompareOperator,
  type Compare as WireCompare,
  type TxnOperation as WireTxnOperation,
  type TxnRequest as WireTxnRequest,
} from '../gen/synod/kv/v1/kv.js'
import type { Command, Query as WireQuery } from '../gen/synod/session/v1/session.js'
import { durationMs } from './duration.js'

/**
 * A command as the machine knows it. Only for commands without violations (validate.ts). What the machine keeps is copied: decoded
 * bytes are views of the frame that they came in, which would be kept with them.
 */
export function toOperation({ operation }: Command): Operation {
  switch (operation?.$case) {
    case 'txn':
      return { $case: 'txn', value: toTxn(operation.value) }
    case 'transferBatch':
      return { $case: 'transferBatch', value: toTransferBatch(operation.value) }
    case 'registerAuthority':
      return { $case: 'registerAuthority', value: { ...operation.value, publicKey: operation.value.publicKey.slice() } }
    case 'query':
      return toQuery(operation.value)
    case 'put':
    case 'delete':
    case 'openAccount':
    case 'deposit':
    case 'withdraw':
    case 'transfer':
    case 'postTransfer':
    case 'voidTransfer':
      return toTxnOperation(operation)
    case 'revokeAuthority':
    case undefined:
      return given(operation)
  }
}

export function toTransferBatch({ transfers, linkedGroups }: WireTransferBatchRequest): TransferBatchRequest {
  return { transfers: transfers.map(toTransfer), linkedGroups }
}

/** A query as the machine knows it. Only for queries without violations. */
export function toQuery({ query }: WireQuery): Query {
  switch (query?.$case) {
    case 'list':
      return { $case: 'list', value: { ...query.value, descending: query.value.order === Order.DESCENDING } }
    case 'listMovements':
      return { $case: 'listMovements', value: { ...query.value, descending: query.value.order === Order.DESCENDING } }
    case 'get':
    case 'getBalance':
    case 'getTransfer':
    case 'listAccounts':
    case undefined:
      return given(query)
  }
}

function toTransfer(request: WireTransferRequest): TransferRequest {
  const { timeout } = request
  return {
    transferId: request.transferId,
    sourceAccountId: request.sourceAccountId,
    destinationAccountId: request.destinationAccountId,
    amount: request.amount,
    pending: request.pending,
    timeoutMs: timeout === undefined ? 0 : durationMs(timeout),
  }
}

function toTxn(request: WireTxnRequest): TxnRequest {
  return {
    compare: request.compare.map(toCompare),
    // oxlint-disable-next-line unicorn/no-thenable -- the proto's name; a transaction is never awaited
    then: request.then.map(({ operation }) => toTxnOperation(given(operation))),
    else: request.else.map(({ operation }) => toTxnOperation(given(operation))),
  }
}

/** What may stand alone as well as in a transaction. */
function toTxnOperation(operation: NonNullable<WireTxnOperation['operation']>): TxnOperation {
  switch (operation.$case) {
    case 'put': {
      const { key, value, returnPrevious } = operation.value
      return { $case: 'put', value: { key, value: keep(value), returnPrevious } }
    }
    case 'delete': {
      const { target, returnPrevious } = operation.value
      return { $case: 'delete', value: { target: target ?? EVERY_KEY, returnPrevious } }
    }
    case 'transfer':
      return { $case: 'transfer', value: toTransfer(operation.value) }
    case 'get':
    case 'openAccount':
    case 'deposit':
    case 'withdraw':
    case 'postTransfer':
    case 'voidTransfer':
    case 'getBalance':
      return operation
  }
}

function toCompare({ key, operator, target }: WireCompare): Compare {
  return { key, operator: toOperator(operator), target: given(target) }
}

function toOperator(operator: CompareOperator): Compare['operator'] {
  switch (operator) {
    case CompareOperator.NOT_EQUAL:
      return 'notEqual'
    case CompareOperator.LESS:
      return 'less'
    case CompareOperator.GREATER:
      return 'greater'
    case CompareOperator.UNSPECIFIED:
    case CompareOperator.EQUAL:
      return 'equal'
    case CompareOperator.UNRECOGNIZED:
      throw new Error('validated before: a known operator')
  }
}

/** A oneof that validation has found to be set. */
function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('validated before: a oneof that must be given')
  return value
}

/** As the validation lets it through: all was set. */
const EVERY_KEY = { $case: 'prefix', value: '' } as const
