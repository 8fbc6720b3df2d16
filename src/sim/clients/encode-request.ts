import type { OutcomeCase } from '../../client/call.js'
import { encodeText } from '../../encoding/text.js'
import type { TransferRequest } from '../../gen/synod/bank/v1/bank.js'
import { Consistency, Order } from '../../gen/synod/common/v1/common.js'
import { CompareOperator, type TxnOperation, type Compare as WireCompare } from '../../gen/synod/kv/v1/kv.js'
import { Command, Query as WireQuery } from '../../gen/synod/session/v1/session.js'
import { AUTHORITY, signDeposit } from '../cluster/application.js'
import { encodeTouch } from '../cluster/next-machine.js'
import type {
  SimulatedOperation,
  SimulatedQuery,
  SimulatedRequest,
  Transfer,
  TxnCondition,
  TxnStep,
} from './simulated-operations.js'

const FORGED_SIGNATURE = new Uint8Array(64)

const OPERATORS = {
  equal: CompareOperator.EQUAL,
  notEqual: CompareOperator.NOT_EQUAL,
  less: CompareOperator.LESS,
  greater: CompareOperator.GREATER,
} as const

type ProtoOperation = NonNullable<Command['operation']>
type ProtoStep = NonNullable<TxnOperation['operation']>
/** A write that may stand alone as well as in a transaction. */
type WriteOperation = Extract<SimulatedOperation, TxnStep>
type ProtoWrite = Extract<ProtoOperation, ProtoStep>

/** Encodes a request, always to the same bytes. */
export function encodeRequest({ operation, requestId }: SimulatedRequest): Uint8Array {
  if (operation.kind === 'touch') return encodeTouch(operation.key)
  return Command.encode({ operation: toWire(operation, requestId) }).finish()
}

export function encodeQuery(query: SimulatedQuery): Uint8Array {
  return WireQuery.encode(toWireQuery(query, Consistency.LINEARIZABLE)).finish()
}

/** Returns the kind of result that a request must get. */
export function expectedOf({ operation, requestId }: SimulatedRequest): OutcomeCase {
  if (operation.kind === 'touch') return 'put'
  const wire = toWire(operation, requestId)
  return wire.$case === 'query' ? expectedOfQuery(wire.value) : wire.$case
}

export function expectedOfQuery({ query }: WireQuery): OutcomeCase {
  return query?.$case ?? 'get'
}

function toWire(operation: Exclude<SimulatedOperation, { kind: 'touch' }>, requestId: string): ProtoOperation {
  switch (operation.kind) {
    case 'txn': {
      const value = {
        compare: operation.compare.map(toWireCompare),
        // oxlint-disable-next-line unicorn/no-thenable -- the proto's name; a transaction is never awaited
        then: operation.whenTrue.map((step) => ({ operation: toWireStep(step) })),
        else: operation.whenFalse.map((step) => ({ operation: toWireStep(step) })),
        requestId,
      }
      return { $case: 'txn', value }
    }
    case 'batch': {
      const { transfers, linkedGroups } = operation
      return { $case: 'transferBatch', value: { transfers: transfers.map(toWireTransfer), linkedGroups: [...linkedGroups] } }
    }
    case 'logRead':
      return { $case: 'query', value: toWireQuery(operation.query, Consistency.LOG) }
    case 'put':
    case 'delete':
    case 'open':
    case 'deposit':
    case 'withdraw':
    case 'transfer':
    case 'post':
    case 'void':
      return toWireWrite(operation, requestId)
  }
}

function toWireStep(step: TxnStep): ProtoStep {
  const consistency = Consistency.UNSPECIFIED
  if (step.kind === 'get') return { $case: 'get', value: { key: step.key, consistency } }
  if (step.kind === 'balance') return { $case: 'getBalance', value: { accountId: step.account, consistency } }
  return toWireWrite(step, '')
}

function toWireWrite(write: WriteOperation, requestId: string): ProtoWrite {
  switch (write.kind) {
    case 'put':
      return { $case: 'put', value: { key: write.key, value: encodeText(write.value), returnPrevious: true, requestId } }
    case 'delete': {
      const { target } = write
      const wireTarget =
        'key' in target ? { $case: 'key' as const, value: target.key } : { $case: 'prefix' as const, value: target.prefix }
      return { $case: 'delete', value: { target: wireTarget, returnPrevious: true, requestId, all: false } }
    }
    case 'open': {
      const { account: accountId, asset, overdraftLimit } = write
      return { $case: 'openAccount', value: { accountId, asset, overdraftLimit: BigInt(overdraftLimit), requestId } }
    }
    case 'deposit': {
      const deposit = { depositId: write.id, accountId: write.account, asset: write.asset, amount: BigInt(write.amount) }
      const signature = write.isForged ? FORGED_SIGNATURE : signDeposit(deposit)
      return { $case: 'deposit', value: { ...deposit, authorityId: AUTHORITY, signature } }
    }
    case 'withdraw': {
      const { id: withdrawalId, account: accountId, amount } = write
      return { $case: 'withdraw', value: { withdrawalId, accountId, amount: BigInt(amount) } }
    }
    case 'transfer':
      return { $case: 'transfer', value: toWireTransfer(write) }
    case 'post':
      return { $case: 'postTransfer', value: { transferId: write.id, amount: BigInt(write.amount) } }
    case 'void':
      return { $case: 'voidTransfer', value: { transferId: write.id, amount: 0n } }
  }
}

function toWireTransfer({ id, source, destination, amount, isPending, timeoutMs }: Transfer): TransferRequest {
  const timeout = { seconds: BigInt(Math.floor(timeoutMs / 1_000)), nanos: (timeoutMs % 1_000) * 1_000_000 }
  return {
    transferId: id,
    sourceAccountId: source,
    destinationAccountId: destination,
    amount: BigInt(amount),
    pending: isPending,
    timeout: timeoutMs === 0 ? undefined : timeout,
  }
}

function toWireCompare({ key, operator, target }: TxnCondition): WireCompare {
  return {
    key,
    operator: OPERATORS[operator],
    target:
      'value' in target
        ? { $case: 'value', value: encodeText(target.value) }
        : { $case: 'version', value: BigInt(target.version) },
  }
}

/** Converts a query to the form that it has in a frame. */
export function toWireQuery(query: SimulatedQuery, consistency: Consistency): WireQuery {
  switch (query.kind) {
    case 'get':
      return { query: { $case: 'get', value: { key: query.key, consistency } } }
    case 'list': {
      const { prefix, start, end, limit, keysOnly, countOnly, isDescending } = query
      const order = isDescending ? Order.DESCENDING : Order.ASCENDING
      const value = { prefix, start, end, limit, order, keysOnly, countOnly, pageToken: '', consistency }
      return { query: { $case: 'list', value } }
    }
    case 'balance':
      return { query: { $case: 'getBalance', value: { accountId: query.account, consistency } } }
    case 'accounts':
      return { query: { $case: 'listAccounts', value: { pageSize: 0, pageToken: '', consistency } } }
    case 'movement':
      return { query: { $case: 'getTransfer', value: { transferId: query.id, consistency } } }
  }
}
