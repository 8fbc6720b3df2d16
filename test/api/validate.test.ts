import assert from 'node:assert/strict'
import { test } from 'node:test'
import { validateCommand, validateQuery } from '../../src/api/validate.js'
import { INT64_MAX } from '../../src/app/bank/movement.js'
import type { TransferRequest } from '../../src/gen/synod/bank/v1/bank.js'
import type { TxnOperation } from '../../src/gen/synod/kv/v1/kv.js'
import type { Command, Query } from '../../src/gen/synod/session/v1/session.js'
import { branches } from '../app/fixture.js'

type Operation = NonNullable<Command['operation']>
type Read = NonNullable<Query['query']>

const NOTHING = new Uint8Array(0)
const ID = 'i'.repeat(128)
const LONG_ID = 'é'.repeat(65)
const KEY = 'k'.repeat(4_096)
const LONG_KEY = '～'.repeat(1_366)
const VALUE = new Uint8Array(1024 * 1024)
const LONG_VALUE = new Uint8Array(1024 * 1024 + 1)

const PUT = { key: KEY, value: VALUE, returnPrevious: false, requestId: ID }
const OPEN = { accountId: ID, asset: ID, overdraftLimit: INT64_MAX, requestId: '' }
const DEPOSIT = { depositId: ID, accountId: ID, asset: ID, amount: INT64_MAX, authorityId: ID, signature: NOTHING }
const WITHDRAW = { withdrawalId: ID, accountId: ID, amount: 1n }
const TRANSFER: TransferRequest = {
  transferId: ID,
  sourceAccountId: ID,
  destinationAccountId: 'b',
  amount: 1n,
  pending: true,
  timeout: { seconds: 315_360_000n, nanos: 0 },
}
const END = { transferId: ID, amount: 0n }
const REGISTER = { authorityId: ID, publicKey: new Uint8Array(32), signerId: ID, signature: NOTHING }
const REVOKE = { authorityId: ID, signerId: ID, signature: NOTHING }
const LIST = {
  prefix: '',
  start: KEY,
  end: KEY,
  limit: 1_000,
  order: 2,
  keysOnly: true,
  countOnly: true,
  pageToken: 'any',
  consistency: 3,
} as const
const MOVEMENTS = { accountId: ID, pageSize: 1_000, pageToken: '', order: 1, consistency: 1 } as const

function command(operation: Operation | undefined): string[] {
  return validateCommand({ operation }).map(({ field }) => field)
}

function query(read: Read | undefined): string[] {
  return validateQuery({ query: read }).map(({ field }) => field)
}

function txn(
  operations: TxnOperation['operation'][],
  compare: Extract<Operation, { $case: 'txn' }>['value']['compare'] = [],
): string[] {
  const then = operations.map((operation) => ({ operation }))
  return command({ $case: 'txn', value: { ...branches(compare, then, []), requestId: '' } })
}

test('requests at their bounds have no violations', () => {
  const valid: Operation[] = [
    { $case: 'put', value: PUT },
    { $case: 'put', value: { ...PUT, value: NOTHING, requestId: '' } },
    { $case: 'delete', value: { target: { $case: 'prefix', value: '' }, all: true, returnPrevious: false, requestId: '' } },
    { $case: 'openAccount', value: OPEN },
    { $case: 'deposit', value: DEPOSIT },
    { $case: 'withdraw', value: WITHDRAW },
    { $case: 'transfer', value: TRANSFER },
    { $case: 'transfer', value: { ...TRANSFER, timeout: { seconds: 0n, nanos: 1_000_000 } } },
    { $case: 'transfer', value: { ...TRANSFER, pending: false, timeout: undefined } },
    { $case: 'postTransfer', value: END },
    { $case: 'voidTransfer', value: { ...END, amount: INT64_MAX } },
    {
      $case: 'transferBatch',
      value: { transfers: Array.from({ length: 8_190 }, () => TRANSFER), linkedGroups: [{ first: 0, count: 8_190 }] },
    },
    { $case: 'registerAuthority', value: REGISTER },
    { $case: 'revokeAuthority', value: REVOKE },
  ]
  for (const operation of valid) assert.deepEqual(command(operation), [], operation.$case)
  const reads: Read[] = [
    { $case: 'get', value: { key: KEY, consistency: 2 } },
    { $case: 'list', value: LIST },
    { $case: 'getBalance', value: { accountId: ID, consistency: 0 } },
    { $case: 'getTransfer', value: { transferId: ID, consistency: 0 } },
    { $case: 'listMovements', value: MOVEMENTS },
    { $case: 'listAccounts', value: { pageSize: 0, pageToken: '', consistency: 0 } },
  ]
  for (const read of reads) {
    assert.deepEqual(query(read), [], read.$case)
    assert.deepEqual(command({ $case: 'query', value: { query: read } }), [], read.$case)
  }
})

