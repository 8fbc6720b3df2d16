import assert from 'node:assert/strict'
import { test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { REASONS } from '../../src/api/reasons.js'

/** The published contract: clients depend on each. */
const CONTRACT: Record<string, keyof typeof status> = {
  INSUFFICIENT_FUNDS: 'FAILED_PRECONDITION',
  ACCOUNT_NOT_FOUND: 'NOT_FOUND',
  TRANSFER_NOT_FOUND: 'NOT_FOUND',
  ACCOUNT_EXISTS: 'ALREADY_EXISTS',
  ID_REUSED: 'ALREADY_EXISTS',
  INVALID_SIGNATURE: 'PERMISSION_DENIED',
  UNKNOWN_AUTHORITY: 'PERMISSION_DENIED',
  ASSET_MISMATCH: 'FAILED_PRECONDITION',
  BALANCE_OVERFLOW: 'OUT_OF_RANGE',
  INVALID_ARGUMENT: 'INVALID_ARGUMENT',
  NO_QUORUM: 'UNAVAILABLE',
  OUTCOME_UNKNOWN: 'DEADLINE_EXCEEDED',
  OVERLOADED: 'RESOURCE_EXHAUSTED',
  TRANSFER_NOT_PENDING: 'FAILED_PRECONDITION',
  TRANSFER_EXPIRED: 'FAILED_PRECONDITION',
  EXCEEDS_PENDING_AMOUNT: 'FAILED_PRECONDITION',
  LAST_AUTHORITY: 'FAILED_PRECONDITION',
}

test('reasons keep the gRPC status that was published with them', () => {
  const codes = Object.fromEntries(Object.entries(REASONS).map(([reason, { code }]) => [reason, status[code]]))
  assert.deepEqual({ ...codes, ...CONTRACT }, codes)
})

test('every reason is explained in one sentence', () => {
  for (const [reason, { meaning }] of Object.entries(REASONS)) assert.match(meaning, /^[A-Z][^.]*([a-z]\.[a-z][^.]*)?\.$/, reason)
})
