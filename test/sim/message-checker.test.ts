import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { makeBallot } from '../../src/paxos/ballot.js'
import type { Message } from '../../src/paxos/messages.js'
import type { Value } from '../../src/paxos/types.js'
import { MessageChecker } from '../../src/sim/checkers/message-checker.js'
import { Violation } from '../../src/sim/checkers/violation.js'
import type { VoteBook } from '../../src/sim/checkers/vote-book.js'
import { bookOf, genesisOf } from './book.js'

const B1 = makeBallot(1, 1)
const B2 = makeBallot(2, 2)
const A: Value = { kind: 'batch', timeMs: 1, commands: [Uint8Array.of(1)] }
const B: Value = { kind: 'batch', timeMs: 1, commands: [Uint8Array.of(2)] }
const WINDOW = 2

let book: VoteBook
let checker: MessageChecker

/** Slot 1 is chosen, by nodes 1 and 2 of three in ballot 1.1; node 2 has voted for slot 2, too. */
beforeEach(() => {
  book = bookOf(3, WINDOW)
  checker = new MessageChecker(book)
  for (const nodeId of [1, 2]) {
    book.onPromised(nodeId, B1)
    book.onVote(nodeId, { slot: 1, ballot: B1, value: A })
  }
  book.onVote(2, { slot: 2, ballot: B1, value: A })
})

function send(
  from: number,
  message: Message,
  { incarnation = 1, appliedUpTo = 1, decidedUpTo = 0, leadingBallot = 0 } = {},
): void {
  checker.onSent({ from, incarnation, message, decidedUpTo, leadingBallot }, appliedUpTo)
}

/** Lets nodes 1 and 2 vote for the value, as far as they have not yet. */
function choose(slot: number, value: Value): void {
  for (const nodeId of [1, 2]) if (slot > 2 || nodeId === 1) book.onVote(nodeId, { slot, ballot: B1, value })
}

const prepare = (): Message => ({ kind: 'prepare', ballot: B1, fromSlot: 1 })
const welcome = (): Message => ({ kind: 'welcome', genesis: genesisOf(3, WINDOW), memberships: [], settledEpoch: 1 })
const PROMISE = { kind: 'promise', ballot: B1, fromSlot: 1, accepted: [], decidedUpTo: 1, nextSlot: 0, votesFrom: 1 } as const
const HEARTBEAT = { kind: 'heartbeat', ballot: B1, round: 1, decidedUpTo: 1, heard: [], settledEpoch: 1 } as const
const ACCEPT = { kind: 'accept', ballot: B1, slot: 3, value: B, decidedUpTo: 1, settledEpoch: 1 } as const

const heartbeat = (round: number): Message => ({ ...HEARTBEAT, round })
const ack = (round: number): Message => ({ kind: 'heartbeatAck', ballot: B1, round, decidedUpTo: 1, durableUpTo: 1, wallMs: 0 })

for (const [what, from, message, sentence] of [
  ['a prepare of a durable ballot', 1, { kind: 'prepare', ballot: B1, fromSlot: 1 }, undefined],
  [
    'a prepare that left before the sync',
    2,
    { kind: 'prepare', ballot: B2, fromSlot: 1 },
    'node 2 sent a prepare for ballot 2.2 before that was on its disk',
  ],
  [
    "a prepare in somebody else's ballot",
    2,
    { kind: 'prepare', ballot: B1, fromSlot: 1 },
    'node 2 sent a prepare in ballot 1.1, which is not its own',
  ],
  ['a durable promise', 2, PROMISE, undefined],
  ['a promise that left before the sync', 3, PROMISE, 'node 3 sent a promise for ballot 1.1 before that was on its disk'],
  [
    'a promise whose watermark is too high',
    2,
    { ...PROMISE, decidedUpTo: 2 },
    'node 2 called slot 2 decided before its value was on the disks of a majority',
  ],
  ['a durable vote', 2, { kind: 'accepted', ballot: B1, slot: 2 }, undefined],
  [
    'a vote that left before the sync',
    1,
    { kind: 'accepted', ballot: B1, slot: 2 },
    'node 1 said that it accepted slot 2 before that was on its disk',
  ],
  ['a proposal in the window', 1, ACCEPT, undefined],
  ['a proposal beyond the window', 1, { ...ACCEPT, decidedUpTo: 0 }, 'node 1 proposed in slot 3, beyond its window above slot 0'],
  [
    'another value in one ballot',
    1,
    { ...ACCEPT, slot: 2 },
    'node 1 proposed another value for slot 2 in ballot 1.1 than stood in that ballot before',
  ],
  ['a watermark of chosen slots', 1, HEARTBEAT, undefined],
  [
    'a watermark of more',
    1,
    { ...HEARTBEAT, decidedUpTo: 2 },
    'node 1 called slot 2 decided before its value was on the disks of a majority',
  ],
  ["a heartbeat in somebody else's ballot", 2, HEARTBEAT, 'node 2 sent a heartbeat in ballot 1.1, which is not its own'],
  [
    'a decision passed on',
    3,
    { kind: 'catchUpReply', entries: [{ slot: 1, ballot: B1, value: A }], decidedUpTo: 1, compactedUpTo: 0, hasMore: false },
    undefined,
  ],
  [
    'another decision passed on',
    3,
    { kind: 'catchUpReply', entries: [{ slot: 1, ballot: B1, value: B }], decidedUpTo: 1, compactedUpTo: 0, hasMore: false },
    'node 3 handed on another value for slot 1 than was chosen',
  ],
] as const) {
  test(`message: ${what}`, () => {
    if (sentence === undefined) return send(from, message)
    assert.throws(() => send(from, message), new Violation(sentence))
  })
}