const INVALID: [Operation | undefined, string[]][] = [
  [undefined, ['operation']],
  [{ $case: 'query', value: { query: undefined } }, ['query']],
  [{ $case: 'put', value: { ...PUT, key: '', value: LONG_VALUE, requestId: LONG_ID } }, ['key', 'value', 'request_id']],
  [{ $case: 'put', value: { ...PUT, key: LONG_KEY } }, ['key']],
  [
    { $case: 'delete', value: { target: undefined, all: false, returnPrevious: false, requestId: LONG_ID } },
    ['target', 'request_id'],
  ],
  [
    { $case: 'delete', value: { target: { $case: 'key', value: '' }, all: false, returnPrevious: false, requestId: '' } },
    ['key'],
  ],
  [
    { $case: 'delete', value: { target: { $case: 'prefix', value: '' }, all: false, returnPrevious: false, requestId: '' } },
    ['prefix'],
  ],
  [
    { $case: 'delete', value: { target: { $case: 'prefix', value: 'a' }, all: true, returnPrevious: false, requestId: '' } },
    ['all'],
  ],
  [
    { $case: 'delete', value: { target: { $case: 'key', value: 'a' }, all: true, returnPrevious: false, requestId: '' } },
    ['all'],
  ],
  [
    {
      $case: 'delete',
      value: { target: { $case: 'prefix', value: LONG_KEY }, all: false, returnPrevious: false, requestId: '' },
    },
    ['prefix'],
  ],
  [
    { $case: 'openAccount', value: { accountId: '', asset: LONG_ID, overdraftLimit: -1n, requestId: LONG_ID } },
    ['account_id', 'asset', 'overdraft_limit', 'request_id'],
  ],
  [
    { $case: 'deposit', value: { ...DEPOSIT, depositId: '', accountId: '', asset: '', amount: 0n, authorityId: '' } },
    ['deposit_id', 'account_id', 'asset', 'amount', 'authority_id'],
  ],
  [{ $case: 'deposit', value: { ...DEPOSIT, amount: INT64_MAX + 1n } }, ['amount']],
  [
    { $case: 'withdraw', value: { withdrawalId: LONG_ID, accountId: LONG_ID, amount: -1n } },
    ['withdrawal_id', 'account_id', 'amount'],
  ],
  [{ $case: 'transfer', value: { ...TRANSFER, transferId: '', amount: 0n } }, ['transfer_id', 'amount']],
  [{ $case: 'transfer', value: { ...TRANSFER, destinationAccountId: ID } }, ['destination_account_id']],
  [{ $case: 'transfer', value: { ...TRANSFER, pending: false } }, ['timeout']],
  [{ $case: 'transfer', value: { ...TRANSFER, timeout: { seconds: 0n, nanos: 999_999 } } }, ['timeout']],
  [{ $case: 'transfer', value: { ...TRANSFER, timeout: { seconds: -1n, nanos: 0 } } }, ['timeout']],
  [{ $case: 'transfer', value: { ...TRANSFER, timeout: { seconds: 1n, nanos: 1_000_000_000 } } }, ['timeout']],
  [{ $case: 'transfer', value: { ...TRANSFER, timeout: { seconds: 1n, nanos: -1 } } }, ['timeout']],
  [{ $case: 'transfer', value: { ...TRANSFER, timeout: { seconds: 315_360_000n, nanos: 1_000_000 } } }, ['timeout']],
  [{ $case: 'transfer', value: { ...TRANSFER, timeout: { seconds: INT64_MAX, nanos: 0 } } }, ['timeout']],
  [{ $case: 'postTransfer', value: { transferId: '', amount: -1n } }, ['transfer_id', 'amount']],
  [{ $case: 'voidTransfer', value: { transferId: LONG_ID, amount: INT64_MAX + 1n } }, ['transfer_id', 'amount']],
  [
    { $case: 'registerAuthority', value: { ...REGISTER, authorityId: '', publicKey: new Uint8Array(31), signerId: '' } },
    ['authority_id', 'public_key', 'signer_id'],
  ],
  [{ $case: 'revokeAuthority', value: { ...REVOKE, authorityId: '', signerId: LONG_ID } }, ['authority_id', 'signer_id']],
]

test('each field out of its bounds is named', () => {
  for (const [operation, fields] of INVALID) assert.deepEqual(command(operation).toSorted(), fields.toSorted())
})

