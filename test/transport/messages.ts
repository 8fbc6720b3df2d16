import { makeBallot } from '../../src/paxos/ballot.js'
import type { Message } from '../../src/paxos/messages.js'
import { type LogEntry, NOOP, type Value } from '../../src/paxos/types.js'

const ballot = makeBallot(2 ** 37 - 1, 65_535)
const slot = Number.MAX_SAFE_INTEGER - 1
const batch: Value = { kind: 'batch', timeMs: 1_700_000_000_000, commands: [Uint8Array.of(1), new Uint8Array(300).fill(7)] }
const entries: LogEntry[] = [
  { slot: slot - 1, ballot: makeBallot(1, 1), value: batch },
  { slot, ballot, value: NOOP },
]
const member = { nodeId: 1, dataDirId: 'dir-1', peerAddress: '127.0.0.1:7201', clientAddress: '127.0.0.1:7101' }

const announcement = { ...member, version: 1 }
const address = { nodeId: 1, peerAddress: 'a:1', clientAddress: '' }
const membership = { epoch: 2, fromSlot: 70, members: [{ ...member, votesFrom: 1, returning: false }], lastNodeId: 3 }

/** One of each kind, two where something may be absent. The type of the table makes a forgotten kind an error. */
const BY_KIND: { [Kind in Message['kind']]: Extract<Message, { kind: Kind }>[] } = {
  prepare: [{ kind: 'prepare', ballot, fromSlot: slot }],
  promise: [
    { kind: 'promise', ballot, fromSlot: slot - 1, accepted: entries, decidedUpTo: slot - 2, nextSlot: 0, votesFrom: slot },
    { kind: 'promise', ballot, fromSlot: 1, accepted: [], decidedUpTo: 0, nextSlot: 2, votesFrom: 0 },
  ],
  accept: [
    { kind: 'accept', ballot, slot, value: batch, decidedUpTo: slot - 1 },
    { kind: 'accept', ballot, slot: 1, value: NOOP, decidedUpTo: 0 },
  ],
  accepted: [{ kind: 'accepted', ballot, slot }],
  nack: [{ kind: 'nack', ballot: makeBallot(1, 2), promised: ballot }],
  heartbeat: [{ kind: 'heartbeat', ballot, round: slot, decidedUpTo: slot, heard: [1, 65_535], settledEpoch: 1 }],
  heartbeatAck: [{ kind: 'heartbeatAck', ballot, round: 1, decidedUpTo: 0, durableUpTo: 0, wallMs: 1_700_000_000_000 }],
  decided: [{ kind: 'decided', ballot, decidedUpTo: slot }],
  propose: [
    { kind: 'propose', commands: batch.kind === 'batch' ? batch.commands : [], hops: 2, originNodeId: 65_535, pageId: slot },
  ],
  proposeRefused: [{ kind: 'proposeRefused', pageId: slot }],
  catchUp: [{ kind: 'catchUp', fromSlot: 1, toSlot: slot }],
  catchUpReply: [
    { kind: 'catchUpReply', entries, decidedUpTo: slot, compactedUpTo: slot - 2, hasMore: true },
    { kind: 'catchUpReply', entries: [], decidedUpTo: 0, compactedUpTo: 0, hasMore: false },
  ],
  readIndex: [{ kind: 'readIndex', readId: slot }],
  readIndexReply: [{ kind: 'readIndexReply', readId: 1, slot }],
  poll: [{ kind: 'poll', pollId: slot }],
  pollReply: [
    { kind: 'pollReply', pollId: 1, granted: true, promised: 0, leaderId: 0, decidedUpTo: 0 },
    { kind: 'pollReply', pollId: slot, granted: false, promised: ballot, leaderId: 65_535, decidedUpTo: slot },
  ],
  takeOver: [{ kind: 'takeOver', ballot }],
  join: [
    { kind: 'join', dataDirId: 'dir-1', replacesDataDirId: '', capacityBytes: 0, formation: undefined, levelMax: 1 },
    {
      kind: 'join',
      dataDirId: 'dir-2',
      replacesDataDirId: 'dir-1',
      capacityBytes: 2,
      levelMax: 2 ** 32 - 1,
      formation: { members: [address], initialCommandCount: 2, initialDigest: 'd' },
    },
  ],
  welcome: [
    {
      kind: 'welcome',
      genesis: {
        clusterId: 'cluster',
        members: [member, { ...member, nodeId: 65_535, dataDirId: 'dir-2' }],
        initialCommands: [Uint8Array.of(9)],
        windowSlots: 64,
        quotaBytes: 2 ** 40,
        level: 3,
        levelVersion: '1.2.3',
      },
      memberships: [
        { epoch: 1, fromSlot: 1, members: [{ ...member, votesFrom: 1, returning: false }], lastNodeId: 1 },
        {
          epoch: 2,
          fromSlot: 70,
          members: [
            { ...member, votesFrom: 1, returning: false },
            { ...member, nodeId: 2, dataDirId: '', votesFrom: 0, returning: true },
          ],
          lastNodeId: 3,
        },
      ],
      settledEpoch: 1,
    },
  ],
  changeMembership: [
    {
      kind: 'changeMembership',
      requestId: 1,
      change: { kind: 'add', nodeId: 4, peerAddress: 'a:1', clientAddress: '' },
    },
    { kind: 'changeMembership', requestId: 2, change: { kind: 'bind', nodeId: 4, dataDirId: 'dir-4' } },
    { kind: 'changeMembership', requestId: 3, change: { kind: 'promote', nodeId: 4 } },
    { kind: 'changeMembership', requestId: 3, change: { kind: 'update', nodeId: 4, peerAddress: 'n4:1', clientAddress: 'n4:2' } },
    { kind: 'changeMembership', requestId: 4, change: { kind: 'remove', nodeId: 65_535 } },
    {
      kind: 'changeMembership',
      requestId: slot,
      change: { kind: 'reset', nodeId: 4, dataDirId: 'dir-4', newDataDirId: 'dir-5' },
    },
  ],
  changeMembershipRefused: [{ kind: 'changeMembershipRefused', requestId: slot, reason: 'NODE_ID_USED', message: 'no' }],
  handOver: [
    { kind: 'handOver', toNodeId: 0 },
    { kind: 'handOver', toNodeId: 65_535 },
  ],
  recall: [{ kind: 'recall', writeNumber: slot, recallId: slot }],
  recalled: [
    { kind: 'recalled', writeNumber: 0, recallId: 0 },
    { kind: 'recalled', writeNumber: slot, recallId: 1 },
  ],
  mark: [{ kind: 'mark', marks: [{ dataDirId: 'dir-1', writeNumber: slot }] }],
  roster: [
    {
      kind: 'roster',
      clusterId: '',
      memberships: [],
      announcements: [announcement],
      asks: true,
      levelMin: 1,
      levelMax: 2,
      version: '1.2',
    },
    {
      kind: 'roster',
      clusterId: 'c',
      memberships: [membership],
      announcements: [{ ...announcement, clientAddress: '' }],
      asks: false,
      levelMin: 2,
      levelMax: 2,
      version: '',
    },
  ],
  digest: [{ kind: 'digest', slot, stateDigest: 2 ** 32 - 1 }],
  skippedSlots: [{ kind: 'skippedSlots', appliedUpTo: slot, slots: [1, slot] }],
}

export const EVERY_MESSAGE: readonly Message[] = Object.values(BY_KIND).flat()
