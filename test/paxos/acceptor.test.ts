import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Acceptor } from '../../src/paxos/acceptor.js'
import { InvariantError } from '../../src/paxos/assert.js'
import { formatBallot, makeBallot } from '../../src/paxos/ballot.js'
import { Outbox } from '../../src/paxos/outbox.js'
import { NOOP } from '../../src/paxos/types.js'
import { sizeOf } from '../../src/paxos/value.js'
import { batch, describeRecord } from './describe.js'
import { entry, options, outcome, recovered, voting } from './role.js'

const SELF = 2
const LEADER = 3
const PROMISED = makeBallot(2, LEADER)
const LOWER = makeBallot(1, LEADER)
const HIGHER = makeBallot(3, LEADER)
const DECIDED_UP_TO = 4
const VOTED = 5
const NEW = 6
const WINDOW_SLOTS = 2
const LAST_IN_WINDOW = DECIDED_UP_TO + 64 * WINDOW_SLOTS

/** The same acceptor by two roads: it lived through everything, or found it on its disk. */
const ORIGINS = {
  'that lived through it': (vote: number) => {
    const out = new Outbox(SELF)
    const acceptor = voting(new Acceptor(SELF, out, options({ windowSlots: WINDOW_SLOTS }), recovered()))
    for (let slot = 1; slot <= DECIDED_UP_TO; slot++) {
      acceptor.onAccept(LEADER, { kind: 'accept', ballot: LOWER, slot, value: NOOP, decidedUpTo: 0 })
      acceptor.onDecided(slot)
    }
    acceptor.onAccept(LEADER, { kind: 'accept', ballot: vote, slot: VOTED, value: batch('old'), decidedUpTo: 0 })
    acceptor.onPrepare(LEADER, { kind: 'prepare', ballot: PROMISED, fromSlot: 1 })
    outcome(out)
    return { out, acceptor }
  },
  'that was restarted': (vote: number) => {
    const out = new Outbox(SELF)
    const accepted = [entry(VOTED, vote, batch('old'))]
    const state = recovered({ promised: PROMISED, decidedUpTo: DECIDED_UP_TO, accepted })
    return { out, acceptor: voting(new Acceptor(SELF, out, options({ windowSlots: WINDOW_SLOTS }), state)) }
  },
}

const NOTHING = { now: [], records: [], onceDurable: [] }

