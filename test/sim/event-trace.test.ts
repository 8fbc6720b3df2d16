import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeBallot } from '../../src/paxos/ballot.js'
import { type MembershipRecord, NOOP, type Value } from '../../src/paxos/types.js'
import { EventHash } from '../../src/sim/trace/event-hash.js'
import { EventTrace } from '../../src/sim/trace/event-trace.js'
import type { TraceEvent } from '../../src/sim/trace/trace-events.js'
import { tellEvent } from '../../src/sim/trace/trace-words.js'

const BALLOT = makeBallot(70_000, 2)
const VALUE: Value = { kind: 'batch', timeMs: 1_700_000_000_123, commands: [new Uint8Array(40)] }
const ENTRY = { slot: 7, ballot: BALLOT, value: VALUE }
const ACCEPT = { kind: 'accept', ballot: BALLOT, slot: 7, value: VALUE, decidedUpTo: 6 } as const
const PROMISE = {
  kind: 'promise',
  ballot: BALLOT,
  fromSlot: 7,
  accepted: [ENTRY],
  decidedUpTo: 6,
  nextSlot: 9,
  votesFrom: 3,
} as const
const RESET: Value = {
  kind: 'membership',
  epoch: 4,
  change: { kind: 'reset', nodeId: 3, dataDirId: 'd3', newDataDirId: 'e3' },
}
const MEMBERSHIP: MembershipRecord = {
  epoch: 5,
  fromSlot: 9,
  members: [{ nodeId: 3, dataDirId: 'd3', peerAddress: 'p', clientAddress: 'c', votesFrom: 9, returning: true }],
  lastNodeId: 3,
}
const GENESIS = { clusterId: 'c', members: [], initialCommands: [], windowSlots: 2, quotaBytes: 3, level: 1, levelVersion: '' }
const POLL_REPLY = { kind: 'pollReply', pollId: 2 ** 40, granted: true, promised: BALLOT, leaderId: 3, decidedUpTo: 6 } as const

/** A clock that stands still. */
const STANDING = { nowUs: 0 }

