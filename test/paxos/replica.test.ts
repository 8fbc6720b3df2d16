import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Acceptor } from '../../src/paxos/acceptor.js'
import { InvariantError } from '../../src/paxos/assert.js'
import { makeBallot } from '../../src/paxos/ballot.js'
import type { CoreOptions } from '../../src/paxos/core-options.js'
import { Outbox } from '../../src/paxos/outbox.js'
import { Replica } from '../../src/paxos/replica.js'
import type { LogEntry, Slot } from '../../src/paxos/types.js'
import { batch } from './describe.js'
import { entry, membershipsOf, options as optionsWith, outcome, recovered, voting } from './role.js'

const SELF = 4
const LEADER = 1
const LOWER = makeBallot(1, 1)
const BALLOT = makeBallot(2, 1)
const HIGHER = makeBallot(3, 1)

function replicaWith(settings: { votes?: readonly LogEntry[]; decidedUpTo?: Slot; change?: Partial<CoreOptions> } = {}) {
  const { votes = [], decidedUpTo = 0 } = settings
  const options = optionsWith(settings.change)
  const out = new Outbox(SELF)
  const acceptor = voting(new Acceptor(SELF, out, options, recovered({ promised: HIGHER, decidedUpTo, accepted: votes })))
  const memberships = membershipsOf([1, 2, 3, SELF])
  const callbacks = { others: () => [1, 2, 3], onMembershipChanged: () => undefined }
  const seen: number[] = []
  const clock = { onSeen: (timeMs: number) => void seen.push(timeMs) }
  return {
    out,
    seen,
    replica: new Replica({ self: SELF, memberships, acceptor, clock, out, options, decidedUpTo, ...callbacks }),
  }
}

function decidedSlots(out: Outbox): Slot[] {
  return out.take(true).decided.map(({ slot }) => slot)
}

function learn(replica: Replica, from: number, entries: readonly LogEntry[], decidedUpTo: Slot, nowMs = 0): void {
  replica.onCatchUpReply(from, { kind: 'catchUpReply', entries, decidedUpTo, compactedUpTo: 0, hasMore: false }, nowMs)
}

const FIVE = [1, 2, 3, 4, 5].map((slot) => entry(slot, BALLOT))

test('R1: a watermark decides only values accepted in that very ballot, up to the first slot without one', () => {
  for (const [ballot, decides] of [
    [LOWER, false],
    [BALLOT, true],
    [HIGHER, false],
  ] as const) {
    const { out, replica } = replicaWith({ votes: [entry(1, ballot), entry(2, BALLOT)] })
    replica.onWatermark(LEADER, BALLOT, 2, 0)
    assert.deepEqual(decidedSlots(out), decides ? [1, 2] : [])
  }
  const { out, replica } = replicaWith({ votes: [entry(1, BALLOT), entry(3, BALLOT)] })
  replica.onWatermark(LEADER, BALLOT, 3, 0)
  const { now } = outcome(out)
  assert.deepEqual([replica.decidedUpTo, now], [1, ['n1 catchUp 2 to 3']])
})

test('a watermark does not decide above itself', () => {
  const { out, replica } = replicaWith({ votes: FIVE })
  replica.onWatermark(LEADER, BALLOT, 3, 0)
  assert.deepEqual(decidedSlots(out), [1, 2, 3])
  replica.onWatermark(LEADER, BALLOT, 2, 0)
  const { decided, messages } = out.take(true)
  assert.deepEqual([decided, messages, replica.decidedUpTo], [[], [], 3])
})

