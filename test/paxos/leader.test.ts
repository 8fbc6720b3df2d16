import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Acceptor } from '../../src/paxos/acceptor.js'
import { formatBallot, makeBallot } from '../../src/paxos/ballot.js'
import type { CoreOptions } from '../../src/paxos/core-options.js'
import { Leader } from '../../src/paxos/leader.js'
import { Outbox } from '../../src/paxos/outbox.js'
import { Replica } from '../../src/paxos/replica.js'
import { Scout } from '../../src/paxos/scout.js'
import { SettledEpoch } from '../../src/paxos/settled-epoch.js'
import { Silences } from '../../src/paxos/silence.js'
import type { LogEntry, NodeId, Slot } from '../../src/paxos/types.js'
import { batch, bytes, describeValue } from './describe.js'
import { clockOf, entry, membershipsOf, options as optionsWith, outcome, recovered, voting } from './role.js'

const SELF = 1
const BALLOT = makeBallot(2, SELF)
const OLD = makeBallot(1, 2)
const OLDER = makeBallot(1, 1)

/** A leader of three or more that has just been promised its ballot, its open slots adopted. */
function lead(
  settings: { open?: readonly LogEntry[]; decidedUpTo?: Slot; memberCount?: number; change?: Partial<CoreOptions> } = {},
) {
  const { open = [], decidedUpTo = 0, memberCount = 3 } = settings
  const options = optionsWith(settings.change)
  const out = new Outbox(SELF)
  const memberships = membershipsOf(
    Array.from({ length: memberCount }, (_, i) => i + 1),
    options.windowSlots,
  )
  const acceptor = voting(new Acceptor(SELF, out, options, recovered({ promised: BALLOT, decidedUpTo })))
  const callbacks = { others: () => [2, 3], onMembershipChanged: () => undefined }
  const clock = clockOf(memberships)
  const replica = new Replica({ self: SELF, memberships, acceptor, clock, out, options, decidedUpTo, ...callbacks })
  const scout = new Scout({ ballot: BALLOT, fromSlot: decidedUpTo + 1, self: SELF, memberships, out })
  for (const from of memberships.current.voterIds) {
    const accepted = from === SELF ? open : []
    scout.onPromise(from, {
      kind: 'promise',
      ballot: BALLOT,
      fromSlot: decidedUpTo + 1,
      accepted,
      decidedUpTo,
      nextSlot: 0,
      votesFrom: 1,
    })
  }
  const leader = new Leader({
    self: SELF,
    scout,
    memberships,
    acceptor,
    replica,
    clock,
    out,
    options,
    nowMs: 0,
    settled: new SettledEpoch(memberships),
    watermark: { durableUpTo: 0 },
    silences: new Silences(options),
  })
  leader.adopt(0)
  return { leader, replica, out }
}

/** A leader whose own slot, the first, is decided. */
function leadReady(change: Partial<CoreOptions> = {}, memberCount = 3) {
  const parts = lead({ change, memberCount })
  for (let from = 1; from <= memberCount; from++) {
    vote(parts.leader, from, 1)
    if (from !== SELF) tellTime(parts.leader, from, 1)
  }
  parts.leader.flush(0)
  outcome(parts.out)
  return parts
}

function vote(leader: Leader, from: NodeId, slot: Slot, ballot = BALLOT): void {
  leader.onAccepted(from, { kind: 'accepted', ballot, slot })
}

function ack(leader: Leader, from: NodeId, round: number, nowMs: number, decidedUpTo: Slot = 1): void {
  leader.onHeartbeatAck(from, { kind: 'heartbeatAck', ballot: BALLOT, round, decidedUpTo, durableUpTo: 0, wallMs: 0 }, nowMs)
}

/** Reports a wall clock at time 0, without acknowledging a round. */
function tellTime(leader: Leader, from: NodeId, wallMs: number): void {
  leader.onHeartbeatAck(from, { kind: 'heartbeatAck', ballot: BALLOT, round: 0, decidedUpTo: 0, durableUpTo: 0, wallMs }, 0)
}

function decidedOf(out: Outbox): string[] {
  return out.take(true).decided.map(({ slot, ballot, value }) => `${slot}=${describeValue(value)} (${formatBallot(ballot)})`)
}

function commands(count: number, length = 1): Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(length))
}

