import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { balances, oldCluster, transfer } from './alice-and-bob.js'
import { Nodes } from './nodes.js'
import { synod } from './synod.js'

describe('a cluster that has lost its majority', { timeout: 200_000 }, () => {
  it('begins anew from what is left, when somebody says so and knows the old name', async (t) => {
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
  })
})
