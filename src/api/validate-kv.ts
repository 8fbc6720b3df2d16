import type { FieldViolation } from '../app/refusal.js'
import type { OpenAccountRequest } from '../gen/synod/bank/v1/bank.js'
import {
  type Compare,
  CompareOperator,
  type DeleteRequest,
  type GetRequest,
  type ListRequest,
  type PutRequest,
  type TxnOperation,
  type TxnRequest,
} from '../gen/synod/kv/v1/kv.js'
import { consistency, each, key, keyPart, order, pageSize, prefixed, requestId, value } from './checks.js'
import {
  depositViolations,
  endTransferViolations,
  getBalanceViolations,
  openAccountViolations,
  transferViolations,
  withdrawViolations,
} from './validate-bank.js'

const CONDITIONS_MAX = 128
const OPERATIONS_MAX = 128

export function putViolations(out: FieldViolation[], request: PutRequest): void {
  key(out, 'key', request.key)
  value(out, request.value)
  requestId(out, request.requestId)
}

export function getViolations(out: FieldViolation[], request: GetRequest): void {
  key(out, 'key', request.key)
  consistency(out, request.consistency)
}

export function deleteViolations(out: FieldViolation[], request: DeleteRequest): void {
  const { target, all } = request
  const isEvery = target === undefined || (target.$case === 'prefix' && target.value === '')
  if (all && !isEvery) out.push({ field: 'all', description: 'must not be set together with a key or a prefix' })
  if (target === undefined && !all) out.push({ field: 'target', description: 'key or prefix must be given, or all set' })
  else if (target?.$case === 'key') key(out, 'key', target.value)
  else if (target?.$case === 'prefix') {
    keyPart(out, 'prefix', target.value)
    if (isEvery && !all) out.push({ field: 'prefix', description: 'must not be empty unless all is set: every key begins so' })
  }
  requestId(out, request.requestId)
}

export function listViolations(out: FieldViolation[], request: ListRequest): void {
  keyPart(out, 'prefix', request.prefix)
  keyPart(out, 'start', request.start)
  keyPart(out, 'end', request.end)
  if (request.prefix !== '' && (request.start !== '' || request.end !== '')) {
    out.push({ field: 'prefix', description: 'must not be given together with start or end' })
  }
  pageSize(out, 'limit', request.limit)
  order(out, request.order)
  consistency(out, request.consistency)
}

export function txnViolations(out: FieldViolation[], request: TxnRequest): void {
  if (request.compare.length > CONDITIONS_MAX) out.push({ field: 'compare', description: 'must be at most 128 conditions' })
  if (request.then.length > OPERATIONS_MAX) out.push({ field: 'then', description: 'must be at most 128 operations' })
  if (request.else.length > OPERATIONS_MAX) out.push({ field: 'else', description: 'must be at most 128 operations' })
  requestId(out, request.requestId)
  if (out.length > 0) return
  each(out, 'compare', request.compare, compareViolations)
  each(out, 'then', request.then, operationViolations)
  each(out, 'else', request.else, operationViolations)
}

function compareViolations(out: FieldViolation[], compare: Compare): void {
  key(out, 'key', compare.key)
  if (compare.operator < CompareOperator.UNSPECIFIED || compare.operator > CompareOperator.GREATER) {
    out.push({ field: 'operator', description: 'must be EQUAL, NOT_EQUAL, LESS or GREATER' })
  }
  if (compare.target === undefined) {
    out.push({ field: 'target', description: 'value, version, create_revision or mod_revision must be given' })
  } else if (compare.target.$case === 'value') {
    value(out, compare.target.value)
  }
}

/** The names of a transaction's operations in the proto. */
const PROTO_NAMES = {
  put: 'put',
  get: 'get',
  delete: 'delete',
  openAccount: 'open_account',
  deposit: 'deposit',
  withdraw: 'withdraw',
  transfer: 'transfer',
  postTransfer: 'post_transfer',
  voidTransfer: 'void_transfer',
  getBalance: 'get_balance',
} as const

function operationViolations(out: FieldViolation[], { operation }: TxnOperation): void {
  if (operation === undefined) {
    out.push({ field: 'operation', description: 'must be given' })
    return
  }
  const before = out.length
  checkOperation(out, operation)
  if (out.length > before) prefixed(out, before, `${PROTO_NAMES[operation.$case]}.`)
}

function checkOperation(out: FieldViolation[], operation: NonNullable<TxnOperation['operation']>): void {
  switch (operation.$case) {
    case 'put':
      putViolations(out, operation.value)
      return noRequestId(out, operation.value)
    case 'get':
      getViolations(out, operation.value)
      return noConsistency(out, operation.value)
    case 'delete':
      deleteViolations(out, operation.value)
      return noRequestId(out, operation.value)
    case 'openAccount':
      openAccountViolations(out, operation.value)
      return noRequestId(out, operation.value)
    case 'deposit':
      return depositViolations(out, operation.value)
    case 'withdraw':
      return withdrawViolations(out, operation.value)
    case 'transfer':
      return transferViolations(out, operation.value)
    case 'postTransfer':
    case 'voidTransfer':
      return endTransferViolations(out, operation.value)
    case 'getBalance':
      getBalanceViolations(out, operation.value)
      return noConsistency(out, operation.value)
  }
}

function noRequestId(out: FieldViolation[], request: PutRequest | DeleteRequest | OpenAccountRequest): void {
  if (request.requestId !== '')
    out.push({ field: 'request_id', description: 'must be empty in a transaction, which has its own' })
}

function noConsistency(out: FieldViolation[], request: { consistency: number }): void {
  if (request.consistency !== 0) out.push({ field: 'consistency', description: 'must be left out in a transaction' })
}