/** One event of each kind. */
const EVENTS: readonly TraceEvent[] = [
  { kind: 'sent', from: 1, to: 2, message: ACCEPT, copyOf: 0 },
  { kind: 'sent', from: 1, to: 2, message: PROMISE, copyOf: 3 },
  { kind: 'sent', from: 1, to: 2, message: POLL_REPLY, copyOf: 3 },
  { kind: 'ended', sentStep: 1, from: 1, to: 2, message: ACCEPT, fate: 'cut' },
  {
    kind: 'sent',
    from: 1,
    to: 2,
    message: {
      kind: 'join',
      dataDirId: 'd1',
      replacesDataDirId: '',
      capacityBytes: 1,
      formation: { members: [{ nodeId: 3, peerAddress: 'p', clientAddress: 'c' }], initialCommandCount: 1, initialDigest: 'i' },
      levelMax: 1,
    },
    copyOf: 0,
  },
  {
    kind: 'sent',
    from: 1,
    to: 2,
    message: { kind: 'welcome', genesis: GENESIS, memberships: [MEMBERSHIP], settledEpoch: 1 },
    copyOf: 0,
  },
  { kind: 'sent', from: 1, to: 2, message: { kind: 'changeMembership', requestId: 5, change: RESET.change }, copyOf: 0 },
  {
    kind: 'sent',
    from: 1,
    to: 2,
    message: { kind: 'changeMembershipRefused', requestId: 5, reason: 'NOT_CAUGHT_UP', message: 'too far behind' },
    copyOf: 0,
  },
  { kind: 'sent', from: 1, to: 2, message: { kind: 'handOver', toNodeId: 3 }, copyOf: 0 },
  { kind: 'sent', from: 1, to: 2, message: { kind: 'recall', writeNumber: 8, recallId: 1 }, copyOf: 0 },
  { kind: 'sent', from: 1, to: 2, message: { kind: 'recalled', writeNumber: 9, recallId: 1 }, copyOf: 0 },
  { kind: 'sent', from: 1, to: 2, message: { kind: 'mark', marks: [{ dataDirId: 'dir-1', writeNumber: 10 }] }, copyOf: 0 },
  {
    kind: 'sent',
    from: 1,
    to: 2,
    message: {
      kind: 'roster',
      clusterId: 'c',
      memberships: [],
      announcements: [{ nodeId: 3, dataDirId: 'd3', peerAddress: 'p', clientAddress: 'c', version: 2 }],
      asks: true,
      levelMin: 1,
      levelMax: 1,
      version: '1.0',
    },
    copyOf: 0,
  },
  { kind: 'sent', from: 1, to: 2, message: { kind: 'digest', slot: 7, stateDigest: 0xdeadbeef }, copyOf: 0 },
  { kind: 'started', node: 2 },
  { kind: 'recovered', node: 2, promised: BALLOT, decidedUpTo: 6, appliedUpTo: 4 },
  { kind: 'crashed', node: 2 },
  { kind: 'paused', node: 2, clockStops: true },
  { kind: 'woke', node: 2 },
  { kind: 'handOverAsked', node: 2 },
  { kind: 'stopAsked', node: 2 },
  { kind: 'stopped', node: 2 },
  { kind: 'halted', node: 2, code: 'DAMAGED', message: 'slot 3 has a wrong checksum' },
  { kind: 'directoryLost', node: 2 },
  { kind: 'directorySetAside', node: 2 },
  { kind: 'fetchBegun', node: 2, peer: 3, minSlot: 9, resumes: true },
  { kind: 'fetchPart', node: 2, peer: 3, part: 'page', count: 12 },
  { kind: 'fetchEnded', node: 2, peer: 3, outcome: 'done' },
  { kind: 'phase', node: 2, phase: 'leading', ballot: BALLOT },
  { kind: 'promised', node: 2, ballot: BALLOT },
  { kind: 'decided', node: 2, upTo: 7 },
  { kind: 'applied', node: 2, slot: 7, value: VALUE, digest: 0xdeadbeef },
  { kind: 'applied', node: 2, slot: 8, value: RESET, digest: 0xdeadbeef },
  {
    kind: 'writeBegun',
    node: 2,
    records: [
      { kind: 'promised', ballot: BALLOT },
      { kind: 'accepted', entry: ENTRY },
      { kind: 'decidedUpTo', slot: 6 },
    ],
    checkpointUpTo: 5,
    isInstall: false,
    changeCount: 3,
    isSynced: true,
  },
  { kind: 'writeEnded', begunStep: 1, node: 2, outcome: 'kept' },
  { kind: 'asked', client: 'client1', request: 4, node: 2, attempt: 2, what: () => 'put k1 = v2' },
  { kind: 'tryFailed', client: 'client1', request: 4, reason: 'timeout' },
  { kind: 'gaveUp', client: 'client1', request: 4 },
  {
    kind: 'answered',
    client: 'client1',
    request: 4,
    node: 2,
    slot: 7,
    result: new Uint8Array([1, 2, 3]),
    outcome: () => 'revision 3',
  },
  { kind: 'sessionOpened', client: 'client1', node: 2, clientId: 8 },
  { kind: 'clientDied', client: 'client1' },
  { kind: 'clientLeft', client: 'client1' },
  { kind: 'clientBack', client: 'client1' },
  { kind: 'faultBegun', fault: 'symmetricPartition', nodes: [1, 2, 3], detail: 'n1 | n2 n3', isMomentary: false },
  { kind: 'faultEnded', begunStep: 21, fault: 'symmetricPartition' },
  { kind: 'note', text: 'healed: n1 n2' },
  { kind: 'verdict', failure: 'node 2 forgot its promise in a restart', atStep: 5 },
]

/** Fields that the hash leaves out, because other fields say the same. */
const NOT_HASHED = new Set(['kind', 'message', 'what', 'commands', 'peerAddress', 'clientAddress', 'windowSlots'])
const NOT_HASHED_OF: Readonly<Record<string, readonly string[]>> = {
  ended: ['from', 'message'],
  faultEnded: ['fault'],
  changeMembershipRefused: ['message'],
}

function hashOf(event: unknown, atUs = 5): string {
  const hash = new EventHash()
  hash.add(atUs, event as TraceEvent)
  return hash.toString()
}

