import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokenPromise } from '../../../src/sim/checkers/broken-promise.js'
import type { Asked, Invocation } from '../../../src/sim/history/history.js'
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
/** Longer than any timeout and back-off of the quiet habits. */
const TIMEOUT_MS = 1_200

/** Nodes whose caller has the session 7. */
function withSession(): FakeNodes {
  const nodes = new FakeNodes()
  nodes.hearOne().opened(7)
  nodes.run(20)
  assert.equal(nodes.caller.isReady, true)
  assert.equal(nodes.readyCount, 1)
  return nodes
}

function ask(nodes: FakeNodes, asked: Asked): { invocation: Invocation; isDone: () => boolean } {
  let isDone = false
  const invocation = nodes.caller.ask(asked, () => {
    isDone = true
  })
  return { invocation, isDone: () => isDone }
}

test('a session is asked for again elsewhere until there is one; a second id that comes late is left alone', () => {
  const nodes = new FakeNodes()
  const first = nodes.hearOne()
  const second = nodes.hearOne(TIMEOUT_MS)
  second.fail('NO_QUORUM')
  const third = nodes.hearOne(200)
  third.opened(9)
  first.opened(8)
  nodes.run(20)
  ask(nodes, put())
  const { request } = nodes.hearOne()
  assert.ok(request?.clientId === 8 || request?.clientId === 9)
  assert.equal(nodes.history.ownerOf(request.clientId), 'client1')
  assert.equal(nodes.readyCount, 1)
})

test('a request that is not answered in time goes to another node under the same number, until it is answered', () => {
  const nodes = withSession()
  const { invocation, isDone } = ask(nodes, put())
  const sent = [nodes.hearOne(), ...nodes.hear(6 * TIMEOUT_MS)]
  assert.ok(sent.length >= 4)
  for (const { request } of sent)
    assert.deepEqual([request?.clientId, request?.requestNumber, request?.firstUnacknowledged], [7, 1, 1])
  assert.ok(new Set(sent.map(({ node }) => node)).size > 1, 'it fails over')
  assert.ok(nodes.troubles.includes('clientTimeout'))
  // The answer to the first try counts, too.
  sent[0]?.answer(5)
  nodes.run(20)
  assert.equal(isDone(), true)
  assert.deepEqual(invocation.answer, { slot: 5, outcome: { kind: 'put', revision: 1, previous: null } })
  nodes.heard.splice(0)
  assert.deepEqual(nodes.hear(5 * TIMEOUT_MS), [], 'nothing is sent any more')
})

test('what was answered is acknowledged with the next request, what was not is not', () => {
  const nodes = withSession()
  for (let i = 0; i < 3; i++) ask(nodes, put())
  const sent = nodes.hear().toSorted((a, b) => (a.request?.requestNumber ?? 0) - (b.request?.requestNumber ?? 0))
  assert.deepEqual(
    sent.map(({ request }) => request?.requestNumber),
    [1, 2, 3],
  )
  sent[0]?.answer(4)
  sent[2]?.answer(4)
  nodes.run(20)
  ask(nodes, put())
  const { request } = nodes.hearOne()
  assert.deepEqual([request?.requestNumber, request?.firstUnacknowledged], [4, 2])
})

for (const code of ['NO_QUORUM', 'OVERLOADED', 'STOPPED', 'OUTCOME_UNKNOWN'] as const) {
  test(`after ${code} a session's request is sent again under its number`, () => {
    const nodes = withSession()
    const { isDone } = ask(nodes, put())
    nodes.hearOne().fail(code)
    const again = nodes.hearOne(200)
    assert.equal(again.request?.requestNumber, 1)
    again.answer(3)
    nodes.run(20)
    assert.equal(isDone(), true)
  })
}

test('a node that says a request is acknowledged which was never answered has broken its promise', () => {
  const nodes = withSession()
  ask(nodes, put())
  nodes.hearOne().fail('ALREADY_ACKNOWLEDGED')
  assert.throws(() => nodes.run(20), BrokenPromise)
})

test('two answers to one request must be the same', () => {
  const nodes = withSession()
  ask(nodes, put())
  const [first, second] = [nodes.hearOne(), nodes.hearOne(TIMEOUT_MS)]
  first.answer(5)
  nodes.run(20)
  second.answer(6)
  assert.throws(() => nodes.run(20), /was answered .* at slot 5, and when retried .* at slot 6/)
})

