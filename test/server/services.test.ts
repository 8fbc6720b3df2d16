import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import { registerAuthorityMessage } from '../../src/app/bank/signing.js'
import {
  GetBalanceRequest,
  OpenAccountRequest,
  PostTransferRequest,
  TransferRequest,
  WithdrawRequest,
} from '../../src/gen/synod/bank/v1/bank.js'
import { Consistency } from '../../src/gen/synod/common/v1/common.js'
import { DeleteRequest, GetRequest, ListRequest, PutRequest, TxnRequest } from '../../src/gen/synod/kv/v1/kv.js'
import { call, failureOf } from './client.js'
import { deposit, PUBLIC_KEY, type Served, serve, signAsMint } from './server.js'
import { CLUSTER_ID } from './single-member.js'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const put = (key: string, value: string) => PutRequest.fromPartial({ key, value: bytes(value) })
const transfer = (transferId: string, sourceAccountId: string, destinationAccountId: string, amount: bigint) =>
  TransferRequest.fromPartial({ transferId, sourceAccountId, destinationAccountId, amount })

describe('the key-value service', () => {
  it('puts, gets, lists, deletes and transacts, and says where and when', async (t) => {
    const { clients } = await serve(t)
    const { header, revision } = await call(clients.kv, 'put', put('a', '1'))
    assert.deepEqual(header, { clusterId: CLUSTER_ID, nodeId: 1, slot: 1 })
    assert.equal(revision, 2n)
    await call(clients.kv, 'put', put('b', '2'))

    const got = await call(clients.kv, 'get', GetRequest.fromPartial({ key: 'a' }))
    assert.equal(Buffer.from(got.pair?.value ?? []).toString(), '1')
    assert.equal(got.header?.slot, 2)

    const listed = await call(clients.kv, 'list', ListRequest.fromPartial({ keysOnly: true }))
    assert.deepEqual(
      listed.pairs.map(({ key }) => key),
      ['a', 'b'],
    )
    const deleted = await call(
      clients.kv,
      'delete',
      DeleteRequest.fromPartial({ target: { $case: 'key', value: 'a' }, returnPrevious: true }),
    )
    assert.equal(deleted.deletedCount, 1n)
    assert.equal(deleted.previous.length, 1)

    const txn = TxnRequest.fromPartial({
      compare: [{ key: 'a', target: { $case: 'version', value: 1n } }],
      else: [{ operation: { $case: 'put', value: put('a', '3') } }],
    })
    const { succeeded, responses, header: txnHeader } = await call(clients.kv, 'txn', txn)
    assert.equal(succeeded, false)
    assert.equal(responses[0]?.response?.$case, 'put')
    assert.equal(txnHeader?.slot, 4)
  })

  it('deletes every key only when all is set: an empty prefix may be a variable that was not', async (t) => {
    const { clients } = await serve(t)
    for (const key of ['a', 'b']) await call(clients.kv, 'put', put(key, ''))
    const empty = DeleteRequest.fromPartial({ target: { $case: 'prefix', value: '' } })
    const { code, fields } = await failureOf(call(clients.kv, 'delete', empty))
    assert.deepEqual({ code, fields }, { code: status.INVALID_ARGUMENT, fields: ['prefix'] })
    assert.equal((await call(clients.kv, 'list', ListRequest.fromPartial({}))).pairs.length, 2)
    assert.equal((await call(clients.kv, 'delete', DeleteRequest.fromPartial({ all: true }))).deletedCount, 2n)
    await call(clients.kv, 'put', put('c', ''))
    assert.equal((await call(clients.kv, 'delete', { ...empty, all: true })).deletedCount, 1n)
  })

  it('reads as fresh as it is asked to', async (t) => {
    const { clients, member } = await serve(t)
    await call(clients.kv, 'put', put('a', '1'))
    const get = (consistency: Consistency) => call(clients.kv, 'get', { key: 'a', consistency })

    await get(Consistency.UNSPECIFIED)
    await get(Consistency.LINEARIZABLE)
    assert.equal(member.readIndexCount, 2)
    assert.equal((await get(Consistency.LOG)).header?.slot, 2)
    assert.equal(member.readIndexCount, 2)

    member.failure = 'NO_QUORUM'
    assert.equal((await get(Consistency.STALE)).pair?.key, 'a')
    assert.equal((await failureOf(get(Consistency.LINEARIZABLE))).reason, 'NO_QUORUM')
    assert.equal((await failureOf(get(Consistency.LOG))).reason, 'NO_QUORUM')

    const { code, fields } = await failureOf(get(99 as Consistency))
    assert.deepEqual({ code, fields }, { code: status.INVALID_ARGUMENT, fields: ['consistency'] })
  })

  it('refuses bad input before it comes to the log', async (t) => {
    const { clients, member } = await serve(t)
    const failure = await failureOf(call(clients.kv, 'put', put('', 'x')))
    assert.deepEqual(
      { code: failure.code, reason: failure.reason, fields: failure.fields },
      { code: status.INVALID_ARGUMENT, reason: 'INVALID_ARGUMENT', fields: ['key'] },
    )
    assert.equal(member.status().appliedUpTo, 0)
  })

  it('refuses text that is not UTF-8 by the name of its field', async (t) => {
    const { clients } = await serve(t)
    const notUtf8 = Buffer.from([0x0a, 0x02, 0xc3, 0x28])
    const failing = new Promise((resolve, reject) => {
      clients.kv.makeUnaryRequest(
        '/synod.kv.v1.KeyValueService/Put',
        (raw: Buffer) => raw,
        (raw) => raw,
        notUtf8,
        (error) => (error === null ? resolve(undefined) : reject(error)),
      )
    })
    const { code, fields } = await failureOf(failing)
    assert.deepEqual({ code, fields }, { code: status.INVALID_ARGUMENT, fields: ['key'] })
  })

  it('takes a megabyte in a value, and no message over four', async (t) => {
    const { clients } = await serve(t)
    await call(clients.kv, 'put', PutRequest.fromPartial({ key: 'big', value: new Uint8Array(1_048_576) }))
    const { fields } = await failureOf(
      call(clients.kv, 'put', PutRequest.fromPartial({ key: 'big', value: new Uint8Array(1_048_577) })),
    )
    assert.deepEqual(fields, ['value'])
    const tooLarge = call(clients.kv, 'put', PutRequest.fromPartial({ key: 'big', value: new Uint8Array(4_200_000) }))
    await assert.rejects(tooLarge, { code: status.RESOURCE_EXHAUSTED })
  })
})

