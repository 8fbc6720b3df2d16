import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeBallot } from '../../src/paxos/ballot.js'
import { type Ballot, type LogEntry, type MembershipChange, NOOP, type Slot, type Value } from '../../src/paxos/types.js'
import { checkRecovered, checkReported } from '../../src/sim/checkers/told-votes.js'
import { Violation } from '../../src/sim/checkers/violation.js'
import type { VoteBook } from '../../src/sim/checkers/vote-book.js'
import { bookOf } from './book.js'

const B1 = makeBallot(1, 1)
const B2 = makeBallot(2, 2)
const B3 = makeBallot(3, 3)
const A: Value = { kind: 'batch', timeMs: 1, commands: [Uint8Array.of(1)] }
const B: Value = { kind: 'batch', timeMs: 1, commands: [Uint8Array.of(2)] }

/** Returns a book of three nodes. `votes` are made in order, each after a promise of its ballot. */
function bookWith(votes: readonly (readonly [nodeId: number, slot: Slot, ballot: Ballot, value: Value])[]): VoteBook {
  const book = bookOf(3)
  for (const [nodeId, slot, ballot, value] of votes) {
    book.onPromised(nodeId, ballot)
    book.onVote(nodeId, { slot, ballot, value })
  }
  return book
}

function promiseAll(book: VoteBook, nodeIds: readonly number[], ballot: Ballot): void {
  for (const nodeId of nodeIds) book.onPromised(nodeId, ballot)
}

const breaks = (work: () => void, sentence: string): void =>
  assert.throws(work, (error) => {
    assert.ok(error instanceof Violation)
    assert.equal(error.message, sentence)
    return true
  })

test('a value is chosen when a majority has voted for it in one ballot, and slots are chosen up to the first that is not', () => {
  const book = bookWith([
    [1, 2, B1, A],
    [2, 2, B1, A],
    [1, 1, B1, A],
  ])
  assert.equal(book.chosenUpTo, 0)
  assert.equal(book.chosenAt(2), A)
  book.onPromised(3, B1)
  book.onVote(3, { slot: 1, ballot: B1, value: A })
  assert.equal(book.chosenUpTo, 2)
})

test('the same vote twice, and votes of a majority in different ballots, choose nothing', () => {
  const book = bookWith([
    [1, 1, B1, A],
    [1, 1, B1, A],
    [2, 1, B2, A],
  ])
  assert.equal(book.chosenAt(1), undefined)
})

test('A1: a promise on disk is not lowered', () => {
  const book = bookWith([[1, 1, B2, A]])
  breaks(() => book.onPromised(1, B1), 'node 1 lowered the promise on its disk to ballot 1.1')
})

test('A2: a vote is in the ballot that was promised', () => {
  const book = bookWith([[1, 1, B2, A]])
  const sentence = 'node 1 accepted slot 2 in a ballot that it has not promised, or no more'
  breaks(() => book.onVote(1, { slot: 2, ballot: B1, value: A }), sentence)
  breaks(() => book.onVote(1, { slot: 2, ballot: B3, value: A }), sentence)
})

test('A4: a ballot has one value for a slot', () => {
  const book = bookWith([[1, 1, B1, A]])
  book.onPromised(2, B1)
  breaks(
    () => book.onVote(2, { slot: 1, ballot: B1, value: B }),
    'node 2 accepted another value for slot 1 in ballot 1.1 than stood in that ballot before',
  )
})

test('A5: above the ballot of a chosen value no other value is accepted', () => {
  const book = bookWith([
    [1, 1, B1, A],
    [2, 1, B1, A],
  ])
  book.onPromised(3, B2)
  breaks(
    () => book.onVote(3, { slot: 1, ballot: B2, value: B }),
    'node 3 accepted another value for slot 1 than a majority had accepted in a lower ballot',
  )
})

test('A5: below the ballot of another value nothing is chosen', () => {
  const book = bookWith([
    [3, 1, B2, B],
    [1, 1, B1, A],
  ])
  book.onPromised(2, B1)
  breaks(
    () => book.onVote(2, { slot: 1, ballot: B1, value: A }),
    'slot 1 has a chosen value in ballot 1.1, and another one was proposed in a higher ballot',
  )
})

