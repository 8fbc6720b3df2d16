import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { connect, SynodError } from '../../src/client/client.js'
import { resolveFailedSlot } from '../../src/server/backup/failed-slot.js'
import { diagnose } from '../../src/storage/doctor/diagnose.js'
import { Nodes } from './nodes.js'
import { synod } from './synod.js'

const BOMB = new URL('bomb.js', import.meta.url).href

/** Every node that the test starts has a state machine that throws. */
function withBombs(t: TestContext): void {
  const before = process.env['NODE_OPTIONS']
  process.env['NODE_OPTIONS'] = `${before ?? ''} --import=${BOMB}`
  t.after(() => {
    process.env['NODE_OPTIONS'] = before
  })
}

describe('a command that no node can carry out', { timeout: 400_000 }, () => {
  it('ends every node with exit code 4, at each start, until a majority of directories has its slot skipped', async (t) => {
    const nodes = await Nodes.make(3)
    t.after(() => nodes.close())
    withBombs(t)
    const all = [1, 2, 3]
    const start = (id: number) => nodes.start(id, all)
    const directories = (...ids: number[]) => ids.flatMap((id) => ['--data', nodes.directory(id)])
    const running = all.map(start)
    const client = nodes.connect(...all)
    await client.kv.put('before', '1', { timeoutMs: 60_000 })
    const session = connect({ endpoints: nodes.endpoints(...all).split(',') })
    t.after(() => session.close())
    // It is sent until its deadline, to nodes that have ended by then.
    const refused = assert.rejects(session.kv.put('bomb', '1', { timeoutMs: 8_000 }), (error) => {
      assert.ok(error instanceof SynodError)
      assert.equal(error.code, 'OUTCOME_UNKNOWN')
      return true
    })
    const ended = await Promise.all(running.map(({ ended: end }) => end))
    for (const { code, stderr } of ended) {
      assert.equal(code, 4, stderr)
      assert.match(stderr, /slot \d+ cannot be carried out: command \d+ of \d+ \(request \d+ of session \d+, \d+ bytes\): a bomb/)
      assert.match(
        stderr,
        /"message":"slot \d+ .* Commands: .*`synod recover --retry-slot \d+`.*`synod recover --skip-slot \d+`"/,
      )
    }
    await refused
    const slot = /slot (\d+) cannot be carried out/.exec(ended[0]?.stderr ?? '')?.[1] ?? ''

    const { findings } = await diagnose(nodes.directory(1))
    assert.match(findings.map(({ code, what }) => `${code}: ${what}`).join(), new RegExp(`APPLY_FAILED: slot ${slot} cannot be`))
    const refuses = (ids: number[], skipped: number, why: RegExp) =>
      assert.rejects(
        resolveFailedSlot(
          ids.map((id) => nodes.directory(id)),
          { slot: skipped, how: 'skip', alsoOn: [] },
          async () => {},
        ),
        why,
      )
    await refuses([1], Number(slot), /a slot is skipped by a majority of the voters \(1, 2, 3\), and these are only 1/)
    await refuses([1, 2], Number(slot) - 1, new RegExp(`node 1 has failed at slot ${slot}, not at slot`))

    const skip = ['recover', '--skip-slot', slot]
    const skipped = await synod([...skip, ...directories(1, 2), '--yes-i-know-what-may-be-lost'])
    assert.equal(skipped.code, 0, skipped.stderr)
    assert.match(skipped.stderr, /WARNING: nothing of slot \d+ .* will ever be carried out/)
    for (const id of [1, 2]) start(id)
    const survivors = nodes.connect(1, 2)
    await survivors.kv.put('after', '2', { timeoutMs: 60_000 })
    assert.deepEqual(
      (await survivors.kv.list({})).pairs.map(({ key }) => key),
      ['after', 'before'],
    )

    const third = await start(3).ended
    assert.equal(third.code, 4, 'the third one holds the slot as it was')
    assert.match(third.stderr, new RegExp(`slot ${slot} cannot be carried out.*synod recover --skip-slot ${slot}`))
    await resolveFailedSlot([nodes.directory(3)], { slot: Number(slot), how: 'skip', alsoOn: [1, 2] }, async () => {})
    start(3)
    await nodes.untilLevel(1, 2, 3)
    await nodes.kill(1)
    const [pair] = (await nodes.connect(2, 3).kv.list({ prefix: 'bo' }, { timeoutMs: 60_000 })).pairs
    assert.equal(pair, undefined, 'nothing is left of what was half done')
  })
})