test('A5: a leader proposes the adopted values again, no-ops in the gaps, and a no-op of its own above', () => {
  const { leader, out } = lead({ decidedUpTo: 4, open: [entry(5, OLD, batch('a')), entry(8, OLDER, batch('b'))] })
  const { now, records } = outcome(out)
  assert.deepEqual(
    records,
    ['5=a', '6=noop', '7=noop', '8=b', '9=noop'].map((value) => `accepted ${value} (2.1)`),
  )
  assert.equal(now.filter((line) => line.startsWith('n2 accept 2.1')).length, 5)
  assert.deepEqual([leader.nextSlot, leader.inFlightCount], [10, 5])
})

for (let memberCount = 1; memberCount <= 5; memberCount++) {
  test(`A4: of ${memberCount}, a slot is decided by a majority of voters in its very ballot, each counted once`, () => {
    const { leader, out } = lead({ memberCount })
    const quorum = Math.floor(memberCount / 2) + 1
    outcome(out)
    for (let from = 1; from <= quorum; from++) {
      assert.deepEqual(decidedOf(out), [])
      // Replies that are no votes: of a stranger, of another ballot, for another slot, and repeated ones.
      vote(leader, 99, 1)
      for (let member = 1; member <= memberCount; member++) vote(leader, member, 1, OLD)
      vote(leader, memberCount, 2)
      for (let again = 1; again < from; again++) vote(leader, again, 1)
      assert.deepEqual(decidedOf(out), [])
      vote(leader, from, 1)
    }
    assert.deepEqual(decidedOf(out), ['1=noop (2.1)'])
    vote(leader, memberCount, 1)
    assert.deepEqual(decidedOf(out), [])
  })
}

test('R1: slots that are decided out of order are handed on in order', () => {
  const { leader, out } = leadReady({ batchCommandsMax: 1 })
  leader.enqueue([bytes('a'), bytes('b'), bytes('c')])
  leader.proposeQueued(1, 0)
  outcome(out)
  for (const slot of [4, 3]) for (const from of [2, 3]) vote(leader, from, slot)
  assert.deepEqual(decidedOf(out), [])
  for (const from of [2, 3]) vote(leader, from, 2)
  assert.deepEqual(decidedOf(out), ['2=a (2.1)', '3=b (2.1)', '4=c (2.1)'])
})

test("the leader's own vote waits for its own disk", () => {
  const { out } = lead()
  assert.ok(out.take(false).onceDurable.length === 0)
  assert.deepEqual(outcome(out).onceDurable, ['n1 accepted 2.1 1'])
})

test('the window bounds the slots in flight, and opens as they are decided', () => {
  const { leader } = leadReady({ windowSlots: 3, batchCommandsMax: 1 })
  leader.enqueue(commands(5))
  leader.proposeQueued(1, 0)
  assert.deepEqual([leader.inFlightCount, leader.nextSlot], [3, 5])
  leader.proposeQueued(1, 0)
  assert.equal(leader.inFlightCount, 3)
  for (const from of [2, 3]) vote(leader, from, 2)
  leader.proposeQueued(1, 0)
  assert.deepEqual([leader.inFlightCount, leader.nextSlot], [3, 6])
})

test('a slot without commands is proposed when a deadline is due and no other slot is in flight', () => {
  const { leader, out } = leadReady()
  outcome(out)
  leader.proposeQueued(1, 0, 1_000_000)
  assert.equal(leader.inFlightCount, 0, 'not before its time')
  leader.enqueue([bytes('a')])
  leader.proposeQueued(1, 0, 1)
  assert.equal(leader.inFlightCount, 1, 'a command brings the time, too')
  for (const from of [2, 3]) vote(leader, from, 2)
  leader.proposeQueued(1, 0, 1)
  leader.proposeQueued(1, 0, 1)
  assert.equal(leader.inFlightCount, 1)
  for (const from of [2, 3]) vote(leader, from, 3)
  assert.deepEqual(decidedOf(out), ['2=a (2.1)', '3= (2.1)'])
  leader.proposeQueued(1, 1, 1)
  assert.equal(leader.inFlightCount, 0, 'not one after the other without a pause')
  leader.proposeQueued(1, 10, 1)
  assert.equal(leader.inFlightCount, 1)
})

test('a batch is bounded by commands and by bytes, but has at least one command', () => {
  const cases = [
    { queue: commands(5), change: { batchCommandsMax: 2 }, sizes: [2, 2, 1] },
    { queue: commands(5, 10), change: { batchBytesMax: 30 }, sizes: [3, 2] },
    { queue: commands(5, 10), change: { batchBytesMax: 29 }, sizes: [2, 2, 1] },
    { queue: commands(2, 100), change: { batchBytesMax: 10 }, sizes: [1, 1] },
  ]
  for (const { queue, change, sizes } of cases) {
    const { leader, out } = leadReady(change)
    leader.enqueue(queue)
    leader.proposeQueued(1, 0)
    const accepts = out
      .take(true)
      .messages.flatMap(({ to, message }) => (to === 2 && message.kind === 'accept' ? [message.value] : []))
    assert.deepEqual(
      accepts.map((value) => (value.kind === 'batch' ? value.commands.length : 0)),
      sizes,
    )
  }
})

