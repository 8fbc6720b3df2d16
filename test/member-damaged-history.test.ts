import assert from 'node:assert/strict'
import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { BankAndKeys } from '../src/api/bank-and-keys.js'
import { Consistency, Order } from '../src/gen/synod/common/v1/common.js'
import { Command, Query, Result } from '../src/gen/synod/session/v1/session.js'
import { type Member, StorageError } from '../src/member.js'
import { MemberCluster, until } from './member-cluster.js'

type Operation = NonNullable<Command['operation']>

const LISTED: Query = {
  query: {
    $case: 'listMovements',
    value: { accountId: 'alice', pageSize: 10, pageToken: '', order: Order.UNSPECIFIED, consistency: Consistency.UNSPECIFIED },
  },
}
const POST: Operation = { $case: 'postTransfer', value: { transferId: 'the-hold', amount: 0n } }

async function carryOut(member: Member, operation: Operation): Promise<Result['outcome']> {
  const { result } = await member.invoke(Command.encode({ operation }).finish(), { timeoutMs: 20_000 })
  return Result.decode(result).outcome
}

async function list(member: Member): Promise<number> {
  const { outcome } = Result.decode((await member.query(Query.encode(LISTED).finish(), { timeoutMs: 20_000 })).result)
  assert.ok(outcome?.$case === 'listMovements')
  return outcome.value.movements.length
}

const put = (key: string): Operation => ({
  $case: 'put',
  value: { key, value: new Uint8Array(), returnPrevious: false, requestId: '' },
})

/** A cluster with a hold that, as a movement, stands on the disk of `nodeId` only in a table of LevelDB's. */
async function start(cluster: MemberCluster, nodeIds: readonly number[], nodeId: number): Promise<void> {
  const members = cluster.founders.slice(0, nodeIds.length)
  const begin = (id: number): Promise<Member> => cluster.start(id, { members, machine: new BankAndKeys() })
  await Promise.all(nodeIds.map(begin))
  const member = cluster.memberOf(nodeId)
  for (const accountId of ['alice', 'bob']) {
    await carryOut(member, { $case: 'openAccount', value: { accountId, asset: 'EUR', overdraftLimit: 100n, requestId: '' } })
  }
  const hold = { transferId: 'the-hold', sourceAccountId: 'alice', destinationAccountId: 'bob', amount: 7n, pending: true }
  await carryOut(member, { $case: 'transfer', value: { ...hold, timeout: undefined } })
  for (let i = 0; i < 25; i++) await carryOut(member, put(`key-${i}`))
  // LevelDB makes tables of its log as it opens.
  await cluster.stop(nodeId)
  await begin(nodeId)
  await carryOut(cluster.memberOf(nodeId), put('again'))
}

/** Flips a bit of the hold's record where it stands. */
async function damage(directory: string): Promise<void> {
  let found = 0
  for (const name of await readdir(join(directory, 'db'))) {
    if (!name.endsWith('.ldb')) continue
    const path = join(directory, 'db', name)
    const bytes = await readFile(path)
    // In the record an id has its length before it.
    const at = bytes.indexOf('\u0008the-hold')
    if (at === -1) continue
    found++
    const file = await open(path, 'r+')
    await file.write(Uint8Array.of((bytes[at + 2] ?? 0) ^ 1), 0, 1, at + 2)
    await file.close()
  }
  assert.ok(found > 0)
}

function failed(member: Member): Promise<Error> {
  return member.failed
}

test('damaged history fails who asks for it, with an alarm; a command that needs it stops the node once, which then learns from the others', async (t) => {
  const cluster = await MemberCluster.create(t)
  await start(cluster, [1, 2, 3], 3)
  const third = cluster.memberOf(3)
  assert.equal(await list(third), 1)
  const { dataDirId } = third.status()
  await damage(cluster.pathOf(3))

  await assert.rejects(list(third), { code: 'DATA_DAMAGED' })
  assert.deepEqual(
    third.status().alarms.map(({ code }) => code),
    ['DATA_DAMAGED'],
  )
  await carryOut(third, put('and goes on'))
  assert.equal(await list(cluster.memberOf(1)), 1)

  assert.equal((await carryOut(cluster.memberOf(1), POST))?.$case, 'postTransfer')
  const failure = await failed(third)
  assert.ok(failure instanceof StorageError)
  assert.equal(failure.code, 'DAMAGED')
  assert.match(failure.message, /entry "machine\/movement\/the-hold".*moves these files to a folder damaged-<n>/s)

  await cluster.stop(3)
  const again = await cluster.start(3, { machine: new BankAndKeys() })
  assert.notEqual(again.status().dataDirId, dataDirId)
  assert.ok((await readdir(cluster.pathOf(3))).includes('damaged-1'))
  await until('it has learnt', () => again.status().isJoined && !again.status().isLearning)
  assert.equal(await list(again), 1)
  assert.equal((await carryOut(again, POST))?.$case, 'postTransfer')
  assert.deepEqual(again.status().alarms, [])
})

test('a cluster of one stops at damaged history that a command needs, and at each start says what can be done', async (t) => {
  const cluster = await MemberCluster.create(t)
  await start(cluster, [1], 1)
  await damage(cluster.pathOf(1))
  const member = cluster.memberOf(1)
  const posted = carryOut(member, POST)
  await Promise.all([
    assert.rejects(posted, { code: 'OUTCOME_UNKNOWN' }),
    failed(member).then((failure) => assert.ok(failure instanceof StorageError && failure.code === 'DAMAGED')),
  ])
  await cluster.stop(1)
  const options = { members: cluster.founders.slice(0, 1) }
  for (let i = 0; i < 2; i++) {
    await assert.rejects(cluster.start(1, { ...options, machine: new BankAndKeys() }), {
      code: 'DAMAGED',
      message: /a new cluster can be made from what is left here/,
    })
  }
})
