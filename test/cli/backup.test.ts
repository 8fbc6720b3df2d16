import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type Authority, type Client, generateKeyPair, makeAuthority } from '../../src/client/client.js'
import type { BackupSummary } from '../../src/server/backup/inspect.js'
import { Nodes } from './nodes.js'
import { synod } from './synod.js'

const keys = generateKeyPair()
const mint: Authority = makeAuthority('mint', keys)
const AUTHORITY = `mint=${Buffer.from(keys.publicKey).toString('base64')}`

interface Made {
  readonly clusterId: string
  readonly slot: number
  readonly directories: readonly { readonly nodeId: number; readonly directory: string }[]
}

async function oldCluster(t: TestContext): Promise<{ nodes: Nodes; client: Client; root: string }> {
  const root = mkdtempSync(join(tmpdir(), 'synod-backup-'))
  const nodes = await Nodes.make(3)
  t.after(async () => {
    await nodes.close()
    rmSync(root, { recursive: true, force: true })
  })
  for (const id of [1, 2, 3]) nodes.start(id, [1, 2, 3], '--authority', AUTHORITY)
  const client = nodes.connect(1, 2, 3)
  await client.bank.openAccount({ accountId: 'alice', asset: 'EUR' }, { timeoutMs: 60_000 })
  await client.bank.openAccount({ accountId: 'bob', asset: 'EUR' })
  await client.bank.deposit(deposit('d-1', 1_000n))
  return { nodes, client, root }
}

const deposit = (depositId: string, amount: bigint) => ({ depositId, accountId: 'alice', asset: 'EUR', amount, authority: mint })
const transfer = (transferId: string, amount: bigint) => ({
  transferId,
  sourceAccountId: 'alice',
  destinationAccountId: 'bob',
  amount,
})

async function balances({ bank }: Client): Promise<bigint[]> {
  const accounts = await Promise.all(['alice', 'bob'].map((accountId) => bank.getBalance(accountId, { timeoutMs: 60_000 })))
  return accounts.map(({ account }) => account.balance)
}

async function made(args: readonly string[]): Promise<Made> {
  const { code, stdout, stderr } = await synod([...args, '--json'])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Made
}