test('learned slots are written and passed on in order, each once, up to a gap', () => {
  const { out, replica } = replicaWith()
  replica.noteDecided(LEADER, 5, 0)
  outcome(out)
  learn(replica, LEADER, FIVE.slice(0, 2), 5)
  assert.deepEqual(outcome(out), {
    now: ['n1 catchUp 3 to 5'],
    records: ['learned 1=v1 (2.1)', 'learned 2=v2 (2.1)'],
    onceDurable: [],
  })
  // The same again, and then a page with a gap behind an overlap.
  learn(replica, LEADER, FIVE.slice(0, 2), 5)
  assert.deepEqual(outcome(out), { now: [], records: [], onceDurable: [] })
  learn(replica, LEADER, [entry(2, BALLOT), entry(3, BALLOT), entry(5, BALLOT)], 5)
  assert.deepEqual(outcome(out).records, ['learned 3=v3 (2.1)'])
  assert.equal(replica.decidedUpTo, 3)
})

test('a decided slot never changes: a decision against a vote at or above its ballot stops the node', () => {
  for (const [vote, ok] of [
    [LOWER, true],
    [BALLOT, false],
    [HIGHER, false],
  ] as const) {
    const { replica } = replicaWith({ votes: [entry(1, vote, batch('voted'))] })
    const decide = () => replica.decide(entry(1, BALLOT, batch('decided')))
    if (ok) decide()
    else assert.throws(decide, InvariantError)
  }
  const { replica } = replicaWith()
  assert.throws(() => replica.decide(entry(2, BALLOT)), InvariantError)
})

test('one request is in flight at a time; the next one goes to the next peer, in turn', () => {
  const { out, replica } = replicaWith({ change: { retryDelayMs: 200 } })
  replica.noteDecided(2, 9, 0)
  // The leader says so all the time, but is not asked in between.
  const asked = [0, 100, 200, 300, 400, 600].flatMap((nowMs) => {
    replica.noteDecided(LEADER, 9, nowMs)
    replica.tick(nowMs)
    return outcome(out).now.map((line) => [nowMs, line])
  })
  assert.deepEqual(asked, [
    [0, 'n2 catchUp 1 to 9'],
    [200, 'n3 catchUp 1 to 9'],
    [400, 'n1 catchUp 1 to 9'],
    [600, 'n2 catchUp 1 to 9'],
  ])
})

test('after a reply without anything new the same request is not sent at once', () => {
  const { out, replica } = replicaWith({ change: { retryDelayMs: 200 } })
  replica.noteDecided(LEADER, 5, 0)
  outcome(out)
  learn(replica, LEADER, [], 5)
  replica.tick(199)
  assert.deepEqual(outcome(out).now, [])
  replica.tick(200)
  assert.deepEqual(outcome(out).now, ['n2 catchUp 1 to 5'])
})

test('requests end when the node has caught up, in any way', () => {
  const { out, replica } = replicaWith({ votes: FIVE })
  replica.noteDecided(LEADER, 5, 0)
  replica.onWatermark(LEADER, BALLOT, 5, 0)
  outcome(out)
  replica.tick(10_000)
  assert.deepEqual(outcome(out).now, [])
})

test('a catch-up requests at most 1,024 slots', () => {
  const { out, replica } = replicaWith()
  replica.noteDecided(LEADER, 5_000, 0)
  assert.deepEqual(outcome(out).now, ['n1 catchUp 1 to 1024'])
})

test('a peer that misses a few slots is answered from memory, a page at a time, up to the decided slots', () => {
  const { out, replica } = replicaWith({ votes: FIVE, change: { pageBytesMax: 60 } })
  replica.onWatermark(LEADER, BALLOT, 4, 0)
  outcome(out)
  const answers = [
    [1, 9, ['1=v1 (2.1), 2=v2 (2.1)', '3=v3 (2.1), 4=v4 (2.1)']],
    [2, 2, ['2=v2 (2.1)']],
    [4, 9, ['4=v4 (2.1)']],
    [5, 9, ['nothing']],
    [9, 9, ['nothing']],
    [3, 2, ['nothing']],
  ] as const
  for (const [fromSlot, toSlot, pages] of answers) {
    replica.onCatchUp(2, { kind: 'catchUp', fromSlot, toSlot })
    assert.deepEqual(
      outcome(out).now,
      pages.map((entries) => `n2 catchUpReply ${entries}, decided up to 4`),
    )
  }
})