/** Two accounts of one asset and one of another; 100 on the first. */
async function openAccounts({ clients }: Served): Promise<void> {
  for (const [accountId, asset] of Object.entries({ ann: 'EUR', bob: 'EUR', usd: 'USD' })) {
    await call(clients.bank, 'openAccount', OpenAccountRequest.fromPartial({ accountId, asset }))
  }
  await call(clients.bank, 'deposit', deposit('d-1', 'ann', 100n))
}

describe('the bank service', () => {
  it('has every method', async (t) => {
    const served = await serve(t)
    await openAccounts(served)
    const { bank } = served.clients
    const moved = await call(bank, 'transfer', transfer('t-1', 'ann', 'bob', 30n))
    assert.deepEqual([moved.source?.balance, moved.destination?.balance], [70n, 30n])
    assert.equal(moved.movement?.slot, moved.header?.slot)

    await call(bank, 'withdraw', { withdrawalId: 'w-1', accountId: 'bob', amount: 10n })
    await call(bank, 'transfer', { ...transfer('t-2', 'ann', 'bob', 5n), pending: true })
    await call(bank, 'postTransfer', { transferId: 't-2', amount: 0n })
    await call(bank, 'transfer', { ...transfer('t-3', 'ann', 'bob', 5n), pending: true })
    await call(bank, 'voidTransfer', { transferId: 't-3', amount: 0n })
    const batch = { transfers: [transfer('t-4', 'ann', 'bob', 5n), transfer('t-5', 'ann', 'usd', 5n)], linkedGroups: [] }
    const { results } = await call(bank, 'transferBatch', batch)
    assert.deepEqual(
      results.map(({ code, reason }) => [code, reason]),
      [
        [0, ''],
        [status.FAILED_PRECONDITION, 'ASSET_MISMATCH'],
      ],
    )

    const { account } = await call(bank, 'getBalance', GetBalanceRequest.fromPartial({ accountId: 'bob' }))
    assert.equal(account?.balance, 30n)
    const { movement } = await call(bank, 'getTransfer', { transferId: 't-2', consistency: Consistency.LOG })
    assert.equal(movement?.amount, 5n)
    const list = { accountId: 'bob', pageSize: 2, pageToken: '', order: 0 as const, consistency: 0 as const }
    assert.equal((await call(bank, 'listMovements', list)).movements.length, 2)
    const { accounts } = await call(bank, 'listAccounts', { pageSize: 0, pageToken: '', consistency: 0 })
    assert.equal(accounts.length, 3)

    const authority = { authorityId: 'second', publicKey: PUBLIC_KEY }
    const signature = signAsMint(registerAuthorityMessage(authority))
    assert.notEqual((await call(bank, 'registerAuthority', { ...authority, signerId: 'mint', signature })).header, undefined)
    const revocation = { authorityId: 'second', signerId: 'mint', signature: new Uint8Array(64) }
    assert.equal((await failureOf(call(bank, 'revokeAuthority', revocation))).reason, 'INVALID_SIGNATURE')
  })

  it('gives who asks again the first result: its slot and its accounts, a refusal included', async (t) => {
    const served = await serve(t)
    await openAccounts(served)
    const { bank } = served.clients
    const move = () => call(bank, 'transfer', transfer('t-1', 'ann', 'bob', 30n))
    const fail = () => failureOf(call(bank, 'withdraw', { withdrawalId: 'w-1', accountId: 'ann', amount: 1_000n }))
    const open = () =>
      call(bank, 'openAccount', OpenAccountRequest.fromPartial({ accountId: 'cid', asset: 'EUR', requestId: 'r' }))
    const first = [await move(), await fail(), await open()]
    for (const accountId of ['ann', 'bob', 'cid']) await call(bank, 'deposit', deposit(`d-${accountId}`, accountId, 5_000n))
    assert.deepEqual([await move(), await fail(), await open()], first)
  })

  const near = 2n ** 63n - 50n
  const refusals: {
    title: string
    code: status
    reason: string
    provoke: (bank: Served['clients']['bank']) => Promise<unknown>
  }[] = [
    {
      title: 'too low a balance',
      code: status.FAILED_PRECONDITION,
      reason: 'INSUFFICIENT_FUNDS',
      provoke: (bank) => call(bank, 'transfer', transfer('t', 'ann', 'bob', 101n)),
    },
    {
      title: 'no such account',
      code: status.NOT_FOUND,
      reason: 'ACCOUNT_NOT_FOUND',
      provoke: (bank) => call(bank, 'withdraw', WithdrawRequest.fromPartial({ withdrawalId: 'w', accountId: 'eve', amount: 1n })),
    },
    {
      title: 'no such account to read',
      code: status.NOT_FOUND,
      reason: 'ACCOUNT_NOT_FOUND',
      provoke: (bank) => call(bank, 'getBalance', GetBalanceRequest.fromPartial({ accountId: 'eve' })),
    },
    {
      title: 'no such transfer',
      code: status.NOT_FOUND,
      reason: 'TRANSFER_NOT_FOUND',
      provoke: (bank) => call(bank, 'postTransfer', PostTransferRequest.fromPartial({ transferId: 'none' })),
    },
    {
      title: 'an account id that is taken',
      code: status.ALREADY_EXISTS,
      reason: 'ACCOUNT_EXISTS',
      provoke: (bank) => call(bank, 'openAccount', OpenAccountRequest.fromPartial({ accountId: 'ann', asset: 'EUR' })),
    },
    {
      title: 'an id with other content',
      code: status.ALREADY_EXISTS,
      reason: 'ID_REUSED',
      provoke: (bank) => call(bank, 'deposit', deposit('d-1', 'ann', 101n)),
    },
    {
      title: 'a signature that does not verify',
      code: status.PERMISSION_DENIED,
      reason: 'INVALID_SIGNATURE',
      provoke: (bank) => call(bank, 'deposit', { ...deposit('d-2', 'ann', 1n), amount: 2n }),
    },
    {
      title: 'an authority that nobody knows',
      code: status.PERMISSION_DENIED,
      reason: 'UNKNOWN_AUTHORITY',
      provoke: (bank) => call(bank, 'deposit', { ...deposit('d-2', 'ann', 1n), authorityId: 'eve' }),
    },
    {
      title: 'another asset',
      code: status.FAILED_PRECONDITION,
      reason: 'ASSET_MISMATCH',
      provoke: (bank) => call(bank, 'transfer', transfer('t', 'ann', 'usd', 1n)),
    },
    {
      title: 'a balance past int64',
      code: status.OUT_OF_RANGE,
      reason: 'BALANCE_OVERFLOW',
      provoke: (bank) => call(bank, 'deposit', deposit('d-2', 'ann', near)),
    },
  ]
  for (const { title, code, reason, provoke } of refusals) {
    it(`refuses ${title} with ${status[code]} and ${reason}`, async (t) => {
      const served = await serve(t)
      await openAccounts(served)
      const failure = await failureOf(provoke(served.clients.bank))
      assert.deepEqual([failure.code, failure.reason, failure.domain], [code, reason, 'synod'])
      assert.equal(failure.metadata['node_id'], '1')
      assert(Number(failure.metadata['slot']) >= 4, 'tells the slot as of which it was refused')
      assert.notEqual(failure.message, '')
    })
  }

  const invalid: { title: string; fields: string[]; provoke: (bank: Served['clients']['bank']) => Promise<unknown> }[] = [
    {
      title: 'an amount of 0',
      fields: ['amount'],
      provoke: (bank) => call(bank, 'transfer', transfer('t', 'ann', 'bob', 0n)),
    },
    {
      title: 'an amount below 0',
      fields: ['amount'],
      provoke: (bank) => call(bank, 'withdraw', { withdrawalId: 'w', accountId: 'ann', amount: -1n }),
    },
    { title: 'an empty id', fields: ['transfer_id'], provoke: (bank) => call(bank, 'transfer', transfer('', 'ann', 'bob', 1n)) },
    {
      title: 'an id that is too long',
      fields: ['transfer_id'],
      provoke: (bank) => call(bank, 'transfer', transfer('t'.repeat(129), 'ann', 'bob', 1n)),
    },
    {
      title: 'a transfer to its own source',
      fields: ['destination_account_id'],
      provoke: (bank) => call(bank, 'transfer', transfer('t', 'ann', 'ann', 1n)),
    },
  ]
  for (const { title, fields, provoke } of invalid) {
    it(`refuses ${title} with INVALID_ARGUMENT and the field`, async (t) => {
      const { clients, member } = await serve(t)
      const failure = await failureOf(provoke(clients.bank))
      assert.deepEqual([failure.code, failure.reason], [status.INVALID_ARGUMENT, 'INVALID_ARGUMENT'])
      assert.deepEqual(failure.fields, fields)
      assert.equal(member.status().appliedUpTo, 0)
    })
  }
})