for (const [origin, make] of Object.entries(ORIGINS)) {
  for (const vote of [LOWER, PROMISED]) {
    const held = `accepted 5=old (${formatBallot(vote)})`

    test(`A1: an acceptor ${origin} promises only what is not below its promise (vote in ${formatBallot(vote)})`, () => {
      const cases = [
        [LOWER, { ...NOTHING, now: ['n3 nack 1.3, promised 2.3'] }],
        [PROMISED, { ...NOTHING, onceDurable: [`n3 promise 2.3 from 5: ${held}, decided up to 4`] }],
        [HIGHER, { ...NOTHING, records: ['promised 3.3'], onceDurable: [`n3 promise 3.3 from 5: ${held}, decided up to 4`] }],
      ] as const
      for (const [ballot, expected] of cases) {
        const { out, acceptor } = make(vote)
        acceptor.onPrepare(LEADER, { kind: 'prepare', ballot, fromSlot: VOTED })
        assert.deepEqual(outcome(out), expected)
        assert.equal(acceptor.promised, Math.max(ballot, PROMISED))
      }
    })

    for (const [place, slot] of Object.entries({
      decided: DECIDED_UP_TO,
      voted: VOTED,
      new: NEW,
      'last in window': LAST_IN_WINDOW,
    })) {
      test(`A2: an acceptor ${origin} votes in no ballot below its promise (${place} slot, vote in ${formatBallot(vote)})`, () => {
        for (const ballot of [LOWER, PROMISED, HIGHER]) {
          const { out, acceptor } = make(vote)
          // In the ballot of the vote there is only one value.
          const value = slot === VOTED && ballot === vote ? batch('old') : batch('new')
          acceptor.onAccept(LEADER, { kind: 'accept', ballot, slot, value, decidedUpTo: 0 })
          if (ballot === LOWER) {
            assert.deepEqual(outcome(out), { ...NOTHING, now: ['n3 nack 1.3, promised 2.3'] })
            continue
          }
          const promise = ballot === HIGHER ? ['promised 3.3'] : []
          // A decided slot needs no vote on record; a vote cast already is not cast again.
          const isRecorded = slot !== DECIDED_UP_TO && !(slot === VOTED && ballot === vote)
          const record = isRecorded ? [`accepted ${slot}=new (${formatBallot(ballot)})`] : []
          assert.deepEqual(outcome(out), {
            now: [],
            records: [...promise, ...record],
            onceDurable: [`n3 accepted ${formatBallot(ballot)} ${slot}`],
          })
          assert.equal(acceptor.promised, ballot)
          if (isRecorded) assert.deepEqual(acceptor.acceptedAt(slot), entry(slot, ballot, batch('new')))
        }
      })
    }

    test(`an acceptor ${origin} stays silent about slots beyond its window (vote in ${formatBallot(vote)})`, () => {
      for (const ballot of [PROMISED, HIGHER]) {
        const { out, acceptor } = make(vote)
        acceptor.onAccept(LEADER, { kind: 'accept', ballot, slot: LAST_IN_WINDOW + 1, value: NOOP, decidedUpTo: 0 })
        assert.deepEqual(outcome(out), NOTHING)
        assert.equal(acceptor.promised, PROMISED)
      }
    })
  }

  test(`A3: an acceptor ${origin} forgets a vote only when its slot is decided`, () => {
    const { out, acceptor } = make(PROMISED)
    acceptor.onPrepare(LEADER, { kind: 'prepare', ballot: HIGHER, fromSlot: 1 })
    acceptor.onAccept(LEADER, { kind: 'accept', ballot: HIGHER, slot: NEW, value: NOOP, decidedUpTo: 0 })
    assert.deepEqual(acceptor.acceptedAt(VOTED), entry(VOTED, PROMISED, batch('old')))
    acceptor.onDecided(VOTED)
    assert.equal(acceptor.acceptedAt(VOTED), undefined)
    outcome(out)
    acceptor.onPrepare(LEADER, { kind: 'prepare', ballot: HIGHER, fromSlot: 1 })
    assert.deepEqual(outcome(out).onceDurable, ['n3 promise 3.3 from 1: accepted 6=noop (3.3), decided up to 5'])
  })

  test(`an acceptor ${origin} does not accept two values in one ballot`, () => {
    const { acceptor } = make(PROMISED)
    const other = { kind: 'accept', ballot: PROMISED, slot: VOTED, value: batch('other'), decidedUpTo: 0 } as const
    assert.throws(() => acceptor.onAccept(LEADER, other), InvariantError)
  })
}

test('a promise and a vote leave only with the write that makes them durable', () => {
  const out = new Outbox(SELF)
  const acceptor = voting(new Acceptor(SELF, out, options(), recovered()))
  acceptor.onPrepare(LEADER, { kind: 'prepare', ballot: LOWER, fromSlot: 1 })
  acceptor.onAccept(LEADER, { kind: 'accept', ballot: LOWER, slot: 1, value: NOOP, decidedUpTo: 0 })
  const whileBusy = out.take(false)
  assert.deepEqual([whileBusy.messages, whileBusy.records, whileBusy.onceDurable], [[], [], []])
  const write = out.take(true)
  assert.deepEqual(write.records.map(describeRecord), ['promised 1.3', 'accepted 1=noop (1.3)'])
  assert.deepEqual(
    write.onceDurable.map(({ message }) => message.kind),
    ['promise', 'accepted'],
  )
})

test('a repeated Accept is answered after the write of its vote, which is in flight', () => {
  const out = new Outbox(SELF)
  const acceptor = voting(new Acceptor(SELF, out, options(), recovered()))
  const accept = { kind: 'accept', ballot: LOWER, slot: 1, value: NOOP, decidedUpTo: 0 } as const
  acceptor.onAccept(LEADER, accept)
  out.take(true)
  acceptor.onAccept(LEADER, accept)
  assert.deepEqual(out.take(false).onceDurable, [])
  assert.equal(out.take(true).onceDurable.length, 1)
})

