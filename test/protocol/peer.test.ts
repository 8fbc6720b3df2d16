import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ConnectRequest,
  PeerMessage,
  type MembershipChange as WireChange,
  type Genesis as WireGenesis,
  type Membership as WireMembership,
} from '../../src/gen/synod/peer/v1/peer.js'
import { makeBallot } from '../../src/paxos/ballot.js'
import type { Message } from '../../src/paxos/messages.js'
import { decodeFrame, encodeHello, encodeMessages, messageBytes } from '../../src/protocol/peer.js'
import { PeerCodecError } from '../../src/protocol/peer-fields.js'
import { encodeValue } from '../../src/protocol/value-codec.js'
import { EVERY_MESSAGE } from '../transport/messages.js'

for (const message of EVERY_MESSAGE) {
  test(`${message.kind} comes back as it went`, () => {
    const { hello, messages } = decodeFrame(encodeMessages([message]))
    assert.equal(hello, undefined)
    assert.deepEqual(plain(messages), plain([message]))
  })

  test(`${message.kind} is not much longer than messageBytes says`, () => {
    const actual = encodeMessages([message]).length
    assert.ok(messageBytes(message) >= actual, `${messageBytes(message)} said, ${actual} taken`)
  })
}

test('a frame keeps its messages in order, next to a hello', () => {
  const hello = { protocolVersion: 1, clusterId: 'c', fromNodeId: 1, toNodeId: 2, dataDirId: 'd' }
  assert.deepEqual(decodeFrame(encodeHello(hello)), { hello, messages: [] })
  assert.deepEqual(plain(decodeFrame(encodeMessages(EVERY_MESSAGE)).messages), plain(EVERY_MESSAGE))
})

test('a value keeps the bytes it came in, so that it is never encoded again', () => {
  const batch = EVERY_MESSAGE.find((message) => message.kind === 'accept')
  assert.ok(batch)
  const [decoded] = decodeFrame(encodeMessages([batch])).messages
  assert.ok(decoded?.kind === 'accept')
  assert.equal(Buffer.compare(encodeValue(decoded.value), encodeValue(batch.value)), 0)
  assert.equal(encodeValue(decoded.value), encodeValue(decoded.value))
})

const BALLOT = makeBallot(3, 1)
const SLOT_TOO_HIGH = Number.MAX_SAFE_INTEGER
const VALUE = encodeValue({ kind: 'noop' })
const MEMBER = { nodeId: 1, dataDirId: 'd', peerAddress: 'p:1', clientAddress: 'c:1' }
const GENESIS = {
  clusterId: 'c',
  members: [MEMBER],
  initialCommands: [],
  windowSlots: 64,
  quotaBytes: 0,
  level: 1,
  levelVersion: '',
}
const VOTER = { ...MEMBER, votesFrom: 1, returning: false }
const MEMBERSHIP = { epoch: 1, fromSlot: 1, members: [VOTER], lastNodeId: 1 }

function entry(slot: number, ballot = BALLOT, value = VALUE) {
  return { slot, ballot, value }
}

