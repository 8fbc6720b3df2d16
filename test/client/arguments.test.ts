import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { generateKeyPair, makeAuthority, signDeposit } from '../../src/client/authority-signing.js'
import { BankClient } from '../../src/client/bank-client.js'
import type { Call } from '../../src/client/call.js'
import { Caller } from '../../src/client/caller.js'
import { connect, SynodError } from '../../src/client/client.js'
import { KeyValueStore } from '../../src/client/kv-client.js'
import { SimCluster } from '../../src/testing/sim-cluster.js'

/** What a caller without TypeScript may write. */
// oxlint-disable-next-line typescript/no-explicit-any -- wrong on purpose
type Anything = any

const sent: Call[] = []
const caller = new Caller({ submit: (call) => void sent.push(call) }, 10_000)
const kv = new KeyValueStore(caller) as Anything
const bank = new BankClient(caller) as Anything
const MINT = makeAuthority('mint', generateKeyPair())

const TRANSFER = { transferId: 't', sourceAccountId: 'a', destinationAccountId: 'b', amount: 1n }
const DEPOSIT = { depositId: 'd', accountId: 'a', asset: 'EUR', amount: 1n, authority: MINT }
const without = (from: object, name: string): object => Object.fromEntries(Object.entries(from).filter(([key]) => key !== name))

/** By the field that is named. */
const WRONG: readonly [field: string, call: () => unknown][] = [
  ['transfer_id', () => bank.transfer(without(TRANSFER, 'transferId'))],
  ['transfer_id', () => bank.transfer({ ...TRANSFER, transferId: null })],
  ['transfer_id', () => bank.transfer({ ...TRANSFER, transferId: 7 })],
  ['transfer_id', () => bank.transfer({ ...TRANSFER, transferId: '' })],
  ['transfer_id', () => bank.transfer({ ...TRANSFER, transferId: 'é'.repeat(65) })],
  ['transfer_id', () => bank.transfer({ ...TRANSFER, transferId: 'half \ud83d' })],
  ['amount', () => bank.transfer({ ...TRANSFER, amount: 1 })],
  ['amount', () => bank.transfer({ ...TRANSFER, amount: '1' })],
  ['amount', () => bank.transfer({ ...TRANSFER, amount: 0n })],
  ['amount', () => bank.transfer({ ...TRANSFER, amount: 2n ** 63n })],
  ['amount', () => bank.transfer(without(TRANSFER, 'amount'))],
  ['pending', () => bank.transfer({ ...TRANSFER, pending: 'yes' })],
  ['timeoutMs', () => bank.transfer({ ...TRANSFER, pending: true, timeoutMs: 1.5 })],
  ['timeout', () => bank.transfer({ ...TRANSFER, timeout: 5 })],
  ['destination_account_id', () => bank.transfer({ ...TRANSFER, destinationAccountId: 'a' })],
  ['request', () => bank.transfer()],
  ['request', () => bank.transfer([TRANSFER])],
  ['options.timeoutMs', () => bank.transfer(TRANSFER, { timeoutMs: '5' })],
  ['options.requestId', () => bank.transfer(TRANSFER, { requestId: 'r' })],
  ['options', () => bank.transfer(TRANSFER, 5_000)],
  ['options', () => bank.getBalance('a', null)],
  ['account_id', () => bank.getBalance()],
  ['account_id', () => bank.getBalance({ accountId: 'a' })],
  ['transfer_id', () => bank.getTransfer(undefined)],
  ['options.consistancy', () => bank.getBalance('a', { consistancy: 3 })],
  ['consistency', () => bank.getBalance('a', { consistency: 9 })],
  ['account_id', () => bank.openAccount({ asset: 'EUR' })],
  ['overdraft_limit', () => bank.openAccount({ accountId: 'a', asset: 'EUR', overdraftLimit: 5 })],
  ['overdraftlimit', () => bank.openAccount({ accountId: 'a', asset: 'EUR', overdraftlimit: 5n })],
  ['amount', () => bank.deposit({ ...DEPOSIT, amount: 5 })],
  ['deposit_id', () => bank.deposit(without(DEPOSIT, 'depositId'))],
  ['authority', () => bank.deposit({ ...DEPOSIT, authority: 'mint' })],
  ['authority_id', () => bank.deposit(without(DEPOSIT, 'authority'))],
  ['withdrawal_id', () => bank.withdraw({ accountId: 'a', amount: 1n })],
  ['amount', () => bank.postTransfer({ transferId: 't', amount: 1 })],
  ['transfers', () => bank.transferBatch({})],
  ['transfers[1].transfer_id', () => bank.transferBatch({ transfers: [TRANSFER, without(TRANSFER, 'transferId')] })],
  ['linked_groups[0].count', () => bank.transferBatch({ transfers: [TRANSFER], linkedGroups: [{ first: 0, count: 2n }] })],
  ['page_size', () => bank.listMovements({ accountId: 'a', pageSize: -1 })],
  ['page_size', () => bank.listAccounts({ pageSize: 5_000 })],
  ['account_id', () => bank.listAllMovements({}).next()],
  [
    'public_key',
    () => bank.registerAuthority({ authorityId: 'x', publicKey: 'k', signerId: 'mint', signature: new Uint8Array(64) }),
  ],
  ['signer_id', () => bank.revokeAuthority({ authorityId: 'x', signature: new Uint8Array(64) })],
  ['key', () => kv.put(undefined, 'v')],
  ['key', () => kv.put('k'.repeat(5_000), 'v')],
  ['value', () => kv.put('k')],
  ['value', () => kv.put('k', 5)],
  ['value', () => kv.put('k', 'half \udc00')],
  ['value', () => kv.put('k', new Uint8Array(1024 * 1024 + 1))],
  ['options.returnprevious', () => kv.put('k', 'v', { returnprevious: true })],
  ['key', () => kv.get(null)],
  ['target', () => kv.delete({})],
  ['target', () => kv.delete()],
  ['key', () => kv.delete({ key: undefined })],
  ['prefix', () => kv.delete({ prefix: undefined })],
  ['prefix', () => kv.delete({ prefix: '' })],
  ['target', () => kv.delete({ key: 'a', prefix: 'b' })],
  ['target', () => kv.delete({ prefix: 'a', all: true })],
  ['all', () => kv.delete({ all: false })],
  ['request', () => kv.delete(new Map([['key', 'k']]))],
  ['request', () => kv.list(Promise.resolve({ prefix: 'a' }))],
  ['request', () => bank.listAccounts(new Date())],
  ['options', () => kv.put('k', 'v', new Map([['requestId', 'r']]))],
  ['authority', () => bank.deposit({ ...DEPOSIT, authority: { ...MINT, sign: async () => new Uint8Array(64) } })],
  ['authority', () => bank.deposit({ ...DEPOSIT, authority: { ...MINT, sign: () => assert.fail('no key') } })],
  ['limit', () => kv.list({ limit: '5' })],
  ['perfix', () => kv.list({ perfix: 'a' })],
  ['start', () => kv.listAll({ start: 5 }).next()],
  ['comapre', () => kv.txn({ comapre: [] })],
  ['compare[0].target', () => kv.txn({ compare: [{ key: 'a' }] })],
  ['compare[0].version', () => kv.txn({ compare: [{ key: 'a', version: 0 }] })],
  ['else[0].operation', () => kv.txn({ else: [{ put: { key: 'a', value: 'v' }, get: { key: 'a' } }] })],
  ['else[0].operation', () => kv.txn({ else: [{}] })],
  ['else[0].put.key', () => kv.txn({ else: [{ put: { value: 'v' } }] })],
  ['else[0].delete.target', () => kv.txn({ else: [{ delete: {} }] })],
  ['else[0].transfer.amount', () => kv.txn({ else: [{ transfer: { ...TRANSFER, amount: 1 } }] })],
]