describe('a backup of a cluster of real processes', { timeout: 200_000 }, () => {
  it('is restored into another cluster: balances, histories, first answers, authorities; at its end, or at a slot', async (t) => {
    const { nodes, client, root } = await oldCluster(t)
    const file = join(root, 'bank.synod')
    // The first one has the node make a checkpoint; what comes now is in the log of the second.
    assert.equal((await nodes.run([1, 2, 3], 'backup', file)).code, 0)
    const first = await client.bank.transfer(transfer('t-1', 300n))
    const refused = await client.bank.transfer(transfer('t-2', 5_000n)).catch((error: unknown) => error)
    const put = await client.kv.put('greeting', 'hello', { requestId: 'r-1' })
    await client.bank.transfer(transfer('t-3', 200n))

    const backup = await nodes.run([1, 2, 3], 'backup', file, '--json')
    assert.equal(backup.code, 0, backup.stderr)
    const summary = JSON.parse(backup.stdout) as BackupSummary
    assert.deepEqual(readdirSync(root), ['bank.synod'])
    await client.bank.transfer(transfer('too late', 1n))
    const inspected = await synod(['backup', '--inspect', file])
    assert.match(inspected.stdout, new RegExp(`--to-slot +${summary.firstSlot} to ${summary.lastSlot}`))
    assert.equal(inspected.code, 0)

    const out = join(root, 'restored')
    const place = await Nodes.make(3)
    t.after(() => place.close())
    const { clusterId, slot } = await made(['restore', file, '--out', out, '--peers', place.peers(1, 2, 3)])
    assert.notEqual(clusterId, summary.clusterId)
    assert.equal(slot, summary.lastSlot)
    for (const id of [1, 2, 3]) place.start(id, [1, 2, 3], '--data', join(out, `node-${id}`))
    const restored = place.connect(1, 2, 3)
    assert.deepEqual(await balances(restored), [500n, 500n])
    const again = await restored.bank.transfer(transfer('t-1', 300n))
    assert.deepEqual(
      [again.movement, again.source, again.destination, again.header.slot],
      [first.movement, first.source, first.destination, first.header.slot],
    )
    const refusedAgain = await restored.bank.transfer(transfer('t-2', 5_000n)).catch((error: unknown) => error)
    assert.equal((refusedAgain as Error).message, (refused as Error).message)
    assert.equal((await restored.kv.put('greeting', 'hello', { requestId: 'r-1' })).revision, put.revision)
    const { account } = await restored.bank.deposit(deposit('d-2', 7n))
    assert.equal(account.balance, 507n)
    assert.equal((await restored.bank.listMovements({ accountId: 'alice' })).movements.length, 4)
    await place.untilLevel(1, 2, 3)

    const toSlot = String(first.header.slot)
    assert.ok(Number(toSlot) > summary.firstSlot)
    const earlier = join(root, 'earlier')
    const alone = await Nodes.make(1)
    t.after(() => alone.close())
    await made(['restore', file, '--out', earlier, '--nodes', alone.peers(1), '--to-slot', toSlot])
    alone.start(1, [1], '--data', join(earlier, 'node-1'))
    assert.deepEqual(await balances(alone.connect(1)), [700n, 300n])

    const outside = [
      'restore',
      file,
      '--out',
      join(root, 'x'),
      '--peers',
      alone.peers(1),
      '--to-slot',
      String(summary.lastSlot + 1),
    ]
    const tooFar = await synod(outside)
    assert.match(
      tooFar.stderr,
      new RegExp(`any slot from ${summary.firstSlot} to ${summary.lastSlot}, not to ${summary.lastSlot + 1}`),
    )
    assert.equal(tooFar.code, 1)
  })

  it('is whole, or is not there', async (t) => {
    const { nodes, root } = await oldCluster(t)
    const file = join(root, 'bank.synod')
    await Promise.all([1, 2, 3].map((id) => nodes.kill(id)))
    const { code, stderr } = await nodes.run([1, 2, 3], 'backup', file, '--timeout', '1000')
    assert.match(stderr, /UNREACHABLE|UNAVAILABLE/)
    assert.equal(code, 3)
    assert.deepEqual(readdirSync(root), [])
  })
})

describe('a cluster that has lost its majority', { timeout: 200_000 }, () => {
  it('begins anew from one survivor, when somebody says so and knows the old name', async (t) => {
    const { nodes, client, root } = await oldCluster(t)
    await client.bank.transfer(transfer('t-1', 300n))
    await nodes.untilLevel(1, 2, 3)
    await Promise.all([1, 2, 3].map((id) => nodes.kill(id)))

    const place = await Nodes.make(1)
    t.after(() => place.close())
    const out = join(root, 'recovered')
    const args = ['recover', '--data', nodes.directory(3), '--out', out, '--peers', place.peers(1), '--force-new-cluster']
    const hesitant = await synod(args, { input: 'yes\n' })
    assert.match(hesitant.stderr, /WARNING: this gives cluster [0-9a-f-]{36} up for good/)
    assert.match(hesitant.stderr, /that is not its id; nothing was made/)
    assert.equal(hesitant.code, 1)
    assert.ok(!existsSync(join(out, 'node-1')))

    const clusterId = /cluster ([0-9a-f-]{36})/.exec(hesitant.stderr)?.[1] ?? ''
    const recovered = await synod(args, { input: `${clusterId}\n` })
    assert.equal(recovered.code, 0, recovered.stderr)
    assert.match(recovered.stderr, /synod start --id 1 --data .*node-1 --peers 1=/)
    place.start(1, [1], '--data', join(out, 'node-1'))
    const survivor = place.connect(1)
    assert.deepEqual(await balances(survivor), [700n, 300n])
    await survivor.bank.transfer(transfer('t-1', 300n))
    assert.deepEqual(await balances(survivor), [700n, 300n])
  })
})
