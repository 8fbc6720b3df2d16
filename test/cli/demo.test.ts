import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { synod } from './synod.js'

describe('the demo', { timeout: 400_000 }, () => {
  it('kills the leader, loses nothing, and says so with figures', async () => {
    const { code, stdout, stderr } = await synod(['demo', '--json'])
    assert.equal(code, 0, stderr)
    const figures = JSON.parse(stdout) as Record<string, unknown>
    assert.ok(Number(figures['acknowledged']) > 100, stdout)
    assert.deepEqual([figures['lost'], figures['sumHolds'], figures['everyNodeAgrees']], [0, true, true])
  })
})
