import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Asked, ClientInvocation } from '../../../src/sim/history/client-history.js'
import { FakeNodes } from './fake-port.js'

const put = (requestId = ''): Asked => ({
  kind: 'command',
  request: { operation: { kind: 'put', key: 'k', value: 'v' }, requestId },
})
const withdraw: Asked = {
  kind: 'command',
  request: { operation: { kind: 'withdraw', id: 'w1', account: 'a1', amount: 1 }, requestId: '' },
}
const read: Asked = { kind: 'read', query: { kind: 'get', key: 'k' } }
/** Longer than the first timeout of the quiet habits plus the SDK's delay between two rounds. */
const TIMEOUT_MS = 1_300

function ask(nodes: FakeNodes, asked: Asked, timeoutMs = 60_000): { invocation: ClientInvocation; isDone: () => boolean } {
  let isDone = false
  const invocation = nodes.caller.ask(asked, timeoutMs, () => {
    isDone = true
  })
  return { invocation, isDone: () => isDone }
}

test('a call without an id is given up when its outcome is unknown, and never sent twice', async () => {
  for (const fail of ['OUTCOME_UNKNOWN', 'SESSION_EXPIRED', undefined] as const) {
    const nodes = new FakeNodes({ duplicateRate: 1 })
    const { invocation, isDone } = ask(nodes, put())
    const sent = await nodes.hearOne()
    assert.equal(sent.kind, 'invoke')
    if (fail !== undefined) sent.fail(fail)
    assert.deepEqual(await nodes.hear(5 * TIMEOUT_MS), [])
    assert.equal(invocation.isAbandoned, true)
    assert.equal(isDone(), true)
    sent.answer(4)
    await nodes.run(20)
    assert.equal(invocation.answer, undefined, 'nobody listens any more')
    assert.equal(nodes.history.outstandingCount, 0)
  }
})

for (const code of ['NO_QUORUM', 'OVERLOADED', 'NOT_JOINED', 'STOPPED'] as const) {
  test(`after ${code} a call without an id is sent again: it was certainly not proposed`, async () => {
    const nodes = new FakeNodes()
    const { isDone } = ask(nodes, put())
    const first = await nodes.hearOne()
    first.fail(code)
    const second = await nodes.hearOne(300)
    assert.notEqual(second.node, first.node, 'it fails over')
    second.answer(3)
    await nodes.run(20)
    assert.equal(isDone(), true)
  })
}

test('a call that an id makes safe is sent as the same bytes to one node after another, until it is answered', async () => {
  for (const asked of [put('r1'), withdraw]) {
    const nodes = new FakeNodes()
    const { invocation, isDone } = ask(nodes, asked)
    const sent = [await nodes.hearOne(), ...(await nodes.hear(8 * TIMEOUT_MS))]
    assert.ok(sent.length >= 4)
    assert.ok(new Set(sent.map(({ node }) => node)).size > 1, 'it fails over')
    for (const { bytes } of sent) assert.deepEqual(bytes, invocation.bytes)
    assert.ok(nodes.troubles.includes('clientTimeout'))
    // The answer to the first try is accepted, too.
    sent[0]?.answer(5)
    await nodes.run(20)
    assert.equal(isDone(), true)
    assert.equal(invocation.answer?.slot, 5)
    nodes.heard.splice(0)
    assert.equal(nodes.history.acknowledgedCount, 1)
  }
})

test('a read is repeated until it is answered, or until its time is up', async () => {
  const nodes = new FakeNodes()
  const { isDone } = ask(nodes, read)
  const first = await nodes.hearOne()
  first.fail('NO_QUORUM')
  const again = await nodes.hearOne(300)
  assert.equal(again.kind, 'read')
  again.answer(9)
  await nodes.run(20)
  assert.equal(isDone(), true)
  const { invocation, isDone: isOver } = ask(nodes, read, 2_000)
  await nodes.run(6_000)
  assert.deepEqual([isOver(), invocation.isAbandoned], [true, true])
})

test('a client that dies hears nothing any more', async () => {
  const nodes = new FakeNodes()
  const { invocation } = ask(nodes, put('r1'))
  const heard = await nodes.hearOne()
  nodes.caller.die()
  heard.answer(5)
  assert.deepEqual(await nodes.hear(5 * TIMEOUT_MS), [])
  assert.deepEqual([invocation.answer, invocation.isAbandoned], [undefined, true])
  nodes.caller.revive()
  const { isDone } = ask(nodes, read)
  ;(await nodes.hearOne()).answer(9)
  await nodes.run(20)
  assert.equal(isDone(), true)
})

test('two answers to one request must be the same', async () => {
  const nodes = new FakeNodes({ duplicateRate: 1 })
  ask(nodes, put('r1'))
  const [first, second] = await nodes.hear()
  assert.ok(nodes.troubles.includes('duplicateRequest'))
  first?.answer(5)
  await nodes.run(20)
  second?.answer(5, 'another')
  await assert.rejects(nodes.run(20), /was answered .*"revision":1.*, and when retried .*"revision":2/)
})