/** The field that must be named, and the message that holds the fault. */
const MALFORMED: [string, PeerMessage['message']][] = [
  ['message', undefined],
  ['prepare.ballot', { $case: 'prepare', value: { ballot: 0, fromSlot: 1 } }],
  ['prepare.ballot', { $case: 'prepare', value: { ballot: 65_535, fromSlot: 1 } }],
  ['prepare.ballot', { $case: 'prepare', value: { ballot: 2 * 65_536, fromSlot: 1 } }],
  ['prepare.from_slot', { $case: 'prepare', value: { ballot: BALLOT, fromSlot: 0 } }],
  ['prepare.from_slot', { $case: 'prepare', value: { ballot: BALLOT, fromSlot: SLOT_TOO_HIGH } }],
  ['promise.ballot', promise({ ballot: 1 })],
  ['promise.from_slot', promise({ fromSlot: 0 })],
  ['promise.next_slot', promise({ fromSlot: 5, nextSlot: 5 })],
  ['promise.votes_from', promise({ votesFrom: SLOT_TOO_HIGH })],
  ['promise.decided_up_to', promise({ decidedUpTo: SLOT_TOO_HIGH })],
  ['promise.accepted[0].slot', promise({ fromSlot: 5, accepted: [entry(4)] })],
  ['promise.accepted[0].slot', promise({ accepted: [entry(0)] })],
  ['promise.accepted[1].slot', promise({ accepted: [entry(7), entry(7)] })],
  ['promise.accepted[1].ballot', promise({ accepted: [entry(7), entry(9, 0)] })],
  ['promise.accepted[0].value', promise({ accepted: [entry(7, BALLOT, Uint8Array.of(255))] })],
  ['promise.next_slot', promise({ nextSlot: 8, accepted: [entry(7), entry(8)] })],
  ['accept.ballot', { $case: 'accept', value: { ballot: 0, slot: 1, value: VALUE, decidedUpTo: 0 } }],
  ['accept.slot', { $case: 'accept', value: { ballot: BALLOT, slot: 0, value: VALUE, decidedUpTo: 0 } }],
  ['accept.value', { $case: 'accept', value: { ballot: BALLOT, slot: 1, value: new Uint8Array(), decidedUpTo: 0 } }],
  ['accept.decided_up_to', { $case: 'accept', value: { ballot: BALLOT, slot: 1, value: VALUE, decidedUpTo: SLOT_TOO_HIGH } }],
  ['accepted.ballot', { $case: 'accepted', value: { ballot: 0, slot: 1 } }],
  ['accepted.slot', { $case: 'accepted', value: { ballot: BALLOT, slot: 0 } }],
  ['nack.ballot', { $case: 'nack', value: { ballot: 0, promised: BALLOT } }],
  ['nack.promised', { $case: 'nack', value: { ballot: BALLOT, promised: 0 } }],
  ['heartbeat.ballot', { $case: 'heartbeat', value: { ballot: 0, round: 1, decidedUpTo: 0, heardNodeIds: [], settledEpoch: 1 } }],
  [
    'heartbeat.round',
    { $case: 'heartbeat', value: { ballot: BALLOT, round: 0, decidedUpTo: 0, heardNodeIds: [], settledEpoch: 1 } },
  ],
  [
    'heartbeat.decided_up_to',
    { $case: 'heartbeat', value: { ballot: BALLOT, round: 1, decidedUpTo: SLOT_TOO_HIGH, heardNodeIds: [], settledEpoch: 1 } },
  ],
  ['heartbeat_ack.ballot', { $case: 'heartbeatAck', value: { ballot: 0, round: 1, decidedUpTo: 0, durableUpTo: 0, wallMs: 0 } }],
  [
    'heartbeat_ack.decided_up_to',
    { $case: 'heartbeatAck', value: { ballot: BALLOT, round: 1, decidedUpTo: SLOT_TOO_HIGH, durableUpTo: 0, wallMs: 0 } },
  ],
  [
    'heartbeat_ack.durable_up_to',
    { $case: 'heartbeatAck', value: { ballot: BALLOT, round: 1, decidedUpTo: 0, durableUpTo: SLOT_TOO_HIGH, wallMs: 0 } },
  ],
  ['decided.ballot', { $case: 'decided', value: { ballot: 0, decidedUpTo: 1 } }],
  ['decided.decided_up_to', { $case: 'decided', value: { ballot: BALLOT, decidedUpTo: SLOT_TOO_HIGH } }],
  ['propose.commands', { $case: 'propose', value: { commands: [], hops: 0, originNodeId: 1, pageId: 0 } }],
  [
    'propose.commands[1]',
    { $case: 'propose', value: { commands: [Uint8Array.of(1), new Uint8Array()], hops: 0, originNodeId: 1, pageId: 0 } },
  ],
  ['propose.hops', { $case: 'propose', value: { commands: [Uint8Array.of(1)], hops: 256, originNodeId: 1, pageId: 0 } }],
  [
    'propose.origin_node_id',
    { $case: 'propose', value: { commands: [Uint8Array.of(1)], hops: 0, originNodeId: 65_536, pageId: 0 } },
  ],
  ['propose_refused.page_id', { $case: 'proposeRefused', value: { pageId: 0 } }],
  ['catch_up.from_slot', { $case: 'catchUp', value: { fromSlot: 0, toSlot: 1 } }],
  ['catch_up.to_slot', { $case: 'catchUp', value: { fromSlot: 5, toSlot: 4 } }],
  [
    'catch_up_reply.entries[1].slot',
    { $case: 'catchUpReply', value: { entries: [entry(3), entry(5)], decidedUpTo: 9, compactedUpTo: 0, hasMore: false } },
  ],
  [
    'catch_up_reply.entries[1].slot',
    { $case: 'catchUpReply', value: { entries: [entry(3), entry(2)], decidedUpTo: 9, compactedUpTo: 0, hasMore: false } },
  ],
  [
    'catch_up_reply.compacted_up_to',
    { $case: 'catchUpReply', value: { entries: [], decidedUpTo: 9, compactedUpTo: SLOT_TOO_HIGH, hasMore: false } },
  ],
  [
    'catch_up_reply.decided_up_to',
    { $case: 'catchUpReply', value: { entries: [], decidedUpTo: SLOT_TOO_HIGH, compactedUpTo: 0, hasMore: false } },
  ],
  [
    'join.level_max',
    { $case: 'join', value: { dataDirId: 'd', replacesDataDirId: '', capacityBytes: 0, formation: undefined, levelMax: 0 } },
  ],
  ['read_index.read_id', { $case: 'readIndex', value: { readId: 0 } }],
  ['read_index_reply.read_id', { $case: 'readIndexReply', value: { readId: 0, slot: 1 } }],
  ['read_index_reply.slot', { $case: 'readIndexReply', value: { readId: 1, slot: SLOT_TOO_HIGH } }],
  ['poll.poll_id', { $case: 'poll', value: { pollId: 0 } }],
  ['poll_reply.poll_id', pollReply({ pollId: 0 })],
  ['poll_reply.promised', pollReply({ promised: 7 })],
  ['poll_reply.leader_id', pollReply({ leaderId: 65_536 })],
  ['poll_reply.decided_up_to', pollReply({ decidedUpTo: SLOT_TOO_HIGH })],
  ['take_over.ballot', { $case: 'takeOver', value: { ballot: 0 } }],
  [
    'join.data_dir_id',
    { $case: 'join', value: { dataDirId: '', replacesDataDirId: '', capacityBytes: 0, formation: undefined, levelMax: 1 } },
  ],
  [
    'join.data_dir_id',
    {
      $case: 'join',
      value: { dataDirId: 'd'.repeat(257), replacesDataDirId: '', capacityBytes: 0, formation: undefined, levelMax: 1 },
    },
  ],
  [
    'join.replaces_data_dir_id',
    {
      $case: 'join',
      value: { dataDirId: 'd', replacesDataDirId: 'd'.repeat(257), capacityBytes: 0, formation: undefined, levelMax: 1 },
    },
  ],
  ['welcome.genesis', { $case: 'welcome', value: { genesis: undefined, memberships: [MEMBERSHIP], settledEpoch: 1 } }],
  ['welcome.genesis.cluster_id', welcome({ clusterId: '' })],
  ['welcome.genesis.members', welcome({ members: [] })],
  ['welcome.genesis.members[0].node_id', welcome({ members: [{ ...MEMBER, nodeId: 65_536 }] })],
  ['welcome.genesis.members[1].node_id', welcome({ members: [MEMBER, MEMBER] })],
  ['welcome.genesis.members[0].data_dir_id', welcome({ members: [{ ...MEMBER, dataDirId: '' }] })],
  ['welcome.genesis.members[0].peer_address', welcome({ members: [{ ...MEMBER, peerAddress: '' }] })],
  ['welcome.genesis.window_slots', welcome({ windowSlots: 0 })],
  ['welcome.memberships', welcome({}, [])],
  ['welcome.memberships[1]', welcome({}, [MEMBERSHIP, MEMBERSHIP])],
  ['welcome.memberships[0].epoch', welcome({}, [{ ...MEMBERSHIP, epoch: 0 }])],
  ['welcome.memberships[0].from_slot', welcome({}, [{ ...MEMBERSHIP, fromSlot: 0 }])],
  ['welcome.memberships[0].last_node_id', welcome({}, [{ ...MEMBERSHIP, lastNodeId: 0 }])],
  ['welcome.memberships[0].members', welcome({}, [{ ...MEMBERSHIP, members: [] }])],
  ['welcome.memberships[0].members', welcome({}, [{ ...MEMBERSHIP, members: [{ ...VOTER, votesFrom: 0 }] }])],
  ['welcome.memberships[0].members[1].node_id', welcome({}, [{ ...MEMBERSHIP, members: [VOTER, VOTER] }])],
  ['change_membership.change', change(undefined)],
  ['change_membership.change.remove.node_id', change({ $case: 'remove', value: { nodeId: 0 } })],
  ['change_membership.change.promote.node_id', change({ $case: 'promote', value: { nodeId: 65_536 } })],
  [
    'change_membership.change.add.peer_address',
    change({ $case: 'add', value: { nodeId: 1, peerAddress: '', clientAddress: '' } }),
  ],
  ['change_membership.change.bind.data_dir_id', change({ $case: 'bind', value: { nodeId: 1, dataDirId: '' } })],
  [
    'change_membership.change.reset.new_data_dir_id',
    change({ $case: 'reset', value: { nodeId: 1, dataDirId: 'd', newDataDirId: '' } }),
  ],
  ['hand_over.to_node_id', { $case: 'handOver', value: { toNodeId: 65_536 } }],
  ['digest.slot', { $case: 'digest', value: { slot: 0, stateDigest: 1 } }],
]

