import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '../../src/paxos/messages.js'
import { messageBytes } from '../../src/protocol/peer.js'
import { MessageQueue } from '../../src/transport/message-queue.js'

const SIZE = messageBytes(poll(1))

function poll(pollId: number): Message {
  return { kind: 'poll', pollId }
}

function propose(length: number): Message {
  return { kind: 'propose', commands: [new Uint8Array(length)], hops: 0, originNodeId: 1, pageId: 1 }
}

function ids(messages: Message[]): number[] {
  return messages.map((message) => (message.kind === 'poll' ? message.pollId : 0))
}

test('a queue gives back what was put in, in order, whatever is taken and dropped in between', () => {
  const queue = new MessageQueue({ countMax: 10, bytesMax: 1_000_000 })
  let expected: number[] = []
  let droppedCount = 0
  for (let id = 1; id <= 500; id++) {
    queue.push(poll(id))
    expected.push(id)
    if (expected.length > 10) droppedCount += expected.splice(0, 1).length
    if (id % 17 === 0) {
      assert.deepEqual(ids(queue.take(3 * SIZE)), expected.slice(0, 3))
      expected = expected.slice(3)
    }
    assert.equal(queue.count, expected.length)
    assert.equal(queue.bytes, expected.length * SIZE)
    assert.equal(queue.droppedCount, droppedCount)
  }
  assert.deepEqual(ids(queue.take(1_000_000)), expected)
  assert.deepEqual(queue.take(1_000_000), [])
})

test('what tells who leads goes before all else in a frame, and is dropped last', () => {
  const queue = new MessageQueue({ countMax: 6, bytesMax: 1_000_000 })
  for (const length of [100, 200, 300]) queue.push(propose(length))
  for (const id of [1, 2]) queue.push(poll(id))
  assert.deepEqual(
    queue.take(2 * SIZE + messageBytes(propose(100))).map((message) => message.kind),
    ['poll', 'poll', 'propose'],
  )
  queue.push(poll(3))
  assert.deepEqual(ids(queue.take(1)), [3], 'one at least, and then no bulk')
  for (let id = 4; id < 9; id++) queue.push(poll(id))
  assert.deepEqual(
    queue.take(1_000_000).map((message) => message.kind),
    ['poll', 'poll', 'poll', 'poll', 'poll', 'propose'],
  )
  assert.equal(queue.droppedCount, 1, 'the older one of two proposals')
})

test('votes, and questions for what is missing, go before the commands of a crowd; what brings values keeps its order', () => {
  const queue = new MessageQueue({ countMax: 100, bytesMax: 1_000_000 })
  const decided: Message = { kind: 'decided', ballot: 1, decidedUpTo: 1 }
  const pushed: Message[] = [
    propose(1_000),
    decided,
    { kind: 'accepted', ballot: 1, slot: 2 },
    { kind: 'catchUp', fromSlot: 1, toSlot: 2 },
  ]
  for (const message of pushed) queue.push(message)
  assert.deepEqual(
    queue.take(1_000_000).map((message) => message.kind),
    // Told that a slot is decided before it has come, a node would ask for it.
    ['accepted', 'catchUp', 'propose', 'decided'],
  )
})

test('a message bigger than the queue is dropped and leaves the others alone', () => {
  const queue = new MessageQueue({ countMax: 10, bytesMax: 1_000 })
  queue.push(poll(1))
  queue.push(propose(2_000))
  assert.deepEqual(ids(queue.take(1_000)), [1])
  assert.equal(queue.droppedCount, 1)
})

test('what is cleared counts as dropped', () => {
  const queue = new MessageQueue({ countMax: 10, bytesMax: 1_000 })
  queue.push(poll(1))
  queue.push(poll(2))
  queue.clear()
  assert.deepEqual([queue.count, queue.bytes, queue.droppedCount], [0, 0, 2])
})
