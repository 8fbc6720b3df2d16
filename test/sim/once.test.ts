import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, MemberError } from '../../src/host/api.js'
import { DEFAULT_OPTIONS } from '../../src/paxos/core-options.js'
import type { SessionName } from '../../src/replication/session-table.js'
import { encodeRequest } from '../../src/sim/clients/encode-request.js'
import type { SimulatedOperation, SimulatedRequest } from '../../src/sim/clients/simulated-operations.js'
import type { SimulatedNode } from '../../src/sim/cluster/simulated-node.js'
import { STATE_LIMITS } from '../../src/sim/cluster/state-limits.js'
import { QUIET_PLAN } from '../../src/sim/plan/plan.js'
import type { World } from '../../src/sim/runs/world.js'
import { finish, formedWorld, until } from './scenario.js'

const HOURS_2_MS = 7_200_000
const put = (key: string, requestId = ''): SimulatedRequest => ({ operation: { kind: 'put', key, value: 'v1' }, requestId })

/** Returns an object that receives the outcome. */
function ask<T>(begin: (settle: (outcome: T | MemberError) => void) => void): { outcome: T | MemberError | undefined } {
  const asked: { outcome: T | MemberError | undefined } = { outcome: undefined }
  begin((outcome) => {
    asked.outcome = outcome
  })
  return asked
}

function codeOf(outcome: unknown): string {
  return outcome instanceof MemberError ? outcome.code : 'an answer'
}

async function openSession(world: World, node: SimulatedNode): Promise<SessionName> {
  const asked = ask<SessionName>((settle) => node.openSession(5_000, settle))
  await until(world, 'a session is open', () => asked.outcome !== undefined)
  assert.ok(asked.outcome !== undefined && !(asked.outcome instanceof MemberError))
  return asked.outcome
}

async function decide(world: World, count: number): Promise<void> {
  const [, client] = world.clients
  for (let i = 0; i < count; i++) {
    const operation: SimulatedOperation = { kind: 'put', key: 'k2', value: `v${i}` }
    const request = client?.request(operation)
    await until(world, 'it is answered', () => request?.answer !== undefined)
  }
}

test('a gateway that was cut off while a session expired reports that the outcome of its command is unknown: it was carried out', async () => {
  const { world, leader, followers } = await formedWorld({
    checkpointEverySlots: 5,
    logSlotsMax: 2,
    options: { ...DEFAULT_OPTIONS, recentSlotsMax: 2 },
  })
  const [gateway, other] = followers as [SimulatedNode, SimulatedNode]
  const session = await openSession(world, gateway)
  for (const client of world.clients) client.useOnly([leader, other])
  // First no message reaches the gateway any more, and then none from it reaches the others.
  for (const { id } of [leader, other]) world.network.cut(id, gateway.id)
  const request = { ...session, requestNumber: 1, firstUnacknowledged: 1, command: encodeRequest(put('once')) }
  const before = world.checker.decidedUpTo
  const asked = ask<Answer>((settle) => gateway.submit(request, 60_000, settle))
  await until(world, 'it is decided', () => world.checker.decidedUpTo > before)
  for (const { id } of [leader, other]) world.network.cut(gateway.id, id)
  for (const node of world.nodes) node.wallOffsetMs += HOURS_2_MS
  // Log time follows the clocks once they have been heard.
  await world.run(3_000)
  await decide(world, 20)
  assert.equal(asked.outcome, undefined)
  world.network.mendAll()
  await until(world, 'it is told', () => asked.outcome !== undefined, 30_000)
  assert.ok(world.totals.of('fetchedCheckpoint') > 0, 'the gateway has not seen the slot')
  assert.equal(codeOf(asked.outcome), 'OUTCOME_UNKNOWN')
  const pair = world.clients[1]?.read({ kind: 'get', key: 'once' })
  await until(world, 'it is read', () => pair?.answer !== undefined)
  assert.match(JSON.stringify(pair?.answer), /"version":1/)
})

test('no client can use the session of another, with any client id and however often the opening was repeated', async () => {
  const { world, leader } = await formedWorld()
  const session = await openSession(world, leader)
  const other = await openSession(world, leader)
  for (const token of [other.token, new Uint8Array(16), new Uint8Array(0)]) {
    const request = {
      clientId: session.clientId,
      token,
      requestNumber: 1,
      firstUnacknowledged: 1,
      command: encodeRequest(put('stolen')),
    }
    const asked = ask<Answer>((settle) => leader.submit(request, 5_000, settle))
    await until(world, 'it is told', () => asked.outcome !== undefined)
    assert.equal(asked.outcome instanceof MemberError && asked.outcome.code, 'SESSION_EXPIRED')
    const closing = ask<boolean>((settle) => leader.closeSession({ ...session, token }, 5_000, settle))
    await until(world, 'it is told', () => closing.outcome !== undefined)
    assert.equal(closing.outcome, false)
  }
  const closing = ask<boolean>((settle) => leader.closeSession(session, 5_000, settle))
  await until(world, 'it is closed', () => closing.outcome !== undefined)
  assert.equal(closing.outcome, true)
})