test('a request is answered with at most four pages, and the next one waits for the last of them', () => {
  const { out, replica } = replicaWith({ change: { pageBytesMax: 1 } })
  for (let slot = 1; slot <= 6; slot++) replica.decide(entry(slot, BALLOT))
  out.take(true)
  replica.onCatchUp(2, { kind: 'catchUp', fromSlot: 1, toSlot: 6 })
  const replies = out.take(true).messages.map(({ message }) => message)
  assert.deepEqual(
    replies.map((m) => m.kind === 'catchUpReply' && [m.entries.map(({ slot }) => slot), m.hasMore]),
    [
      [[1], true],
      [[2], true],
      [[3], true],
      [[4], false],
    ],
  )
  const { out: asked, replica: behind } = replicaWith()
  behind.noteDecided(2, 6, 0)
  asked.take(true)
  for (const [i, reply] of replies.entries()) {
    assert.equal(reply.kind, 'catchUpReply')
    if (reply.kind === 'catchUpReply') behind.onCatchUpReply(2, reply, i)
    const questions = asked.take(true).messages.map(({ message }) => message)
    assert.deepEqual(questions, i < 3 ? [] : [{ kind: 'catchUp', fromSlot: 5, toSlot: 6 }])
  }
  // The rest of them may be lost.
  behind.onCatchUpReply(
    2,
    { kind: 'catchUpReply', entries: [entry(5, BALLOT)], decidedUpTo: 6, compactedUpTo: 0, hasMore: true },
    10,
  )
  behind.tick(209)
  assert.deepEqual(asked.take(true).messages, [])
  behind.tick(210)
  assert.equal(asked.take(true).messages.length, 1)
})

test('a peer that misses more slots than are in memory is answered from the log', () => {
  const { out, replica } = replicaWith({ decidedUpTo: 3_000 })
  replica.decide(entry(3_001, BALLOT))
  out.take(true)
  const cases = [
    [1, 9_000, { to: 2, fromSlot: 1, toSlot: 1_024 }],
    [2_990, 9_000, { to: 2, fromSlot: 2_990, toSlot: 3_001 }],
    [3_000, 3_000, { to: 2, fromSlot: 3_000, toSlot: 3_000 }],
  ] as const
  for (const [fromSlot, toSlot, request] of cases) {
    replica.onCatchUp(2, { kind: 'catchUp', fromSlot, toSlot })
    const ready = out.take(true)
    assert.deepEqual([ready.logRequests, ready.messages], [[request], []])
  }
  replica.onCatchUp(2, { kind: 'catchUp', fromSlot: 3_001, toSlot: 3_001 })
  assert.equal(out.take(true).messages.length, 1)
})

test('memory of decided slots is bounded by count and by bytes, and has no gap', () => {
  const cases = [{ recentSlotsMax: 4 }, { recentBytesMax: 100 }]
  for (const change of cases) {
    const { out, replica } = replicaWith({ change })
    let kept = 0
    for (let slot = 1; slot <= 200; slot++) {
      replica.decide(entry(slot, BALLOT))
      kept = 0
      for (let asked = slot; asked >= 1; asked--) {
        replica.onCatchUp(2, { kind: 'catchUp', fromSlot: asked, toSlot: asked })
        const { messages, logRequests } = out.take(true)
        if (logRequests.length > 0) break
        assert.equal(messages[0]?.message.kind, 'catchUpReply')
        kept++
      }
      assert.ok(kept >= 1 && kept <= 8, `${kept} kept`)
    }
  }
})

test('log time takes the time of every decided value', () => {
  const { replica, seen } = replicaWith()
  for (const [i, timeMs] of [5, 9, 7].entries()) replica.decide(entry(i + 1, BALLOT, { kind: 'batch', timeMs, commands: [] }))
  assert.deepEqual(seen, [5, 9, 7])
})
