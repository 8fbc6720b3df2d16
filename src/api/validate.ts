import type { FieldViolation } from '../app/refusal.js'
import type { Command, Query } from '../gen/synod/session/v1/session.js'
import { VIOLATIONS_MAX } from './checks.js'
import {
  depositViolations,
  endTransferViolations,
  getBalanceViolations,
  getTransferViolations,
  listAccountsViolations,
  listMovementsViolations,
  openAccountViolations,
  registerAuthorityViolations,
  revokeAuthorityViolations,
  transferBatchViolations,
  transferViolations,
  withdrawViolations,
} from './validate-bank.js'
import { deleteViolations, getViolations, listViolations, putViolations, txnViolations } from './validate-kv.js'

const NONE: readonly FieldViolation[] = Object.freeze([])

/**
 * What is wrong with a command in itself, whatever the state: field paths as in the proto (`transfers[3].amount`), the bound in the
 * text. Empty when nothing is. The gateway asks before it proposes, and the state machine again: it trusts no proposer.
 * `initial`: for the commands of slot 0, which alone may register an authority without a signer.
 */
export function validateCommand(command: Command, { initial = false } = {}): readonly FieldViolation[] {
  const out: FieldViolation[] = []
  checkCommand(out, command, initial)
  return result(out)
}

/** What is wrong with a query in itself; see validateCommand. */
export function validateQuery(query: Query): readonly FieldViolation[] {
  const out: FieldViolation[] = []
  checkQuery(out, query)
  return result(out)
}

function result(out: FieldViolation[]): readonly FieldViolation[] {
  return out.length === 0 ? NONE : out.slice(0, VIOLATIONS_MAX)
}

function checkCommand(out: FieldViolation[], { operation }: Command, initial: boolean): void {
  switch (operation?.$case) {
    case 'put':
      return putViolations(out, operation.value)
    case 'delete':
      return deleteViolations(out, operation.value)
    case 'txn':
      return txnViolations(out, operation.value)
    case 'openAccount':
      return openAccountViolations(out, operation.value)
    case 'deposit':
      return depositViolations(out, operation.value)
    case 'withdraw':
      return withdrawViolations(out, operation.value)
    case 'transfer':
      return transferViolations(out, operation.value)
    case 'postTransfer':
    case 'voidTransfer':
      return endTransferViolations(out, operation.value)
    case 'transferBatch':
      return transferBatchViolations(out, operation.value)
    case 'registerAuthority':
      return registerAuthorityViolations(out, operation.value, initial)
    case 'revokeAuthority':
      return revokeAuthorityViolations(out, operation.value)
    case 'query':
      return checkQuery(out, operation.value)
    case undefined:
      out.push({ field: 'operation', description: 'must be given' })
  }
}

function checkQuery(out: FieldViolation[], { query }: Query): void {
  switch (query?.$case) {
    case 'get':
      return getViolations(out, query.value)
    case 'list':
      return listViolations(out, query.value)
    case 'getBalance':
      return getBalanceViolations(out, query.value)
    case 'getTransfer':
      return getTransferViolations(out, query.value)
    case 'listMovements':
      return listMovementsViolations(out, query.value)
    case 'listAccounts':
      return listAccountsViolations(out, query.value)
    case undefined:
      out.push({ field: 'query', description: 'must be given' })
  }
}
