import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Client, SynodError } from '../../src/client/client.js'
import { capacityOf } from '../../src/host/start/capacity.js'
import { Nodes } from './nodes.js'

const IDS = [1, 2, 3]
const VALUE = new Uint8Array(50_000)
/** Of `--max-old-space-size=80`: that and what V8 keeps for the young. */
const SMALL_LIMIT_BYTES = 128 << 20

/** Puts values until one is refused; gives how many were not. */
async function fill(client: Client, prefix: string): Promise<number> {
  for (let i = 0; ; i++) {
    try {
      await client.kv.put(`${prefix}${i}`, VALUE)
    } catch (error) {
      assert.equal((error as SynodError).reason, 'QUOTA_EXCEEDED')
      return i
    }
  }
}

describe('the quota of a cluster of real processes', { timeout: 400_000 }, () => {
  it('begins as the smallest heap allows, refuses what grows, lets deletions and itself through, and is there after a restart', async (t) => {
    const nodes = await Nodes.make(3)
    t.after(() => nodes.close())
    nodes.start(1, IDS)
    nodes.start(2, IDS, { nodeArguments: ['--max-old-space-size=80'] })
    nodes.start(3, IDS)
    const client = nodes.connect(...IDS)
    assert.equal((await client.cluster.getQuota()).quotaBytes, capacityOf(SMALL_LIMIT_BYTES))

    const set = await nodes.run(IDS, 'cluster', 'quota', '1000000', '--json')
    assert.equal((JSON.parse(set.stdout) as { quotaBytes: number }).quotaBytes, 1_000_000, set.stderr)
    const count = await fill(client, 'key-')
    assert.ok(count >= 15 && count <= 20, `${count} values of 50,000 bytes`)
    await client.kv.put('key-0', VALUE) // no larger than the one that it replaces
    await client.kv.delete({ key: 'key-1' })
    assert.equal(await fill(client, 'more-'), 1)
    const refused = await nodes.run(IDS, 'bank', 'open', 'a'.repeat(100), '--asset', 'EUR')
    if (refused.code !== 0) assert.match(refused.stderr, /QUOTA_EXCEEDED/)

    await Promise.all(IDS.map((id) => nodes.kill(id)))
    for (const id of IDS) nodes.start(id, IDS)
    await nodes.untilLevel(...IDS)
    const again = nodes.connect(...IDS)
    const { quotaBytes, stateBytes } = await again.cluster.getQuota()
    assert.equal(quotaBytes, 1_000_000)
    assert.ok(stateBytes > 900_000 && stateBytes < 1_100_000, `${stateBytes}`)
    assert.equal(await fill(again, 'again-'), 0)
    for (;;) {
      const status = await nodes.run(IDS, 'status')
      if ((status.stdout.match(/QUOTA at node.*`synod cluster quota BYTES`/g) ?? []).length === 3) break
    }
    await again.cluster.setQuota(2_000_000)
    assert.ok((await fill(again, 'again-')) > 10)
  })
})