/** Returns every value that differs in one number, string or boolean. */
function changed(value: unknown): unknown[] {
  if (typeof value === 'number') return [value + 1, value + 2 ** 33]
  if (typeof value === 'boolean') return [!value]
  if (typeof value === 'function') return []
  if (value instanceof Uint8Array) return [value.with(0, 9), value.slice(1)]
  if (Array.isArray(value)) return value.flatMap((item, i) => changed(item).map((other) => value.with(i, other)))
  if (typeof value !== 'object' || value === null) return []
  const isMessage = 'kind' in value
  return Object.entries(value).flatMap(([name, field]) => {
    if (NOT_HASHED.has(name) && !(name === 'message' && isMessage && typeof field === 'object')) return []
    if (NOT_HASHED_OF[String('kind' in value ? value.kind : '')]?.includes(name)) return []
    const others = typeof field === 'string' ? textsBut(name, field) : changed(field)
    return others.map((other) => ({ ...value, [name]: other }))
  })
}

/** Returns another value for a text field; a union's value is replaced by another of the union. */
function textsBut(name: string, text: string): string[] {
  if (name === 'fate') return ['delivered', 'lost']
  if (name === 'outcome' && text === 'kept') return ['synced', 'lost']
  if (name === 'part') return ['header', 'end']
  if (name === 'phase') return ['following', 'scouting']
  return [`${text}!`]
}

test('the hash of events is the same on every machine and in every version of Node', () => {
  const clock = { nowUs: 0 }
  const trace = new EventTrace({ clock })
  for (const event of EVENTS) {
    trace.tell(event)
    clock.nowUs += 1_000_003
  }
  assert.equal(trace.count, EVENTS.length)
  assert.equal(trace.hash, '19f769fa71dd6730')
})

test('another value in any field of any event makes another hash', () => {
  const hashes = new Map<string, string>()
  for (const event of EVENTS) {
    const first = hashOf(event)
    assert.notEqual(first, hashOf(event, 6), 'the time counts')
    const others = changed(event)
    assert.ok(others.length > 0, event.kind)
    for (const other of [event, ...others]) {
      const hash = hashOf(other)
      const text = JSON.stringify(other)
      assert.equal(hashes.get(hash) ?? text, text)
      hashes.set(hash, text)
    }
  }
  assert.ok(hashes.size > 100, `${hashes.size}`)
})

test('an event that is not read is not put into words', () => {
  const trace = new EventTrace({ clock: STANDING })
  const asked = { kind: 'asked', client: 'client1', request: 1, node: 1, attempt: 1 } as const
  trace.tell({ ...asked, what: () => assert.fail('nobody reads it') })
  assert.equal(trace.count, 1)
})

test('a printed event has its step, its time and words', () => {
  const lines: string[] = []
  const trace = new EventTrace({ clock: { nowUs: 1_234_567 }, print: (line) => lines.push(line) })
  for (const event of EVENTS) trace.tell(event)
  assert.equal(lines.length, EVENTS.length)
  assert.equal(lines[0], '     1   1.234567s n1 -> n2: accept 70000.2 slot 7, 1 command (64 B), decided up to 6 sent')
  for (const event of EVENTS) assert.doesNotMatch(tellEvent(event), /undefined|\[object|NaN/)
})

test('recorded events are the same objects, in order, with step and time', () => {
  const trace = new EventTrace({ clock: STANDING, records: true })
  for (const [i, event] of EVENTS.entries()) assert.equal(trace.tell(event), i + 1)
  assert.deepEqual(
    trace.recorded,
    EVENTS.map((event, i) => ({ step: i + 1, atUs: 0, event })),
  )
  assert.deepEqual(new EventTrace({ clock: STANDING }).recorded, [])
})

test('a no-op and an empty message are told apart from a batch', () => {
  const noop = { kind: 'applied', node: 1, slot: 7, value: NOOP, digest: 1 } as const
  assert.equal(tellEvent(noop), 'n1 applies slot 7: no-op')
  assert.notEqual(hashOf(noop), hashOf({ ...noop, value: VALUE }))
})
