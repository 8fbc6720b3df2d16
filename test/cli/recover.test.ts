import assert from 'node:assert/strict'
import { existsSync, readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { balances, startOldCluster, transfer } from './alice-and-bob.js'
import { Nodes } from './nodes.js'
import { synod } from './synod.js'

describe('a cluster that has lost its majority', { timeout: 400_000 }, () => {
  it('begins anew from what is left, when somebody says so and knows the old name', async (t) => {
    const { nodes, client, root, close } = await startOldCluster()
    t.after(close)
    await client.bank.transfer(transfer('t-1', 300n))
    // So that the end of the log, which is cut off below, is not the transfer.
    await client.kv.put('last', 'word')
    await nodes.untilLevel(1, 2, 3)
    await Promise.all([1, 2, 3].map((id) => nodes.kill(id)))

    const place = await Nodes.make(1)
    t.after(() => place.close())
    const out = join(root, 'recovered')
    const args = ['recover', '--data', nodes.directory(3), '--out', out, '--peers', place.peers(1), '--force-new-cluster']
    const hesitant = await synod(args, { input: 'yes\n' })
    assert.match(hesitant.stderr, /WARNING: this gives cluster [0-9a-f-]{36} up for good/)
    assert.match(hesitant.stderr, /that is not its id; nothing was done/)
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

    // The old nodes, as if they had not been given up: each has lost the end of its log.
    for (const id of [1, 2, 3]) cutLog(nodes.directory(id))
    for (const id of [1, 2, 3]) nodes.start(id, [1, 2, 3])
    const lost = nodes.connect(1, 2, 3)
    for (;;) {
      const statuses = await lost.cluster.status({ timeoutMs: 2_000 })
      if (statuses.every(({ status }) => status?.alarms.some(({ code }) => code === 'NO_MAJORITY_LEFT'))) break
      await delay(100)
    }
    const status = await nodes.run([1, 2, 3], 'status')
    assert.match(
      status.stdout,
      /NO_MAJORITY_LEFT at node 1 .* are lost, or were damaged and set aside\. (None|Of the 3 voters only 1)/,
    )
    await Promise.all([1, 2, 3].map((id) => nodes.kill(id)))
    const again = await Nodes.make(1)
    t.after(() => again.close())
    // One whose last write nobody knew to be durable has lost nothing.
    const aside = (id: number): string => join(nodes.directory(id), 'damaged-1')
    const damaged = [1, 2, 3].map(aside).filter((directory) => existsSync(directory))
    assert.ok(damaged.length >= 2)
    const data = [1, 2, 3].flatMap((id) => ['--data', existsSync(aside(id)) ? aside(id) : nodes.directory(id)])
    const to = ['--out', join(root, 'again'), '--peers', again.peers(1), '--force-new-cluster', '--yes-i-know-what-may-be-lost']
    const made = await synod(['recover', ...data, ...to])
    assert.equal(made.code, 0, made.stderr)
    for (const directory of damaged)
      assert.match(made.stderr, new RegExp(`damaged: *${directory} of node \\d has lost its last `))
    again.start(1, [1], '--data', join(root, 'again', 'node-1'))
    assert.deepEqual(await balances(again.connect(1)), [700n, 300n], 'the end of each log held something else')
  })
})

/** Cuts 50 bytes off LevelDB's newest log. */
function cutLog(directory: string): void {
  const names = readdirSync(join(directory, 'db')).filter((name) => name.endsWith('.log'))
  const path = join(directory, 'db', names.toSorted().at(-1) ?? assert.fail('there is a log'))
  truncateSync(path, statSync(path).size - 50)
}
