import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { BackupSummary } from '../../src/server/backup/inspect.js'
import { balances, deposit, type OldCluster, startOldCluster, transfer } from './alice-and-bob.js'
import { Nodes } from './nodes.js'
import { synod } from './synod.js'

interface Made {
  readonly clusterId: string
  readonly slot: number
  readonly directories: readonly { readonly nodeId: number; readonly directory: string }[]
}

async function made(args: readonly string[]): Promise<Made> {
  const { code, stdout, stderr } = await synod([...args, '--json'])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Made
}

describe('a backup of a cluster of real processes', { timeout: 400_000 }, () => {
  let old: OldCluster

  before(async () => {
    old = await startOldCluster()
  })

  after(() => old.close())

  it('is restored into another cluster: balances, histories, first answers, authorities', async (t) => {
    const { nodes, client, root } = old
    const file = join(root, 'bank.synod')
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
  })

  it('is restored as of any slot in its window, and not outside', async (t) => {
    const { nodes, client, root } = old
    const file = join(root, 'window.synod')
    const [alice = 0n, bob = 0n] = await balances(client)
    // The first backup has the node make a checkpoint; what comes after that is in the log of the next one.
    let toSlot: number
    let summary: BackupSummary
    let count = 0n
    do {
      count++
      toSlot = (await client.bank.transfer(transfer(`kept-${count}`, 1n))).header.slot
      const last = await client.bank.transfer(transfer(`not kept-${count}`, 100n))
      summary = JSON.parse((await nodes.run([1, 2, 3], 'backup', file, '--json')).stdout) as BackupSummary
      assert.ok(summary.lastSlot >= last.header.slot, 'what was acknowledged is in it')
      await client.bank.transfer({ ...transfer(`back-${count}`, 100n), sourceAccountId: 'bob', destinationAccountId: 'alice' })
    } while (summary.firstSlot > toSlot)

    const place = await Nodes.make(1)
    t.after(() => place.close())
    const out = join(root, 'window')
    await made(['restore', file, '--out', out, '--nodes', place.peers(1), '--to-slot', String(toSlot)])
    place.start(1, [1], '--data', join(out, 'node-1'))
    assert.deepEqual(await balances(place.connect(1)), [alice - count, bob + count])

    const { firstSlot, lastSlot } = summary
    for (const outside of [firstSlot - 1, lastSlot + 1]) {
      const elsewhere = ['--out', join(root, 'elsewhere'), '--peers', place.peers(1)]
      const { code, stderr } = await synod(['restore', file, ...elsewhere, '--to-slot', String(outside)])
      assert.match(stderr, new RegExp(`any slot from ${firstSlot} to ${lastSlot}, not to ${outside}`))
      assert.equal(code, 1)
    }
  })

  it('is whole, or is not there', async () => {
    const { nodes, root } = old
    const files = readdirSync(root)
    await Promise.all([1, 2, 3].map((id) => nodes.kill(id)))
    const { code, stderr } = await nodes.run([1, 2, 3], 'backup', join(root, 'never.synod'), '--timeout', '1000')
    assert.match(stderr, /UNREACHABLE|UNAVAILABLE/)
    assert.equal(code, 3)
    assert.deepEqual(readdirSync(root), files)
  })
})
