import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeBallot } from '../../src/paxos/ballot.js'
import { DEFAULT_OPTIONS } from '../../src/paxos/core-options.js'
import { brokenInvariants, brokenTransitions, type CoreView, viewOf } from '../../src/paxos/invariants.js'
import { genesisRecord } from '../../src/paxos/memberships.js'
import { Node } from '../../src/paxos/node.js'
import { type LogEntry, NOOP } from '../../src/paxos/types.js'

const LOW = makeBallot(1, 1)
const HIGH = makeBallot(2, 2)
const batch = (text: string) => ({ kind: 'batch', timeMs: 1, commands: [new TextEncoder().encode(text)] }) as const
const vote = (slot: number, ballot = LOW, value: LogEntry['value'] = NOOP): LogEntry => ({ slot, ballot, value })

const VIEW: CoreView = { promised: LOW, decidedUpTo: 4, leadingBallot: 0, votes: [vote(5), vote(7)] }

for (const [what, now, sentence] of [
  ['what is well', VIEW, undefined],
  ['a leader that has promised no other', { ...VIEW, leadingBallot: LOW }, undefined],
  [
    'a leader that has promised a higher ballot',
    { ...VIEW, promised: HIGH, leadingBallot: LOW },
    'leads in ballot 1.1 but has promised 2.2',
  ],
  ['a vote above the promise (A2)', { ...VIEW, votes: [vote(5, HIGH)] }, 'voted in slot 5 above its promise'],
  ['an open vote for a decided slot', { ...VIEW, votes: [vote(4)] }, 'keeps an open vote for slot 4, which is decided'],
] as const) {
  test(`of one state: ${what}`, () => {
    assert.deepEqual(brokenInvariants(now), sentence === undefined ? [] : [sentence])
  })
}

for (const [what, now, sentence] of [
  ['nothing happened', VIEW, undefined],
  [
    'a higher promise, a higher watermark, another vote',
    { ...VIEW, promised: HIGH, decidedUpTo: 6, votes: [vote(7, HIGH)] },
    undefined,
  ],
  ['the same vote in another object', { ...VIEW, votes: [vote(5), vote(7)] }, undefined],
  ['a lower promise (A1)', { ...VIEW, promised: LOW - 1 }, 'its promise was lowered'],
  ['a lower watermark (R4)', { ...VIEW, decidedUpTo: 3 }, 'its watermark went back'],
  ['a forgotten vote (A3)', { ...VIEW, votes: [vote(7)] }, 'forgot its vote for slot 5'],
  ['a forgotten last vote (A3)', { ...VIEW, votes: [vote(5)] }, 'forgot its vote for slot 7'],
  ['a vote in a lower ballot', { ...VIEW, votes: [vote(5, LOW - 1), vote(7)] }, 'went back to a lower ballot in slot 5'],
  ['another value in one ballot', { ...VIEW, votes: [vote(5, LOW, batch('a')), vote(7)] }, 'changed its vote in slot 5'],
] as const) {
  test(`from one state to the next: ${what}`, () => {
    assert.deepEqual(brokenTransitions(VIEW, now), sentence === undefined ? [] : [sentence])
  })
}

test('a leader may only move to a higher ballot', () => {
  const leading = { ...VIEW, promised: HIGH, leadingBallot: HIGH }
  assert.deepEqual(brokenTransitions(leading, { ...leading, leadingBallot: LOW }), ['it leads in a lower ballot'])
  assert.deepEqual(brokenTransitions(leading, { ...leading, leadingBallot: 0 }), [])
})

test('a view keeps the votes as they were, and shares them with the next view while none changes', () => {
  const members = [1, 2, 3].map((nodeId) => ({ nodeId, peerAddress: `n${nodeId}:1`, clientAddress: `n${nodeId}:2` }))
  const genesis = {
    clusterId: 'c',
    members: members.map((m) => ({ ...m, dataDirId: `d${m.nodeId}` })),
    initialCommands: [],
    windowSlots: 64,
    quotaBytes: 0,
    level: 1,
    levelVersion: '',
  }
  const node = new Node({
    self: 1,
    dataDirId: 'd1',
    members,
    newClusterId: 'c',
    initialCommands: [],
    replacesDataDirId: '',
    capacityBytes: 0,
    levelMax: 1,
    version: '',
    initialDigest: '',
    joins: false,
    memberships: [genesisRecord(genesis)],
    logTimeMs: 0,
    joinIntervalMs: 100,
    recovered: { genesis, promised: HIGH, decidedUpTo: 0, accepted: [vote(1)], compactedUpTo: 0 },
    options: DEFAULT_OPTIONS,
    random: () => 0,
    nowMs: 0,
  })
  const before = viewOf(node)
  assert.equal(viewOf(node).votes, before.votes)
  node.receive(2, { kind: 'accept', ballot: HIGH, slot: 2, value: NOOP, decidedUpTo: 0 })
  assert.deepEqual(before.votes, [vote(1)])
  assert.deepEqual(viewOf(node).votes, [vote(1), vote(2, HIGH)])
  node.receive(2, { kind: 'accept', ballot: HIGH, slot: 1, value: NOOP, decidedUpTo: 0 })
  node.receive(2, { kind: 'decided', ballot: HIGH, decidedUpTo: 1 })
  assert.deepEqual(viewOf(node).votes, [vote(2, HIGH)])
})