test('a bare call whose answer was dropped is refused when it is retried late, by every node and after a restart of all', async () => {
  const { world, followers } = await formedWorld({ limits: { ...STATE_LIMITS, firstAnswersMax: 2 }, checkpointEverySlots: 5 })
  const command = encodeRequest(put('late', 'late-1'))
  const invoke = async (node: SimulatedNode, bytes: Uint8Array): Promise<string> => {
    const asked = ask<Answer>((settle) => node.invoke(bytes, 5_000, settle))
    await until(world, 'it is told', () => asked.outcome !== undefined)
    const { outcome } = asked
    return outcome instanceof MemberError ? outcome.code : Buffer.from(outcome?.result ?? []).toString('latin1')
  }
  const [first, second] = followers as [SimulatedNode, SimulatedNode]
  const answer = await invoke(first, command)
  assert.equal(await invoke(second, command), answer, 'at once it gets the first answer')
  for (let i = 0; i < 12; i++) await invoke(first, encodeRequest(put('k1', `r${i}`)))
  for (const node of world.nodes) assert.match(await invoke(node, command), /EXPIRED_ID/)
  for (const node of world.nodes) node.crash()
  for (const node of world.nodes) node.start()
  await until(world, 'one leads', () => world.leader !== undefined)
  await until(world, 'all are back', () => world.nodes.every(({ member }) => member !== undefined))
  for (const node of world.nodes) assert.match(await invoke(node, command), /EXPIRED_ID/)
  const [client] = world.clients
  const pair = client?.read({ kind: 'get', key: 'late' })
  await until(world, 'it is read', () => pair?.answer !== undefined)
  assert.match(JSON.stringify(pair?.answer), /"version":1/)
})

test('one frame of proposals that is lost among thousands of unary calls costs none of them: all are answered, and once', async () => {
  const { world, followers, leader } = await formedWorld()
  const [gateway] = followers as [SimulatedNode]
  const outcomes: string[] = []
  let asked = 0
  const invoke = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const command = encodeRequest({ operation: { kind: 'put', key: `k${++asked % 5}`, value: 'v' }, requestId: '' })
      gateway.invoke(command, 10_000, (outcome) => void outcomes.push(codeOf(outcome)))
    }
  }
  // The node's own session is open before.
  invoke(1)
  await until(world, 'it is answered', () => outcomes.length === 1)
  world.network.cut(gateway.id, leader.id)
  invoke(100)
  await world.run(5)
  world.network.mendAll()
  // More than the session keeps answers for, all before the lost ones are proposed again.
  for (let turn = 0; turn < 90; turn++) {
    invoke(100)
    await world.run(8)
  }
  assert.ok(outcomes.length <= asked - 100, 'those of the lost frame wait')
  await until(world, 'all are answered', () => outcomes.length === asked, 9_000)
  assert.deepEqual([...new Set(outcomes)], ['an answer'])
  assert.equal(world.leader, leader)
  const pair = world.clients[1]?.read({ kind: 'get', key: 'k0' })
  await until(world, 'it is read', () => pair?.answer !== undefined)
  assert.match(JSON.stringify(pair?.answer), new RegExp(`"version":${Math.floor(asked / 5)}\\b`))
})

test('a gateway is told when the leader has no room for its proposals, and asks again soon', async () => {
  const options = { ...DEFAULT_OPTIONS, queueBytesMax: 2 << 20, windowBytesMax: 1 << 20 }
  const { world, followers } = await formedWorld({ options })
  const [gateway] = followers as [SimulatedNode]
  const outcomes: string[] = []
  const invoke = (value: string): void => {
    const command = encodeRequest({ operation: { kind: 'put', key: 'k1', value }, requestId: '' })
    gateway.invoke(command, 10_000, (outcome) => void outcomes.push(codeOf(outcome)))
  }
  invoke('v1')
  await until(world, 'its session is open', () => outcomes.length === 1)
  // Eight pages at once; the leader has room for two.
  for (let i = 0; i < 80; i++) invoke('v'.repeat(110_000))
  await until(world, 'all are answered before a proposal counts as lost', () => outcomes.length === 81, 900)
  assert.deepEqual([...new Set(outcomes)], ['an answer'])
})

test('sessions with hardly any room carry everything out exactly once, too', async () => {
  const limits = { sessionCountMax: 6, answersPerSessionMax: 1, firstAnswersMax: 2 }
  const habits = { ...QUIET_PLAN.habits, clientCount: 4, outstandingMax: 3, closeRate: 0.1, misuseRate: 0.2, duplicateRate: 0.2 }
  const { world } = await formedWorld({ limits, habits }, { isBusy: true })
  await until(world, 'much is answered', () => world.history.acknowledgedCount > 100, 60_000)
  for (const trouble of ['sessionFull', 'sessionClosed', 'misuse'] as const) assert.ok(world.totals.of(trouble) > 0, trouble)
  await finish(world, 20_000)
})