for (const [i, [field, message]] of MALFORMED.entries()) {
  test(`a fault in ${field} is named (${i + 1})`, () => {
    const bytes = ConnectRequest.encode({ hello: undefined, messages: [{ message }] }).finish()
    assert.throws(
      () => decodeFrame(bytes),
      (error) => error instanceof PeerCodecError && error.field === field && error.message.startsWith(`${field} `),
    )
  })
}

test('bytes that are no frame are a typed error, and so is a number past 2^53', () => {
  const tooLong = PeerMessage.encode({ message: { $case: 'poll', value: { pollId: 2 ** 60 } } }).finish()
  const frames = [
    Uint8Array.of(255, 255, 255),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    encodeMessages(EVERY_MESSAGE).subarray(0, -3),
    Uint8Array.of(18, tooLong.length, ...tooLong),
  ]
  for (const bytes of frames) {
    assert.throws(
      () => decodeFrame(bytes),
      (error) => error instanceof PeerCodecError && error.field === 'frame',
    )
  }
})

function promise(
  change: Partial<{ ballot: number; fromSlot: number; nextSlot: number; decidedUpTo: number; votesFrom: number }> & {
    accepted?: ReturnType<typeof entry>[]
  },
) {
  return {
    $case: 'promise' as const,
    value: { ballot: BALLOT, fromSlot: 1, accepted: [], decidedUpTo: 0, nextSlot: 0, votesFrom: 1, ...change },
  }
}

function pollReply(change: Partial<{ pollId: number; promised: number; leaderId: number; decidedUpTo: number }>) {
  return {
    $case: 'pollReply' as const,
    value: { pollId: 1, granted: false, promised: 0, leaderId: 0, decidedUpTo: 0, ...change },
  }
}

function welcome(change: Partial<WireGenesis>, memberships: WireMembership[] = [MEMBERSHIP]) {
  return {
    $case: 'welcome' as const,
    value: { genesis: { ...GENESIS, ...change }, memberships, settledEpoch: 1 },
  }
}

function change(kind: WireChange['change'], requestId = 1) {
  return { $case: 'changeMembership' as const, value: { requestId, change: { change: kind } } }
}

/** Buffers and Uint8Arrays alike as hex, which deepEqual would tell apart. */
function plain(messages: readonly Message[]): unknown {
  return JSON.parse(JSON.stringify(messages, (_, v) => (v?.type === 'Buffer' || v instanceof Uint8Array ? hex(v) : v)))
}

function hex(bytes: Uint8Array | { data: number[] }): string {
  return Buffer.from(bytes instanceof Uint8Array ? bytes : bytes.data).toString('hex')
}
