import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeBallot } from '../../src/paxos/ballot.js'
import { DEFAULT_OPTIONS } from '../../src/paxos/core-options.js'
import { genesisRecord } from '../../src/paxos/memberships.js'
import { Node } from '../../src/paxos/node.js'
import { NOOP } from '../../src/paxos/types.js'
import { QUIET_PLAN } from '../../src/sim/plan/plan.js'
import { World } from '../../src/sim/runs/world.js'

test('a node whose first question about decided slots is lost asks the node that knows them again', async () => {
  const world = new World({ seed: 7, plan: { ...QUIET_PLAN, nodeCount: 5 } })
  world.start()
  assert.ok(await world.runUntil(() => world.leader !== undefined, 3_000))
  const leader = world.leader?.id ?? 0
  const others = world.nodes.filter((node) => node.id !== leader)
  const [laggard, ...rest] = others.toReversed()
  assert.ok(laggard !== undefined)
  // The laggard misses decided slots, and then hears of them from a leader that does not hear its question.
  for (const node of others) if (node !== laggard) world.network.cut(node.id, laggard.id)
  world.network.cut(leader, laggard.id)
  world.network.cut(laggard.id, leader)
  await world.run(250)
  const missed = world.checker.decidedUpTo
  world.network.mend(leader, laggard.id)
  await world.run(150)
  assert.ok(laggard.appliedUpTo < missed)
  // The other nodes that the second question may go to do not help either.
  for (const node of rest) if (node.id !== rest.at(-1)?.id) world.network.cut(laggard.id, node.id)
  world.network.mend(laggard.id, leader)
  assert.ok(await world.runUntil(() => laggard.appliedUpTo >= missed, 2_000))
})

test('a scout that is preempted between two pages of its own promise steps back without an error', async () => {
  const options = { ...DEFAULT_OPTIONS, pageBytesMax: 1 }
  const members = [1, 2, 3].map((nodeId) => ({ nodeId, peerAddress: `n${nodeId}:1`, clientAddress: `n${nodeId}:2` }))
  const genesis = {
    clusterId: 'c',
    members: members.map((m) => ({ ...m, dataDirId: `d${m.nodeId}` })),
    initialCommands: [],
    windowSlots: options.windowSlots,
    quotaBytes: 0,
    level: 1,
    levelVersion: '',
  }
  const ballot = makeBallot(1, 2)
  const accepted = [1, 2, 3].map((slot) => ({ slot, ballot, value: NOOP }))
  const node = new Node({
    self: 1,
    dataDirId: 'd1',
    members,
    newClusterId: 'c',
    initialCommands: [],
    joinIntervalMs: 100,
    joins: false,
    replacesDataDirId: '',
    capacityBytes: 0,
    levelMax: 1,
    version: '',
    initialDigest: '',
    memberships: [genesisRecord(genesis)],
    logTimeMs: 0,
    recovered: { genesis, promised: ballot, decidedUpTo: 0, accepted, compactedUpTo: 0 },
    options,
    random: () => 0,
    nowMs: 0,
  })
  const drain = () => node.ready({ diskIdle: true, wallMs: 0 })
  node.tick(options.electionTimeoutMsMax)
  const poll = drain().messages.find(({ message }) => message.kind === 'poll')?.message
  assert.ok(poll?.kind === 'poll')
  node.receive(2, { kind: 'pollReply', pollId: poll.pollId, granted: true, promised: 0, leaderId: 0, decidedUpTo: 0 })
  assert.equal(node.phase, 'scouting')
  node.onDurable(drain())
  const secondPage = drain()
  assert.ok(secondPage.onceDurable.some(({ to, message }) => to === 1 && message.kind === 'prepare' && message.fromSlot === 2))
  node.receive(3, { kind: 'prepare', ballot: makeBallot(9, 3), fromSlot: 1 })
  node.onDurable(secondPage)
  assert.equal(node.phase, 'following')
  assert.equal(node.promised, makeBallot(9, 3))
})