test('a vote for a slot that the node knows to be decided need not be on its disk', () => {
  book.onPromised(3, B1)
  send(3, { kind: 'accepted', ballot: B1, slot: 1 }, { decidedUpTo: 1 })
})

test('a ballot belongs to one incarnation of its node', () => {
  send(1, prepare(), { incarnation: 1 })
  send(1, prepare(), { incarnation: 1 })
  assert.throws(() => send(1, prepare(), { incarnation: 2 }), /node 1 used ballot 1\.1 again after a restart/)
})

test('a read must be answered with a slot that is not below what had been applied when it was asked, and its id must be new', () => {
  send(3, { kind: 'readIndex', readId: 7 }, { appliedUpTo: 5 })
  send(1, { kind: 'readIndexReply', readId: 7, slot: 5 }, { appliedUpTo: 9 })
  assert.throws(
    () => send(1, { kind: 'readIndexReply', readId: 7, slot: 4 }),
    /node 1 answered a read with slot 4, but slot 5 had been applied before the read was asked for/,
  )
  assert.throws(() => send(2, { kind: 'readIndex', readId: 7 }), /node 2 used read id 7 twice/)
  assert.throws(() => send(1, { kind: 'readIndexReply', readId: 8, slot: 9 }), /node 1 answered a read that nobody asked for/)
})

test('a leader may answer a read once a majority has acknowledged a round that began after the question, or a later one', () => {
  const answer = () => send(1, { kind: 'readIndexReply', readId: 7, slot: 1 }, { leadingBallot: B1 })
  const tooEarly = /node 1 answered a read before a majority had acknowledged a heartbeat that was sent after the question/
  send(1, heartbeat(1))
  send(3, { kind: 'readIndex', readId: 7 })
  assert.throws(answer, tooEarly)
  send(2, ack(1))
  assert.throws(answer, tooEarly)
  send(1, heartbeat(2))
  send(1, heartbeat(2))
  assert.throws(answer, tooEarly)
  send(1, heartbeat(3))
  send(3, ack(3))
  answer()
  // A follower passes on what a leader has answered.
  send(2, { kind: 'readIndexReply', readId: 7, slot: 1 })
})

test('a node that has promised a higher ballot must not acknowledge a heartbeat', () => {
  send(1, { ...HEARTBEAT })
  send(2, { kind: 'heartbeatAck', ballot: B1, round: 1, decidedUpTo: 1, durableUpTo: 1, wallMs: 0 })
  book.onPromised(2, B2)
  assert.throws(
    () => send(2, { kind: 'heartbeatAck', ballot: B1, round: 1, decidedUpTo: 1, durableUpTo: 1, wallMs: 0 }),
    /node 2 acknowledged a heartbeat of ballot 1\.1 though it had promised a higher one/,
  )
  assert.throws(
    () => send(3, { kind: 'heartbeatAck', ballot: B1, round: 9, decidedUpTo: 1, durableUpTo: 1, wallMs: 0 }),
    /node 3 acknowledged a heartbeat of ballot 1\.1 that was never sent/,
  )
})

test('no node may be welcomed before the genesis is on the disk', () => {
  book.onDirectory(1, 'new')
  assert.throws(() => send(1, welcome()), /node 1 welcomed another before its genesis was on its disk/)
  book.onGenesis(1, genesisOf(3, WINDOW))
  send(1, welcome())
})

test('a node with an older copy of its directory must not take part', () => {
  send(1, HEARTBEAT)
  send(2, { kind: 'heartbeatAck', ballot: B1, round: 1, decidedUpTo: 1, durableUpTo: 1, wallMs: 0 })
  book.onOlderCopy(2)
  send(2, { kind: 'recall', writeNumber: 7, recallId: 1 })
  assert.throws(
    () => send(2, { kind: 'heartbeatAck', ballot: B1, round: 1, decidedUpTo: 1, durableUpTo: 1, wallMs: 1 }),
    /node 2 sent a heartbeatAck though its data directory is an older copy of itself/,
  )
})

test('only voters count in the majority that confirms a read', () => {
  send(1, heartbeat(1))
  send(3, { kind: 'readIndex', readId: 7 })
  send(1, heartbeat(2))
  book.onDirectory(3, 'another')
  send(3, ack(2))
  const answer = () => send(1, { kind: 'readIndexReply', readId: 7, slot: 1 }, { leadingBallot: B1 })
  assert.throws(answer, /node 1 answered a read before a majority had acknowledged a heartbeat/)
  send(2, ack(2))
  answer()
})

test('a leader that is the only voter above the answer needs no acknowledgement', () => {
  choose(2, A)
  choose(3, { kind: 'membership', epoch: 2, change: { kind: 'remove', nodeId: 3 } })
  choose(4, A)
  choose(5, { kind: 'membership', epoch: 3, change: { kind: 'remove', nodeId: 2 } })
  choose(6, A)
  const answer = (readId: number, slot: number) =>
    send(1, { kind: 'readIndexReply', readId, slot }, { leadingBallot: B1, decidedUpTo: 6 })
  send(2, { kind: 'readIndex', readId: 7 })
  send(2, { kind: 'readIndex', readId: 8 })
  assert.throws(() => answer(7, 5), /node 1 answered a read before a majority had acknowledged a heartbeat/)
  answer(8, 6)
})
