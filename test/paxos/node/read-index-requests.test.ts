import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadIndexRequests } from '../../../src/paxos/node/read-index-requests.js'
import { Outbox } from '../../../src/paxos/outbox.js'
import { options, outcome } from '../role.js'

const LEADER = 3
const NEXT_LEADER = 2

function reads() {
  const out = new Outbox(1)
  return { out, reads: new ReadIndexRequests({ self: 1, out, options: options({ retryDelayMs: 200 }), firstId: 100 }) }
}

/** The receiver and the id of each request. */
function asked(out: Outbox): [number, number][] {
  return out.take(true).messages.flatMap(({ to, message }) => (message.kind === 'readIndex' ? [[to, message.readId]] : []))
}

test('one request serves all reads that wait, and one is in flight at a time', () => {
  const { out, reads: r } = reads()
  r.add(1, 7)
  r.add(1, 8)
  r.flushTo(LEADER, 0)
  assert.deepEqual(asked(out), [[LEADER, 100]])
  r.add(1, 9)
  r.flushTo(LEADER, 0)
  assert.deepEqual(asked(out), [])
  r.onReply({ kind: 'readIndexReply', readId: 100, slot: 4 })
  assert.deepEqual(out.take(true).readIndexes, [
    { token: 7, slot: 4 },
    { token: 8, slot: 4 },
  ])
  r.flushTo(LEADER, 0)
  assert.deepEqual(asked(out), [[LEADER, 101]])
  r.onReply({ kind: 'readIndexReply', readId: 101, slot: 5 })
  r.flushTo(LEADER, 0)
  assert.deepEqual(asked(out), [])
})

test('a reply to another request than the one in flight is ignored', () => {
  const { out, reads: r } = reads()
  r.onReply({ kind: 'readIndexReply', readId: 100, slot: 9 })
  r.add(1, 7)
  r.flushTo(LEADER, 0)
  for (const readId of [99, 101]) r.onReply({ kind: 'readIndexReply', readId, slot: 9 })
  assert.deepEqual(out.take(true).readIndexes, [])
})

test('a request that is not answered in time, or whose leader is replaced, is sent again with a new id', () => {
  const { out, reads: r } = reads()
  r.add(1, 7)
  r.flushTo(LEADER, 0)
  r.add(1, 8)
  r.tick(199)
  r.flushTo(LEADER, 199)
  assert.deepEqual(asked(out), [[LEADER, 100]])
  r.tick(200)
  r.flushTo(LEADER, 200)
  assert.deepEqual(asked(out), [[LEADER, 101]])
  r.askAgain()
  r.flushTo(NEXT_LEADER, 200)
  assert.deepEqual(asked(out), [[NEXT_LEADER, 102]])
  r.onReply({ kind: 'readIndexReply', readId: 101, slot: 4 })
  r.onReply({ kind: 'readIndexReply', readId: 102, slot: 5 })
  assert.deepEqual(out.take(true).readIndexes, [
    { token: 7, slot: 5 },
    { token: 8, slot: 5 },
  ])
})

test('a request relayed for a node that cannot reach the leader is answered to that node', () => {
  const { out, reads: r } = reads()
  r.add(2, 55)
  r.flushTo(LEADER, 0)
  r.onReply({ kind: 'readIndexReply', readId: 100, slot: 4 })
  const { messages, readIndexes: granted } = out.take(true)
  assert.deepEqual(messages.at(-1), { to: 2, message: { kind: 'readIndexReply', readId: 55, slot: 4 } })
  assert.deepEqual(granted, [])
})

test('a node that becomes leader takes over all of its reads, requested or not', () => {
  const { out, reads: r } = reads()
  r.add(1, 7)
  r.flushTo(LEADER, 0)
  r.add(1, 8)
  assert.deepEqual(r.takeAll(), [
    { from: 1, id: 7 },
    { from: 1, id: 8 },
  ])
  r.onReply({ kind: 'readIndexReply', readId: 100, slot: 4 })
  assert.deepEqual(outcome(out).now, ['n3 readIndex'])
  assert.deepEqual(out.take(true).readIndexes, [])
})