test('of queries, too', () => {
  const invalid: [Read | undefined, string[]][] = [
    [undefined, ['query']],
    [{ $case: 'get', value: { key: '', consistency: -1 } }, ['key', 'consistency']],
    [{ $case: 'list', value: { ...LIST, prefix: 'p' } }, ['prefix']],
    [
      { $case: 'list', value: { ...LIST, start: LONG_KEY, end: LONG_KEY, limit: 1_001, order: -1 } },
      ['start', 'end', 'limit', 'order'],
    ],
    [{ $case: 'getBalance', value: { accountId: '', consistency: 0 } }, ['account_id']],
    [{ $case: 'getTransfer', value: { transferId: LONG_ID, consistency: 0 } }, ['transfer_id']],
    [
      { $case: 'listMovements', value: { ...MOVEMENTS, accountId: '', pageSize: 1_001, order: -1 } },
      ['account_id', 'page_size', 'order'],
    ],
    [{ $case: 'listAccounts', value: { pageSize: 1_001, pageToken: '', consistency: -1 } }, ['page_size', 'consistency']],
  ]
  for (const [read, fields] of invalid) assert.deepEqual(query(read).toSorted(), fields.toSorted())
})

test('an authority without a signer is valid in slot 0 alone', () => {
  const operation: Operation = { $case: 'registerAuthority', value: { ...REGISTER, signerId: '' } }
  assert.deepEqual(validateCommand({ operation }, { initial: true }), [])
  assert.equal(validateCommand({ operation }).length, 1)
})

test('a batch names the place of each wrong transfer, and of each wrong group', () => {
  const transfers = [TRANSFER, TRANSFER, TRANSFER, { ...TRANSFER, amount: 0n }]
  const groups = (...linkedGroups: { first: number; count: number }[]) =>
    command({ $case: 'transferBatch', value: { transfers: transfers.slice(0, 3), linkedGroups } })
  assert.deepEqual(command({ $case: 'transferBatch', value: { transfers, linkedGroups: [] } }), ['transfers[3].amount'])
  assert.deepEqual(groups({ first: 0, count: 1 }), ['linked_groups[0].count'])
  assert.deepEqual(groups({ first: 2, count: 2 }), ['linked_groups[0].count'])
  assert.deepEqual(groups({ first: 0, count: 2 }, { first: 1, count: 2 }), ['linked_groups[1].first'])
  assert.deepEqual(groups({ first: 0, count: 4_294_967_295 }), ['linked_groups[0].count'])
  for (const length of [0, 8_191]) {
    const many = Array.from({ length }, () => TRANSFER)
    assert.deepEqual(command({ $case: 'transferBatch', value: { transfers: many, linkedGroups: [] } }), ['transfers'])
  }
})

test('a transaction names conditions and operations by branch, place and kind', () => {
  const put = { $case: 'put', value: { ...PUT, requestId: '' } } as const
  assert.deepEqual(txn([put, { $case: 'put', value: { ...PUT, key: '' } }]).toSorted(), [
    'then[1].put.key',
    'then[1].put.request_id',
  ])
  assert.deepEqual(txn([{ $case: 'openAccount', value: { ...OPEN, asset: '' } }]), ['then[0].open_account.asset'])
  assert.deepEqual(txn([{ $case: 'get', value: { key: 'k', consistency: 3 } }]), ['then[0].get.consistency'])
  assert.deepEqual(txn([{ $case: 'getBalance', value: { accountId: 'a', consistency: 1 } }]), ['then[0].get_balance.consistency'])
  assert.deepEqual(txn([{ $case: 'transfer', value: { ...TRANSFER, amount: 0n } }, undefined]).toSorted(), [
    'then[0].transfer.amount',
    'then[1].operation',
  ])
  assert.deepEqual(txn([{ $case: 'voidTransfer', value: { ...END, amount: -1n } }]), ['then[0].void_transfer.amount'])
  assert.deepEqual(txn([], [{ key: '', operator: -1, target: undefined }]).toSorted(), [
    'compare[0].key',
    'compare[0].operator',
    'compare[0].target',
  ])
  assert.deepEqual(txn([], [{ key: 'k', operator: 1, target: { $case: 'value', value: LONG_VALUE } }]), ['compare[0].value'])
  assert.deepEqual(txn(Array.from({ length: 129 }, () => put)), ['then'])
})

test('every violation tells the bound', () => {
  for (const [operation] of INVALID) {
    for (const { description } of validateCommand({ operation })) assert.match(description, /must|only/)
  }
})

test('no more than 20 violations are named, however many there are', () => {
  const wrong = { ...TRANSFER, amount: 0n, transferId: '' }
  const value = { transfers: Array.from({ length: 8_190 }, () => wrong), linkedGroups: [] }
  assert.equal(command({ $case: 'transferBatch', value }).length, 20)
})
