import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvariantError } from '../../src/paxos/assert.js'
import { makeBallot } from '../../src/paxos/ballot.js'
import type { Promised } from '../../src/paxos/messages.js'
import { Outbox } from '../../src/paxos/outbox.js'
import { Scout } from '../../src/paxos/scout.js'
import { batch } from './describe.js'
import { entry, membershipsOf, outcome } from './role.js'

const BALLOT = makeBallot(5, 1)
const EARLIER = [makeBallot(1, 2), makeBallot(1, 3), makeBallot(4, 2)] as const

function scoutAmong(memberCount: number, fromSlot = 1) {
  const out = new Outbox(1)
  const memberships = membershipsOf(Array.from({ length: memberCount }, (_, i) => i + 1))
  return { out, scout: new Scout({ ballot: BALLOT, fromSlot, self: 1, memberships, out }) }
}

function openSlots(scout: Scout): number[] {
  return Array.from({ length: 20 }, (_, i) => i + 1).filter((slot) => scout.highestAt(slot) !== undefined)
}

function page(change: Partial<Promised> = {}): Promised {
  return { kind: 'promise', ballot: BALLOT, fromSlot: 1, accepted: [], decidedUpTo: 0, nextSlot: 0, votesFrom: 1, ...change }
}

for (let memberCount = 1; memberCount <= 5; memberCount++) {
  test(`of ${memberCount}, a scout needs promises from ${Math.floor(memberCount / 2) + 1} different members`, () => {
    const { scout } = scoutAmong(memberCount)
    const quorum = Math.floor(memberCount / 2) + 1
    for (let from = 1; from <= memberCount; from++) {
      assert.equal(scout.hasQuorum, from > quorum)
      // Twice from each, and one from a stranger.
      assert.equal(scout.onPromise(from, page()), true)
      assert.equal(scout.onPromise(from, page()), false)
      scout.onPromise(99, page())
    }
    assert.equal(scout.hasQuorum, true)
  })
}

test('prepare goes to the others, and only once the ballot is durable', () => {
  const { out, scout } = scoutAmong(3, 7)
  scout.ask()
  assert.deepEqual(outcome(out), { now: [], records: [], onceDurable: ['n2 prepare 5.1 from 7', 'n3 prepare 5.1 from 7'] })
})

test('pmax: in each slot the value of the highest ballot wins, in whatever order the promises come', () => {
  const votes = EARLIER.map((ballot, i) => ({ from: i + 1, ballot }))
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ] as const
  for (const order of orders) {
    const { scout } = scoutAmong(5)
    for (const i of order) {
      const vote = votes[i]
      assert.ok(vote)
      const accepted = [entry(1, vote.ballot, batch(`of-${vote.from}`)), entry(10 + i, vote.ballot)]
      scout.onPromise(vote.from, page({ accepted }))
    }
    assert.deepEqual(scout.highestAt(1), entry(1, EARLIER[2], batch('of-3')))
    // Gaps are the leader's to fill.
    assert.deepEqual(openSlots(scout), [1, 10, 11, 12])
    assert.equal(scout.lastOpen, 12)
  }
})

test('a member counts once its last page has come, and pages are taken in order', () => {
  const { out, scout } = scoutAmong(3)
  const first = page({ accepted: [entry(1, EARLIER[0])], nextSlot: 5 })
  const second = page({ fromSlot: 5, accepted: [entry(5, EARLIER[0])], nextSlot: 9 })
  const third = page({ fromSlot: 9, accepted: [entry(9, EARLIER[0])] })
  scout.onPromise(1, page())
  assert.equal(scout.onPromise(2, second), false)
  assert.equal(scout.onPromise(2, first), true)
  assert.deepEqual(outcome(out).onceDurable, ['n2 prepare 5.1 from 5'])
  assert.equal(scout.onPromise(2, first), false)
  assert.equal(scout.onPromise(2, third), false)
  assert.equal(scout.onPromise(2, second), true)
  assert.deepEqual(outcome(out).onceDurable, ['n2 prepare 5.1 from 9'])
  assert.equal(scout.hasQuorum, false)
  assert.equal(scout.onPromise(2, third), true)
  assert.equal(scout.hasQuorum, true)
  assert.deepEqual(openSlots(scout), [1, 5, 9])
})

test('a scout asks again only members whose last page is missing, for the missing page', () => {
  const { out, scout } = scoutAmong(5)
  scout.onPromise(1, page())
  scout.onPromise(2, page())
  scout.onPromise(3, page({ nextSlot: 8 }))
  outcome(out)
  scout.ask()
  assert.deepEqual(outcome(out), {
    now: [],
    records: [],
    onceDurable: ['n3 prepare 5.1 from 8', 'n4 prepare 5.1 from 1', 'n5 prepare 5.1 from 1'],
  })
})

test('a slot that a page reports as decided is not open, and the scout knows the member to ask', () => {
  const { scout } = scoutAmong(5)
  scout.onPromise(1, page({ accepted: [2, 3, 4].map((slot) => entry(slot, EARLIER[0])) }))
  scout.onPromise(2, page({ decidedUpTo: 2, nextSlot: 3 }))
  scout.onPromise(2, page({ fromSlot: 3, decidedUpTo: 3 }))
  scout.onPromise(3, page({ decidedUpTo: 1 }))
  assert.deepEqual([scout.decidedUpTo, scout.decidedSource], [3, 2])
  assert.equal(scout.lastOpen, 4)
})

test('a promise counts only for the life of the member that the membership has, and pages of two lives are not one promise', () => {
  const { scout } = scoutAmong(3)
  scout.onPromise(1, page())
  scout.onPromise(2, page({ votesFrom: 7 }))
  assert.equal(scout.hasQuorum, false)
  scout.onPromise(3, page({ nextSlot: 5 }))
  assert.equal(scout.onPromise(3, page({ fromSlot: 5, votesFrom: 9 })), false)
  assert.equal(scout.hasQuorum, false)
  assert.equal(scout.onPromise(3, page()), true)
  assert.equal(scout.hasQuorum, true)
})

test('promises of other ballots and votes above the ballot are not merged', () => {
  const { scout } = scoutAmong(3)
  for (const ballot of [EARLIER[0], makeBallot(6, 1)]) {
    assert.throws(() => scout.onPromise(2, page({ ballot })), InvariantError)
  }
  assert.throws(() => scout.onPromise(2, page({ accepted: [entry(1, makeBallot(6, 1))] })), InvariantError)
  assert.throws(() => scout.onPromise(3, page({ nextSlot: 1 })), InvariantError)
})