function named(field: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SynodError, String(error))
    assert.equal(error.code, 'INVALID_ARGUMENT')
    assert.equal(error.fieldViolations[0]?.field, field, error.message)
    assert.ok(error.message.startsWith(field), error.message)
    return true
  }
}

describe('every method of the SDK', () => {
  for (const [i, [field, call]] of WRONG.entries()) {
    it(`refuses ${field} before anything is sent (${i + 1})`, async () => {
      await assert.rejects(async () => call(), named(field))
      assert.equal(sent.length, 0)
    })
  }

  it('takes what is right', async () => {
    const right = [
      bank.transfer({ ...TRANSFER, pending: undefined, timeoutMs: undefined }, { timeoutMs: undefined }),
      bank.deposit(DEPOSIT),
      kv.put('k', new Uint8Array(1024 * 1024), { returnPrevious: true, requestId: 'r', timeoutMs: 5 }),
      kv.delete({ all: true }),
      kv.delete('k', undefined),
      kv.list(),
      kv.txn({ compare: [{ key: 'a', version: 0n }], else: [{ getBalance: { accountId: 'a' } }] }),
      kv.txn({ else: [{ postTransfer: { transferId: 't', amount: undefined } }] }),
    ]
    assert.equal(sent.splice(0).length, right.length)
  })

  it('of the cluster, too, and those that sign', async (t) => {
    const client = connect({ endpoints: '127.0.0.1:1' })
    t.after(() => client.close())
    const cluster = client.cluster as Anything
    await assert.rejects(cluster.removeMember(), named('node_id'))
    await assert.rejects(cluster.removeMember('2'), named('node_id'))
    await assert.rejects(cluster.promoteMember(0), named('node_id'))
    await assert.rejects(cluster.addMember({ nodeId: 4, peerAddress: 'a:1' }), named('client_address'))
    await assert.rejects(cluster.setQuota(5n), named('quota_bytes'))
    await assert.rejects(cluster.status({ timeout: 5 }), named('options.timeout'))
    assert.throws(() => signDeposit(MINT, without(DEPOSIT, 'depositId') as Anything), named('authority'))
    assert.throws(() => signDeposit(MINT, { accountId: 'a', asset: 'EUR', amount: 1n } as Anything), named('deposit_id'))
    assert.throws(() => makeAuthority(undefined as Anything, generateKeyPair()), named('authority_id'))
    assert.throws(() => connect({ endpoint: '127.0.0.1:1' } as Anything), named('endpoint'))
    assert.throws(() => connect(undefined as Anything), named('options'))
    // It would throw at the first connection, where nobody catches it.
    assert.throws(() => connect({ endpoints: '127.0.0.1:1', credentials: {} } as Anything), named('credentials'))
    assert.throws(() => connect({ endpoints: 'dns:localhost:7101' }), named('endpoints'))
    assert.throws(() => signDeposit(undefined as Anything, without(DEPOSIT, 'authority') as Anything), named('authority'))
    const swapped = { publicKey: generateKeyPair().publicKey, privateKey: generateKeyPair().privateKey }
    assert.throws(() => makeAuthority('mint', swapped), named('publicKey'))
  })

  it('is as strict in synod/testing', async () => {
    const cluster = await SimCluster.start({ nodes: 1 })
    const client = cluster.client() as Anything
    await assert.rejects(client.kv.delete({}), named('target'))
    await assert.rejects(client.bank.transfer({ ...TRANSFER, amount: 1 }), named('amount'))
    await assert.rejects(client.bank.getBalance(), named('account_id'))
    await client.kv.delete({ all: true })
  })
})