for (const [what, votes, promised, proposal, isAllowed] of [
  ['anything where a majority has promised and nobody voted', [], [1, 2], B, true],
  ['nothing where only a minority has promised', [], [2], B, false],
  ['anything where those who voted may be missing from the majority', [[1, 1, B1, A]], [1, 2, 3], B, true],
  ['what one of the majority voted for', [[1, 1, B1, A]], [1, 2], A, true],
  ['nothing but what one of the majority voted for', [[1, 1, B1, A]], [1, 2], B, false],
  ['not a no-op in its place either', [[1, 1, B1, A]], [1, 2], NOOP, false],
  [
    'the value of the highest ballot',
    [
      [1, 1, B1, A],
      [2, 1, B2, B],
    ],
    [1, 2],
    B,
    true,
  ],
  [
    'not that of a lower one',
    [
      [1, 1, B1, A],
      [2, 1, B2, B],
    ],
    [1, 2],
    A,
    false,
  ],
  [
    'that of a lower one where a majority may do without the higher',
    [
      [1, 1, B1, A],
      [2, 1, B2, B],
    ],
    [1, 2, 3],
    A,
    true,
  ],
] as const) {
  test(`C2: the promises allow ${what}`, () => {
    const book = bookWith(votes)
    promiseAll(book, promised, B3)
    const propose = () => book.onProposed(3, { slot: 1, ballot: B3, value: proposal })
    if (isAllowed) propose()
    else breaks(propose, 'node 3 proposed in slot 1 and ballot 3.3 what no majority of promises allows')
  })
}

test('C1: a ballot proposes one value for a slot, any number of times', () => {
  const book = bookWith([])
  promiseAll(book, [1, 2], B1)
  book.onProposed(1, { slot: 1, ballot: B1, value: A })
  book.onProposed(1, { slot: 1, ballot: B1, value: { ...A } })
  promiseAll(book, [1, 2], B2)
  book.onProposed(2, { slot: 1, ballot: B2, value: A })
  breaks(
    () => book.onProposed(1, { slot: 1, ballot: B1, value: B }),
    'node 1 proposed another value for slot 1 in ballot 1.1 than stood in that ballot before',
  )
})

test('a leader may call decided only what was chosen in its own ballot or a lower one', () => {
  const book = bookWith([])
  promiseAll(book, [2, 3], B2)
  for (const slot of [1, 2]) for (const nodeId of [2, 3]) book.onVote(nodeId, { slot, ballot: B2, value: B })
  book.onWatermark(2, B2, 0)
  book.onWatermark(2, B2, 2)
  // The leader had learned slot 1 before it led.
  book.onWatermark(1, B1, 1)
  breaks(() => book.onWatermark(1, B1, 2), 'node 1 called slot 2 decided in ballot 1.1, but it was chosen in a higher one')
})

test('A3: a promise reports every vote that is on the disk, page by page, and none that is not', () => {
  const book = bookWith([
    [1, 1, B1, A],
    [1, 2, B1, A],
    [1, 4, B1, B],
  ])
  const promised = { kind: 'promise', ballot: B2, decidedUpTo: 0, votesFrom: 1 } as const
  const [one, two, four] = [1, 2, 4].map((slot) => ({ slot, ballot: B1, value: slot === 4 ? B : A })) as [
    LogEntry,
    LogEntry,
    LogEntry,
  ]
  checkReported(book, 1, { ...promised, fromSlot: 1, accepted: [one, two, four], nextSlot: 0 })
  checkReported(book, 1, { ...promised, fromSlot: 1, accepted: [one, two], nextSlot: 4 })
  checkReported(book, 1, { ...promised, fromSlot: 4, accepted: [four], nextSlot: 0 })
  checkReported(book, 1, { ...promised, fromSlot: 2, accepted: [four], nextSlot: 0, decidedUpTo: 2 })
  breaks(
    () => checkReported(book, 1, { ...promised, fromSlot: 1, accepted: [one, four], nextSlot: 0 }),
    'node 1 promised without its vote for slot 2 in ballot 1.1',
  )
  breaks(
    () => checkReported(book, 1, { ...promised, fromSlot: 4, accepted: [four, { ...four, slot: 5 }], nextSlot: 0 }),
    'node 1 reported a vote for slot 5 that is not on its disk',
  )
})

test('A3: in a restart no open vote is forgotten', () => {
  const book = bookWith([
    [1, 1, B1, A],
    [1, 2, B1, A],
  ])
  checkRecovered(book, 1, [{ slot: 2, ballot: B1, value: A }], 1)
  breaks(() => checkRecovered(book, 1, [], 1), 'node 1 forgot in a restart its vote for slot 2 in ballot 1.1')
})

// --- memberships: the window is of two slots, so that a change in slot 1 is in force from slot 3 on ------------------------------------

const WINDOW = 2
const LEARNER = { kind: 'add', nodeId: 4, peerAddress: 'node4:7200', clientAddress: '' } as const
const VOTER = { kind: 'promote', nodeId: 4 } as const
const BOUND = { kind: 'bind', nodeId: 4, dataDirId: 'd4' } as const

/** Lets all of these nodes promise ballot 1.1, and vote in it. */
function choose(book: VoteBook, nodeIds: readonly number[], slot: Slot, value: Value): void {
  for (const nodeId of nodeIds) {
    book.onPromised(nodeId, B1)
    book.onVote(nodeId, { slot, ballot: B1, value })
  }
}