test('when a session has expired: what surely did not happen, and what its own id protects, goes into the next one', () => {
  const nodes = withSession()
  const unsure = ask(nodes, put())
  const safe = ask(nodes, withdraw)
  nodes.hear(TIMEOUT_MS)
  // Sent once, and of that one try it is known that it came to nothing.
  const sure = ask(nodes, put())
  const sent = nodes.hear(5).find(({ request }) => request?.requestNumber === 3)
  sent?.fail('SESSION_EXPIRED')
  const opening = nodes.hear(60).find(({ kind }) => kind === 'open')
  assert.equal(nodes.caller.isReady, false)
  for (const [{ invocation, isDone }, isGivenUp] of [
    [unsure, true],
    [safe, false],
    [sure, false],
  ] as const) {
    assert.equal(invocation.isAbandoned, isGivenUp)
    assert.equal(isDone(), isGivenUp, 'the client goes on in the place of what it gave up')
  }
  opening?.opened(8)
  const numbers = nodes.hear().map(({ request }) => `${request?.clientId}:${request?.requestNumber}`)
  assert.deepEqual(numbers.toSorted(), ['8:1', '8:2'])
  assert.equal(nodes.troubles.filter((trouble) => trouble === 'sessionExpired').length, 1)
})

test('a bare call without an id is given up when nobody knows what became of it, and never sent twice', () => {
  for (const fail of ['OUTCOME_UNKNOWN', undefined] as const) {
    const nodes = new FakeNodes({ hasSession: false, habits: { duplicateRate: 1 } })
    const { invocation, isDone } = ask(nodes, put())
    const sent = nodes.hearOne()
    assert.equal(sent.kind, 'invoke')
    if (fail !== undefined) sent.fail(fail)
    assert.deepEqual(nodes.hear(5 * TIMEOUT_MS), [])
    assert.equal(invocation.isAbandoned, true)
    assert.equal(isDone(), true)
    sent.answer(4)
    nodes.run(20)
    assert.equal(invocation.answer, undefined, 'nobody listens any more')
    assert.equal(nodes.history.outstandingCount, 0)
  }
})

test('a bare call without an id is sent again when it surely was not proposed', () => {
  const nodes = new FakeNodes({ hasSession: false })
  const { isDone } = ask(nodes, put())
  nodes.hearOne().fail('NO_QUORUM')
  nodes.hearOne(200).answer(3)
  nodes.run(20)
  assert.equal(isDone(), true)
})

test('a bare call that an id makes safe is the same bytes on whatever node, again and again', () => {
  for (const asked of [put('r1'), withdraw]) {
    const nodes = new FakeNodes({ hasSession: false })
    const { invocation } = ask(nodes, asked)
    const sent = [nodes.hearOne(), ...nodes.hear(6 * TIMEOUT_MS)]
    assert.ok(sent.length >= 4)
    for (const { bytes } of sent) assert.deepEqual(bytes, invocation.bytes)
    assert.equal(invocation.isAbandoned, false)
  }
})

test('a client that dies hears nothing; back again it asks under the same client id for what was not answered', () => {
  const nodes = withSession()
  const answered = ask(nodes, put())
  const heard = nodes.hearOne()
  const reading = ask(nodes, read)
  nodes.hear()
  nodes.caller.die()
  assert.equal(reading.invocation.isAbandoned, true, 'a read dies with whoever wanted to know')
  heard.answer(5)
  assert.deepEqual(nodes.hear(3 * TIMEOUT_MS), [])
  assert.equal(answered.invocation.answer, undefined)
  nodes.caller.revive()
  const again = nodes.hearOne()
  assert.deepEqual([again.request?.clientId, again.request?.requestNumber], [7, 1])
  again.answer(5)
  nodes.run(20)
  assert.equal(answered.isDone(), true)
  ask(nodes, put())
  assert.equal(nodes.hear().at(-1)?.request?.requestNumber, 2, 'its numbers go on')
})

test('a read is asked for until it is answered, and takes no number', () => {
  const nodes = withSession()
  const { isDone } = ask(nodes, read)
  nodes.hearOne().fail('NO_QUORUM')
  const again = nodes.hearOne(200)
  assert.equal(again.kind, 'read')
  again.answer(9)
  nodes.run(20)
  assert.equal(isDone(), true)
  ask(nodes, put())
  assert.equal(nodes.hearOne().request?.requestNumber, 1)
})

test('now and then a request goes to two nodes at once', () => {
  const nodes = withSessionAndDuplicates()
  ask(nodes, put())
  const sent = nodes.hear()
  assert.equal(sent.length, 2)
  assert.equal(sent[0]?.request?.requestNumber, sent[1]?.request?.requestNumber)
  assert.ok(nodes.troubles.includes('duplicateRequest'))
})

function withSessionAndDuplicates(): FakeNodes {
  const nodes = new FakeNodes({ habits: { duplicateRate: 1 } })
  nodes.hearOne().opened(7)
  nodes.run(20)
  return nodes
}