test('the queue is bounded by commands and bytes, takes a proposal as a whole or not at all, and one of any size when empty', () => {
  const byCount = leadReady({ queueCommandsMax: 3 }).leader
  assert.deepEqual(
    [byCount.enqueue(commands(2)), byCount.enqueue(commands(2)), byCount.enqueue(commands(1))],
    [true, false, true],
  )
  const byBytes = leadReady({ queueBytesMax: 10 }).leader
  assert.deepEqual([byBytes.enqueue(commands(1, 11)), byBytes.enqueue(commands(1, 1))], [true, false])
  byBytes.proposeQueued(1, 0)
  assert.deepEqual(
    [byBytes.enqueue(commands(1, 6)), byBytes.enqueue(commands(1, 5)), byBytes.enqueue(commands(1, 4))],
    [true, false, true],
  )
})

test('undecided values are bounded by bytes, too, and one value of any size may be in flight', () => {
  const { leader, out } = leadReady({ batchCommandsMax: 1, windowBytesMax: 100 })
  leader.enqueue(commands(4, 60))
  leader.proposeQueued(1, 0)
  assert.equal(leader.inFlightCount, 2, 'the one that passes the bound is the last')
  for (const from of [1, 2]) vote(leader, from, 2)
  for (const from of [1, 2]) vote(leader, from, 3)
  leader.proposeQueued(1, 0)
  assert.equal(leader.inFlightCount, 2)
  for (const slot of [4, 5]) for (const from of [1, 2]) vote(leader, from, slot)
  leader.enqueue(commands(1, 5_000))
  leader.proposeQueued(1, 0)
  assert.equal(leader.inFlightCount, 1)
  outcome(out)
})

test('accepts are retried, only to voters whose vote is missing, and only for slots without a majority', () => {
  const { leader, out } = leadReady({ batchCommandsMax: 1, retryDelayMs: 200 }, 5)
  leader.enqueue([bytes('a'), bytes('b')])
  leader.proposeQueued(1, 0)
  for (const from of [1, 2]) vote(leader, from, 2)
  for (const from of [1, 2, 3]) vote(leader, from, 3)
  for (const from of [2, 3, 4, 5]) ack(leader, from, 1, 0)
  outcome(out)
  const sent = (nowMs: number) => {
    leader.tick(nowMs)
    return outcome(out).now.filter((line) => line.includes(' accept '))
  }
  assert.deepEqual(sent(199), [])
  assert.deepEqual(
    sent(200),
    [3, 4, 5].map((to) => `n${to} accept 2.1 2=a, decided up to 1`),
  )
  assert.deepEqual(sent(399), [])
  assert.equal(sent(400).length, 3)
})

test('a decision is announced once: by a message of its own, or by the heartbeat that was due', () => {
  const { leader, out } = leadReady()
  leader.flush(0)
  assert.deepEqual(outcome(out).now, [])
  leader.enqueue([bytes('a')])
  leader.proposeQueued(1, 0)
  outcome(out)
  for (const from of [2, 3]) vote(leader, from, 2)
  leader.flush(0)
  assert.deepEqual(outcome(out).now, ['n2 decided 2.1 up to 2', 'n3 decided 2.1 up to 2'])
})

test('no read is answered before the floor, the first slot that is wholly of this ballot, is decided', () => {
  const { leader, out } = lead({ open: [entry(1, OLD, batch('a'))] })
  leader.readIndex(SELF, 7)
  for (const from of [2, 3]) vote(leader, from, 1)
  outcome(out)
  leader.flush(0)
  assert.deepEqual(
    outcome(out).now.filter((line) => line.includes('heartbeat')),
    [],
  )
  // Heartbeats that are due all the same do not serve it, either.
  leader.tick(0)
  ack(leader, 2, 1, 0)
  assert.deepEqual(out.take(true).readIndexes, [])
  for (const from of [2, 3]) vote(leader, from, 2)
  leader.flush(0)
  ack(leader, 2, 2, 0)
  assert.deepEqual(out.take(true).readIndexes, [{ token: 7, slot: 2 }])
})