/** Returns a book of three nodes, with changes chosen from slot 1 on, each in force before the next: one in every other slot. */
function bookAfter(changes: readonly MembershipChange[]): VoteBook {
  const book = bookOf(3, WINDOW)
  book.onDirectory(4, 'd4')
  for (const [i, change] of changes.entries()) {
    choose(book, [1, 2, 3], 2 * i + 1, { kind: 'membership', epoch: i + 2, change })
    choose(book, [1, 2, 3], 2 * i + 2, NOOP)
  }
  return book
}

test('in a slot whose voters are not known yet nothing is chosen', () => {
  const book = bookOf(3, WINDOW)
  choose(book, [1, 2], 3, A)
  assert.equal(book.chosenAt(3), undefined)
  assert.equal(book.governedUpTo, 2)
  choose(book, [1, 2], 1, NOOP)
  assert.equal(book.chosenAt(3), A)
  assert.equal(book.chosenUpTo, 1)
})

test('a change is in force a window later, and a quorum is one of the membership that governs the slot', () => {
  const book = bookAfter([LEARNER, BOUND, VOTER])
  assert.deepEqual(
    book.memberships.all.map(({ epoch, fromSlot, voterIds }) => [epoch, fromSlot, voterIds.length]),
    [
      [1, 1, 3],
      [2, 3, 3],
      [3, 5, 3],
      [4, 7, 4],
    ],
  )
  assert.ok(!book.isVoter(4, 6))
  assert.ok(book.isVoter(4, 7))
  choose(book, [1, 2], 7, A)
  assert.equal(book.chosenAt(7), undefined, 'two of four are no majority')
  choose(book, [4], 7, A)
  assert.equal(book.chosenAt(7), A)
})

test('the vote of a learner does not count, nor does a vote from another node or directory', () => {
  const book = bookAfter([LEARNER, BOUND])
  choose(book, [1, 4], 5, A)
  assert.equal(book.chosenAt(5), undefined)
  book.onDirectory(2, 'another')
  choose(book, [2], 5, A)
  assert.equal(book.chosenAt(5), undefined)
  choose(book, [3], 5, A)
  assert.equal(book.chosenAt(5), A)
})

test('a vote that is lost with its directory still counts, and a new directory votes from the slot that the log gives it', () => {
  const book = bookOf(3, WINDOW)
  choose(book, [2], 1, A)
  book.onDirectory(2, 'new')
  choose(book, [1], 1, A)
  assert.equal(book.chosenAt(1), A)
  choose(book, [1, 3], 2, {
    kind: 'membership',
    epoch: 2,
    change: { kind: 'reset', nodeId: 2, dataDirId: 'd2', newDataDirId: 'new' },
  })
  choose(book, [1, 3], 3, NOOP)
  choose(book, [1, 3], 4, { kind: 'membership', epoch: 3, change: { kind: 'promote', nodeId: 2 } })
  choose(book, [1, 3], 5, NOOP)
  assert.deepEqual(
    [5, 6].map((slot) => book.isVoter(2, slot)),
    [false, true],
  )
  const promised = { kind: 'promise', ballot: B1, fromSlot: 6, accepted: [], decidedUpTo: 0, nextSlot: 0 } as const
  checkReported(book, 2, { ...promised, votesFrom: 6 })
  breaks(
    () => checkReported(book, 2, { ...promised, votesFrom: 1 }),
    'node 2 promised as one that votes from slot 1 on, which its directory was never said to do',
  )
})

test('a change counts only if it changes the newest membership, and that is in force', () => {
  const book = bookOf(3, WINDOW)
  choose(book, [1, 2, 3], 1, { kind: 'membership', epoch: 2, change: LEARNER })
  choose(book, [1, 2, 3], 2, { kind: 'membership', epoch: 3, change: { kind: 'remove', nodeId: 3 } })
  choose(book, [1, 2, 3], 3, { kind: 'membership', epoch: 2, change: { kind: 'remove', nodeId: 3 } })
  assert.deepEqual(
    book.memberships.latest.members.map((m) => m.nodeId),
    [1, 2, 3, 4],
  )
})

test('no node may propose that never had a vote, nor in a slot whose voters are not known', () => {
  const book = bookAfter([LEARNER, BOUND])
  promiseAll(book, [1, 2, 3], B3)
  breaks(() => book.onProposed(4, { slot: 5, ballot: B3, value: A }), 'node 4 proposed in slot 5, but it never had a vote')
  breaks(
    () => book.onProposed(3, { slot: 7, ballot: B3, value: A }),
    'node 3 proposed in slot 7, though the voters of that slot are not known yet',
  )
})

test("C2: only promises of the slot's voters allow a proposal, including those of a directory that is gone", () => {
  const book = bookAfter([LEARNER, BOUND])
  const propose = () => book.onProposed(2, { slot: 5, ballot: B2, value: A })
  promiseAll(book, [2, 4], B2)
  breaks(propose, 'node 2 proposed in slot 5 and ballot 2.2 what no majority of promises allows')
  book.onPromised(1, B2)
  book.onDirectory(1, 'new')
  propose()
})