test('a promise is sent in pages, and each page starts at the requested slot', () => {
  const accepted = [5, 6, 8].map((slot) => entry(slot, LOWER, batch('0123456789')))
  const out = new Outbox(SELF)
  const state = recovered({ promised: PROMISED, decidedUpTo: DECIDED_UP_TO, accepted })
  const acceptor = voting(new Acceptor(SELF, out, options({ pageBytesMax: 70 }), state))
  for (const fromSlot of [1, 8, 9]) acceptor.onPrepare(LEADER, { kind: 'prepare', ballot: PROMISED, fromSlot })
  assert.deepEqual(outcome(out).onceDurable, [
    'n3 promise 2.3 from 1: accepted 5=0123456789 (1.3), 6=0123456789 (1.3), decided up to 4, more from 8',
    'n3 promise 2.3 from 8: accepted 8=0123456789 (1.3), decided up to 4',
    'n3 promise 2.3 from 9: accepted nothing, decided up to 4',
  ])
})

test('an acceptor does not start with a vote above its promise, or for a decided slot', () => {
  const above = recovered({ promised: LOWER, accepted: [entry(1, HIGHER)] })
  const decided = recovered({ promised: LOWER, decidedUpTo: 1, accepted: [entry(1, LOWER)] })
  for (const state of [above, decided]) {
    assert.throws(() => new Acceptor(SELF, new Outbox(SELF), options(), state), InvariantError)
  }
})

test('a full acceptor votes for nothing new, still promises, and votes again when there is room', () => {
  const out = new Outbox(SELF)
  const acceptor = voting(new Acceptor(SELF, out, options(), recovered({ promised: PROMISED, decidedUpTo: 4 })))
  const ask = (slot: number, ballot = PROMISED) =>
    acceptor.onAccept(LEADER, { kind: 'accept', ballot, slot, value: batch('a'), decidedUpTo: 4 })
  acceptor.isFull = true
  ask(5)
  assert.deepEqual(outcome(out), NOTHING)
  ask(4)
  assert.deepEqual(outcome(out).onceDurable, ['n3 accepted 2.3 4'], 'what is decided costs nothing')
  acceptor.onPrepare(LEADER, { kind: 'prepare', ballot: HIGHER, fromSlot: 5 })
  assert.deepEqual(outcome(out).onceDurable, ['n3 promise 3.3 from 5: accepted nothing, decided up to 4'])
  ask(5, PROMISED)
  assert.deepEqual(outcome(out).now, ['n3 nack 2.3, promised 3.3'])
  acceptor.isFull = false
  ask(5, HIGHER)
  assert.deepEqual(outcome(out).records, ['accepted 5=a (3.3)'])
})

test('votes for open slots are bounded by bytes, except for the next slot; a vote that replaces another counts once', () => {
  const out = new Outbox(SELF)
  const value = batch('x'.repeat(100))
  const bytesMax = 3 * sizeOf(value)
  const acceptor = voting(new Acceptor(SELF, out, options({ openBytesMax: bytesMax }), recovered({ promised: LOWER })))
  const votesFor = (slot: number, ballot: number, what = value) => {
    acceptor.onAccept(LEADER, { kind: 'accept', ballot, slot, value: what, decidedUpTo: 0 })
    return outcome(out).records.some((record) => record.startsWith('accepted'))
  }
  assert.deepEqual(
    [2, 3, 4, 5].map((slot) => votesFor(slot, LOWER)),
    [true, true, true, false],
  )
  assert.equal(votesFor(3, PROMISED), true, 'in a higher ballot, in the place of the lower one')
  assert.equal(votesFor(1, PROMISED), true, 'the next slot')
  acceptor.onDecided(1)
  assert.equal(votesFor(5, PROMISED), false)
  acceptor.onDecided(2)
  assert.equal(votesFor(5, PROMISED), true)
  acceptor.onInstalled(5)
  assert.deepEqual(
    [7, 8, 9, 10].map((slot) => votesFor(slot, PROMISED)),
    [true, true, true, false],
    'installed slots take no room',
  )
})
