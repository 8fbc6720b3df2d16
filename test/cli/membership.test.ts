import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Load, nodesFor, promote } from './nodes.js'
import { start } from './synod.js'

describe('the members of a cluster of real processes', { timeout: 400_000 }, () => {
  it('go from one to three to five to three under load, without a failed operation', async (t) => {
    const nodes = await nodesFor(t, 5)
    nodes.start(1, [1])
    const client = nodes.connect(1, 2, 3, 4, 5)
    await client.kv.put('ready', 'yes')
    const load = new Load(client, 4)
    await load.progress(200)
    for (const id of [2, 3, 4, 5]) {
      await client.cluster.addMember(nodes.member(id))
      nodes.start(id, [1, id], '--join')
      await promote(client, id)
      await load.progress(200)
    }
    assert.deepEqual(
      (await client.cluster.listMembers()).membership.members.map(({ nodeId, voter }) => [nodeId, voter]),
      [1, 2, 3, 4, 5].map((id) => [id, true]),
    )
    const leader = await client.cluster.transferLeadership(5)
    assert.equal(leader.leaderId, 5)
    await load.progress(200)
    // The leader itself, and another one.
    for (const id of [5, 1]) {
      await client.cluster.removeMember(id)
      const { code, stderr } = await nodes.untilEnded(id)
      assert.match(stderr, /removed/i)
      assert.notEqual(code, 0)
      await load.progress(200)
    }
    await load.stop()
    await nodes.untilLevel(2, 3, 4)
    const { membership } = await nodes.connect(2, 3, 4).cluster.listMembers()
    assert.deepEqual(
      membership.members.map(({ nodeId }) => nodeId),
      [2, 3, 4],
    )
  })

  it('are replaced by one command when one is dead, which goes on when it is run again', async (t) => {
    const nodes = await nodesFor(t, 4)
    for (const id of [1, 2, 3]) nodes.start(id, [1, 2, 3])
    const client = nodes.connect(1, 2)
    await client.kv.put('before', 'the crash', { timeoutMs: 60_000 })
    await nodes.kill(3)

    const replace = ['member', 'replace', '3', nodes.spec(4), '--data', nodes.directory(4)]
    const interrupted = await nodes.run([1, 2], ...replace, '--timeout', '3000')
    assert.match(interrupted.stderr, /node 4 has not caught up within 3 s .*the same command goes on/)
    assert.equal(interrupted.code, 3)

    const command = /^ {2}synod (start .*)$/m.exec(interrupted.stderr)?.[1] ?? assert.fail(interrupted.stderr)
    assert.match(command, /--join/)
    const joined = start(command.split(' '))
    t.after(() => joined.process.kill('SIGKILL'))
    const replaced = await nodes.run([1, 2], ...replace)
    assert.equal(replaced.code, 0, replaced.stderr)
    assert.match(replaced.stderr, /removing node 3/)
    assert.match(replaced.stdout, /^ *4 +voter/m)
    assert.doesNotMatch(replaced.stdout, /^ *3 +/m)

    const { pair } = await nodes.connect(4).kv.get('before')
    assert.equal(Buffer.from(pair?.value ?? '').toString(), 'the crash')
    const again = await nodes.run([1, 2], ...replace)
    assert.equal(again.code, 0, again.stderr)
    const list = await nodes.run([1], 'member', 'list', '--json')
    const { membership } = JSON.parse(list.stdout) as { membership: { members: { nodeId: number; voter: boolean }[] } }
    assert.deepEqual(
      membership.members.map(({ nodeId, voter }) => [nodeId, voter]),
      [
        [1, true],
        [2, true],
        [4, true],
      ],
    )
    const reused = await nodes.run([1, 2], 'member', 'add', nodes.spec(3))
    assert.match(reused.stderr, /NODE_ID_USED/)
    assert.equal(reused.code, 1)
  })
})
