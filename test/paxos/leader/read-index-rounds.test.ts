import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadIndexRounds } from '../../../src/paxos/leader/read-index-rounds.js'
import { Outbox } from '../../../src/paxos/outbox.js'
import { membershipsOf, outcome } from '../role.js'

function rounds(memberCount = 3) {
  const out = new Outbox(1)
  return { out, rounds: new ReadIndexRounds(membershipsOf(Array.from({ length: memberCount }, (_, i) => i + 1)), 1, out) }
}

test('a round that started before the read does not count', () => {
  const { out, rounds: r } = rounds()
  const before = r.startRound(3, 0)
  r.add(1, 7)
  r.onAck(2, before)
  r.onAck(3, before)
  assert.deepEqual(out.take(true).readIndexes, [])
  const after = r.startRound(4, 0)
  r.onAck(2, after)
  assert.deepEqual(out.take(true).readIndexes, [{ token: 7, slot: 4 }])
})

test('an acknowledgement counts for every earlier round, each with its own slot', () => {
  const { out, rounds: r } = rounds()
  r.add(1, 7)
  r.startRound(3, 0)
  r.add(1, 8)
  r.onAck(3, r.startRound(5, 0))
  assert.deepEqual(out.take(true).readIndexes, [
    { token: 7, slot: 3 },
    { token: 8, slot: 5 },
  ])
})

test('an acknowledgement of an earlier round does not count for a later one', () => {
  const { out, rounds: r } = rounds()
  r.add(1, 7)
  const first = r.startRound(3, 0)
  r.add(1, 8)
  r.startRound(5, 0)
  r.onAck(2, first)
  assert.deepEqual(out.take(true).readIndexes, [{ token: 7, slot: 3 }])
})

test('a round is confirmed by a majority of members, each counted once', () => {
  const { out, rounds: r } = rounds(5)
  r.add(1, 7)
  const round = r.startRound(3, 0)
  for (let i = 0; i < 3; i++) r.onAck(2, round)
  r.onAck(99, round)
  assert.deepEqual(out.take(true).readIndexes, [])
  r.onAck(5, round)
  assert.deepEqual(out.take(true).readIndexes, [{ token: 7, slot: 3 }])
})

test('below the read floor heartbeats have rounds, but no reads belong to them', () => {
  const { out, rounds: r } = rounds()
  r.add(1, 7)
  assert.equal(r.startRound(undefined, 0), 1)
  r.onAck(2, 1)
  r.onAck(3, 1)
  assert.deepEqual(out.take(true).readIndexes, [])
  assert.equal(r.startRound(2, 0), 2)
})

test('one round is in flight at a time, until it seems lost', () => {
  const { rounds: r } = rounds()
  assert.equal(r.shouldStartRound(0, 60), false)
  r.add(1, 7)
  assert.equal(r.shouldStartRound(0, 60), true)
  const round = r.startRound(1, 0)
  r.add(1, 8)
  assert.deepEqual([r.shouldStartRound(59, 60), r.shouldStartRound(60, 60)], [false, true])
  r.onAck(2, round)
  assert.equal(r.shouldStartRound(1, 60), true)
})

test("other nodes' reads are answered by message, and unanswered reads can be taken back", () => {
  const { out, rounds: r } = rounds()
  r.add(2, 21)
  r.onAck(3, r.startRound(4, 0))
  assert.deepEqual(outcome(out).now, ['n2 readIndexReply 4'])
  r.add(2, 22)
  const round = r.startRound(4, 0)
  r.add(1, 7)
  assert.deepEqual(r.takeAll(), [
    { from: 2, id: 22 },
    { from: 1, id: 7 },
  ])
  r.onAck(3, round)
  assert.deepEqual(outcome(out).now, [])
})

test('reads that gather are bounded: the oldest are dropped', () => {
  const { rounds: r } = rounds()
  for (let id = 1; id <= 25_000; id++) r.add(1, id)
  const left = r.takeAll()
  assert.ok(left.length >= 9_000 && left.length <= 10_000)
  assert.equal(left.at(-1)?.id, 25_000)
})