test('a leader that hears no majority within an election timeout steps down, however often a minority answers', () => {
  const { leader } = leadReady({ electionTimeoutMsMax: 600 }, 5)
  for (const from of [2, 3]) ack(leader, from, 1, 100)
  assert.equal(leader.tick(700), true)
  for (let i = 0; i < 10; i++) ack(leader, 2, 1, 700)
  leader.onHeartbeatAck(3, { kind: 'heartbeatAck', ballot: OLD, round: 1, decidedUpTo: 0, durableUpTo: 0, wallMs: 0 }, 700)
  assert.equal(leader.tick(701), false)
})

test('followers that were slow, but answered, have more time: three times their silence, at most four more election timeouts', () => {
  const { leader } = leadReady({ electionTimeoutMsMax: 600 })
  ack(leader, 2, 1, 400)
  assert.equal(leader.tick(400 + 600 + 800), true)
  assert.equal(leader.tick(400 + 600 + 801), false)
  const { leader: patient } = leadReady({ electionTimeoutMsMax: 600 })
  ack(patient, 2, 1, 600)
  ack(patient, 2, 1, 2_300)
  assert.equal(patient.tick(2_300 + 5 * 600), true)
  assert.equal(patient.tick(2_300 + 5 * 600 + 1), false)
})

test('a slot that the leader learns from a peer needs no commander any more', () => {
  const { leader, replica, out } = lead({ open: [entry(1, OLD, batch('a'))] })
  outcome(out)
  const entries = [entry(1, OLD, batch('a'))]
  replica.onCatchUpReply(2, { kind: 'catchUpReply', entries, decidedUpTo: 1, compactedUpTo: 0, hasMore: false }, 0)
  leader.onLearned()
  assert.deepEqual(decidedOf(out), ['1=a (1.2)'])
  assert.equal(leader.inFlightCount, 1)
  for (const from of [2, 3]) vote(leader, from, 2)
  assert.deepEqual(decidedOf(out), ['2=noop (2.1)'])
})

test("a batch's time is that of a majority's wall clocks, and never goes back", () => {
  const { leader, out } = leadReady({ batchCommandsMax: 1 })
  const times = [500, 400, 600].map((wallMs) => {
    for (const from of [2, 3]) tellTime(leader, from, wallMs)
    leader.enqueue([bytes('a')])
    leader.proposeQueued(10_000_000, 0)
    const accept = out.take(true).messages.at(-1)?.message
    return accept?.kind === 'accept' && accept.value.kind === 'batch' ? accept.value.timeMs : undefined
  })
  assert.deepEqual(times, [500, 500, 600])
})

test('commands wait until the clocks of a majority are known', () => {
  const { leader, out } = lead({ memberCount: 5 })
  outcome(out)
  leader.enqueue([bytes('a')])
  for (const from of [2, 3]) {
    leader.proposeQueued(1_000, 0)
    assert.deepEqual(outcome(out).records, [])
    tellTime(leader, from, 1_000)
  }
  leader.proposeQueued(1_000, 0)
  assert.deepEqual(outcome(out).records, ['accepted 2=a (2.1)'])
})

test('leadership is handed to the most advanced follower that answered recently, and commands are refused meanwhile', () => {
  const { leader, out } = lead({ change: { electionTimeoutMsMin: 300, electionTimeoutMsMax: 600 }, memberCount: 5 })
  assert.equal(leader.handOver(), false)
  assert.equal(leader.enqueue([bytes('a')]), true)
  ack(leader, 5, 1, 0, 9)
  for (const [from, decidedUpTo] of [
    [2, 3],
    [3, 5],
    [4, 4],
  ] as const) {
    ack(leader, from, 1, 400, decidedUpTo)
  }
  leader.tick(400)
  outcome(out)
  assert.equal(leader.handOver(), true)
  assert.deepEqual(outcome(out).now, ['n3 takeOver 2.1'])
  assert.equal(leader.enqueue([bytes('b')]), false)
  leader.tick(1_000)
  assert.equal(leader.enqueue([bytes('c')]), true)
})

test('a single member decides alone, once its own disk has the value', () => {
  const { leader, out } = lead({ memberCount: 1 })
  vote(leader, SELF, 1)
  assert.deepEqual(decidedOf(out), ['1=noop (2.1)'])
  leader.readIndex(SELF, 1)
  leader.flush(0)
  assert.deepEqual(out.take(true).readIndexes, [{ token: 1, slot: 1 }])
  assert.equal(leader.tick(10_000), true)
})
