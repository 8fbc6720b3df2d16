import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '../../src/client/client.js'
import { nodesFor, promote } from './nodes.js'

/** Resolves once the node raises that alarm, with a message that matches: it tells of each peer as it hears from it. */
async function untilAlarm(client: Client, code: string, pattern: RegExp): Promise<void> {
  for (;;) {
    const [node] = await client.cluster.status({ timeoutMs: 2_000 })
    const alarm = node?.status?.alarms.find((one) => one.code === code)
    if (alarm !== undefined && pattern.test(alarm.message)) return
    await delay(100)
  }
}

it('a node that was away while members came and went comes in; all of them move, and find each other', {
  timeout: 400_000,
}, async (t) => {
  const nodes = await nodesFor(t, 4)
  for (const id of [1, 2, 3]) nodes.start(id, [1, 2, 3])
  const client = nodes.connect(1, 2)
  await client.kv.put('k', '1', { timeoutMs: 60_000 })
  await nodes.kill(3)
  await client.cluster.addMember(nodes.member(4))
  nodes.start(4, [1, 2, 4], '--join')
  await promote(client, 4)
  await client.cluster.removeMember(1)
  await nodes.kill(2)
  // It knows 1 and 2, of whom none is left.
  nodes.start(3, [1, 2, 3])
  await nodes.connect(3, 4).kv.put('k', '2', { timeoutMs: 60_000 })

  await Promise.all([nodes.kill(3), nodes.kill(4)])
  for (const id of [2, 3, 4]) await nodes.move(id)
  nodes.start(2, [2, 3, 4])
  await untilAlarm(nodes.connect(2), 'WAITING', /node 3 at 127\.0\.0\.1:\d+ .*\(nothing listens there\)/)
  for (const id of [3, 4]) nodes.start(id, [2, 3, 4])
  await nodes.connect(2, 3, 4).kv.put('k', '3', { timeoutMs: 60_000 })

  const before = await nodes.run([2], 'member', 'list')
  assert.match(before.stdout, new RegExp(`${nodes.member(3).clientAddress} \\(127\\.0\\.0\\.1:\\d+ by the log\\)`))
  const updated = await nodes.run([4], 'member', 'update', nodes.spec(3))
  assert.equal(updated.code, 0, updated.stderr)
  const { membership } = await nodes.connect(2).cluster.listMembers()
  const third = membership.members.find(({ nodeId }) => nodeId === 3)
  assert.deepEqual([third?.peerAddress, third?.announcedPeerAddress], [nodes.member(3).peerAddress, ''])

  const burnt = await nodes.run([2], 'member', 'add', '65535=127.0.0.1:9/127.0.0.1:10')
  assert.match(burnt.stderr, /NODE_ID_TOO_HIGH|at most 104/)
  const taken = await nodes.run([2], 'member', 'add', `5=${nodes.member(3).clientAddress}/127.0.0.1:10`)
  assert.match(taken.stderr, /ADDRESS_USED|node 3/)
})

it('members that were given other authorities form no cluster, and say so, until that is mended', {
  timeout: 400_000,
}, async (t) => {
  const nodes = await nodesFor(t, 3)
  const authority = `mint=${Buffer.alloc(32, 7).toString('base64')}`
  nodes.start(1, [1, 2, 3])
  for (const id of [2, 3]) nodes.start(id, [1, 2, 3], '--authority', authority)
  await untilAlarm(nodes.connect(1), 'CONFIG_MISMATCH', /node 2 was started with other authorities.*none here; node 3/)
  for (const id of [2, 3]) await untilAlarm(nodes.connect(id), 'CONFIG_MISMATCH', /node 1 .*none there, 1 here/)
  await nodes.kill(1)
  nodes.start(1, [1, 2, 3], '--authority', authority)
  await nodes.connect(1, 2, 3).kv.put('k', '1', { timeoutMs: 30_000 })
})
