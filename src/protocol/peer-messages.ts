import type {
  PeerMessage,
  Accept as WireAccept,
  CatchUp as WireCatchUp,
  CatchUpReply as WireCatchUpReply,
  Heartbeat as WireHeartbeat,
  HeartbeatAck as WireHeartbeatAck,
  Join as WireJoin,
  Mark as WireMark,
  PollReply as WirePollReply,
  Promise as WirePromise,
  Propose as WirePropose,
  ReadIndexReply as WireReadIndexReply,
  ChangeMembershipRefused as WireRefused,
} from '../gen/synod/peer/v1/peer.js'
import type { MembershipRefusalReason } from '../paxos/membership-changes.js'
import type {
  Accept,
  CatchUp,
  CatchUpReply,
  ChangeMembershipRefused,
  DirectoryMark,
  HeartbeatAck,
  Join,
  Message,
  PollReply,
  Promised,
  Propose,
  ReadIndexReply,
} from '../paxos/messages.js'
import { changeFromWire, membershipsFromWire } from './membership-codec.js'
import { entriesFromWire, valueFromWire } from './peer-entries.js'
import {
  ballot,
  ballotOrNone,
  counter,
  genesisFromWire,
  nodeIdOrNone,
  nodeIds,
  optionalText,
  PeerCodecError,
  slot,
  slotOrNone,
  text,
} from './peer-fields.js'
import { formationFromWire, rosterFromWire } from './roster.js'

/** A forwarded command that went round in circles would show here; the core drops it much earlier. */
const HOPS_MAX = 255
/** The largest number of members in two memberships. */
const MARKS_MAX = 100

/** @throws PeerCodecError for what no peer of ours would send. The message keeps (does not copy) the bytes in it. */
export function messageFromWire({ message }: PeerMessage): Message {
  switch (message?.$case) {
    case 'prepare': {
      const m = message.value
      return { kind: 'prepare', ballot: ballot(m.ballot, 'prepare.ballot'), fromSlot: slot(m.fromSlot, 'prepare.from_slot') }
    }
    case 'promise':
      return promiseFromWire(message.value)
    case 'accept':
      return acceptFromWire(message.value)
    case 'accepted': {
      const m = message.value
      return { kind: 'accepted', ballot: ballot(m.ballot, 'accepted.ballot'), slot: slot(m.slot, 'accepted.slot') }
    }
    case 'nack': {
      const m = message.value
      return { kind: 'nack', ballot: ballot(m.ballot, 'nack.ballot'), promised: ballot(m.promised, 'nack.promised') }
    }
    case 'heartbeat':
      return {
        kind: 'heartbeat',
        ...roundFromWire(message.value, 'heartbeat'),
        round: counter(message.value.round, 'heartbeat.round'),
        heard: nodeIds(message.value.heardNodeIds, 'heartbeat.heard_node_ids'),
        settledEpoch: message.value.settledEpoch,
      }
    case 'heartbeatAck':
      return {
        kind: 'heartbeatAck',
        ...roundFromWire(message.value, 'heartbeat_ack'),
        durableUpTo: slotOrNone(message.value.durableUpTo, 'heartbeat_ack.durable_up_to'),
        wallMs: message.value.wallMs,
      }
    case 'decided': {
      const m = message.value
      const decidedUpTo = slotOrNone(m.decidedUpTo, 'decided.decided_up_to')
      return { kind: 'decided', ballot: ballot(m.ballot, 'decided.ballot'), decidedUpTo }
    }
    case 'propose':
      return proposeFromWire(message.value)
    case 'proposeRefused':
      return { kind: 'proposeRefused', pageId: counter(message.value.pageId, 'propose_refused.page_id') }
    case 'catchUp':
      return catchUpFromWire(message.value)
    case 'catchUpReply':
      return catchUpReplyFromWire(message.value)
    case 'readIndex':
      return { kind: 'readIndex', readId: counter(message.value.readId, 'read_index.read_id') }
    case 'readIndexReply':
      return readIndexReplyFromWire(message.value)
    case 'poll':
      return { kind: 'poll', pollId: counter(message.value.pollId, 'poll.poll_id') }
    case 'pollReply':
      return pollReplyFromWire(message.value)
    case 'takeOver':
      return { kind: 'takeOver', ballot: ballot(message.value.ballot, 'take_over.ballot') }
    case 'join':
      return joinFromWire(message.value)
    case 'welcome':
      return {
        kind: 'welcome',
        genesis: genesisFromWire(message.value.genesis, 'welcome.genesis'),
        memberships: membershipsFromWire(message.value.memberships, 'welcome.memberships'),
        settledEpoch: message.value.settledEpoch,
      }
    case 'changeMembership': {
      const { requestId } = message.value
      return { kind: 'changeMembership', requestId, change: changeFromWire(message.value.change, 'change_membership.change') }
    }
    case 'changeMembershipRefused':
      return refusedFromWire(message.value)
    case 'handOver':
      return { kind: 'handOver', toNodeId: nodeIdOrNone(message.value.toNodeId, 'hand_over.to_node_id') }
    case 'roster':
      return rosterFromWire(message.value, 'roster')
    case 'recall':
    case 'recalled': {
      const { writeNumber, recallId } = message.value
      return { kind: message.$case, writeNumber, recallId }
    }
    case 'mark':
      return { kind: 'mark', marks: marksFromWire(message.value) }
    case 'digest':
      return { kind: 'digest', slot: slot(message.value.slot, 'digest.slot'), stateDigest: message.value.stateDigest }
    case 'skippedSlots':
      return {
        kind: 'skippedSlots',
        appliedUpTo: message.value.appliedUpTo,
        slots: message.value.slots.map(({ slot: skipped }) => skipped),
      }
    case undefined:
      throw new PeerCodecError('message', 'must be set, to a kind that this version knows')
  }
}

function promiseFromWire(m: WirePromise): Promised {
  const fromSlot = slot(m.fromSlot, 'promise.from_slot')
  const nextSlot = slotOrNone(m.nextSlot, 'promise.next_slot')
  const accepted = entriesFromWire(m.accepted, 'promise.accepted')
  const first = accepted[0]?.slot ?? fromSlot
  const last = accepted.at(-1)?.slot ?? 0
  if (first < fromSlot)
    throw new PeerCodecError('promise.accepted[0].slot', `must not be below from_slot (${fromSlot}), as ${first}`)
  if (nextSlot !== 0 && nextSlot <= Math.max(fromSlot, last)) {
    throw new PeerCodecError('promise.next_slot', `must be above every slot of the page, or 0 for no more, not ${nextSlot}`)
  }
  const decidedUpTo = slotOrNone(m.decidedUpTo, 'promise.decided_up_to')
  const votesFrom = slotOrNone(m.votesFrom, 'promise.votes_from')
  return { kind: 'promise', ballot: ballot(m.ballot, 'promise.ballot'), fromSlot, accepted, decidedUpTo, nextSlot, votesFrom }
}

function joinFromWire(m: WireJoin): Join {
  return {
    kind: 'join',
    dataDirId: text(m.dataDirId, 'join.data_dir_id'),
    replacesDataDirId: optionalText(m.replacesDataDirId, 'join.replaces_data_dir_id'),
    capacityBytes: m.capacityBytes,
    formation: m.formation && formationFromWire(m.formation, 'join.formation'),
    levelMax: counter(m.levelMax, 'join.level_max'),
  }
}

function marksFromWire({ marks }: WireMark): DirectoryMark[] {
  if (marks.length > MARKS_MAX) throw new PeerCodecError('mark.marks', `must be at most ${MARKS_MAX}, not ${marks.length}`)
  return marks.map(({ dataDirId, writeNumber }, i) => ({
    dataDirId: text(dataDirId, `mark.marks[${i}].data_dir_id`),
    writeNumber,
  }))
}

function refusedFromWire(m: WireRefused): ChangeMembershipRefused {
  return {
    kind: 'changeMembershipRefused',
    requestId: counter(m.requestId, 'change_membership_refused.request_id'),
    reason: text(m.reason, 'change_membership_refused.reason') as MembershipRefusalReason,
    message: m.message,
  }
}

function acceptFromWire(m: WireAccept): Accept {
  return {
    kind: 'accept',
    ballot: ballot(m.ballot, 'accept.ballot'),
    slot: slot(m.slot, 'accept.slot'),
    value: valueFromWire(m.value, 'accept.value'),
    decidedUpTo: slotOrNone(m.decidedUpTo, 'accept.decided_up_to'),
  }
}

/** The fields that a heartbeat and its acknowledgement share; the round of an acknowledgement may be 0. */
function roundFromWire(
  m: WireHeartbeat | WireHeartbeatAck,
  path: string,
): Pick<HeartbeatAck, 'ballot' | 'round' | 'decidedUpTo'> {
  return {
    ballot: ballot(m.ballot, `${path}.ballot`),
    round: m.round,
    decidedUpTo: slotOrNone(m.decidedUpTo, `${path}.decided_up_to`),
  }
}

function proposeFromWire({ commands, hops, originNodeId, pageId }: WirePropose): Propose {
  if (commands.length === 0) throw new PeerCodecError('propose.commands', 'must hold at least one command')
  const empty = commands.findIndex((command) => command.length === 0)
  if (empty !== -1) throw new PeerCodecError(`propose.commands[${empty}]`, 'must not be empty')
  if (hops > HOPS_MAX) throw new PeerCodecError('propose.hops', `must be at most ${HOPS_MAX}, not ${hops}`)
  return { kind: 'propose', commands, hops, originNodeId: nodeIdOrNone(originNodeId, 'propose.origin_node_id'), pageId }
}

function catchUpFromWire(m: WireCatchUp): CatchUp {
  const fromSlot = slot(m.fromSlot, 'catch_up.from_slot')
  const toSlot = slot(m.toSlot, 'catch_up.to_slot')
  if (toSlot < fromSlot) throw new PeerCodecError('catch_up.to_slot', `must be from_slot (${fromSlot}) or above, not ${toSlot}`)
  return { kind: 'catchUp', fromSlot, toSlot }
}

function catchUpReplyFromWire(m: WireCatchUpReply): CatchUpReply {
  const entries = entriesFromWire(m.entries, 'catch_up_reply.entries')
  const first = entries[0]?.slot ?? 0
  const gap = entries.findIndex((entry, i) => entry.slot !== first + i)
  if (gap !== -1) throw new PeerCodecError(`catch_up_reply.entries[${gap}].slot`, 'must follow the one before without a gap')
  return {
    kind: 'catchUpReply',
    entries,
    decidedUpTo: slotOrNone(m.decidedUpTo, 'catch_up_reply.decided_up_to'),
    compactedUpTo: slotOrNone(m.compactedUpTo, 'catch_up_reply.compacted_up_to'),
    hasMore: m.hasMore,
  }
}

function readIndexReplyFromWire(m: WireReadIndexReply): ReadIndexReply {
  const readId = counter(m.readId, 'read_index_reply.read_id')
  return { kind: 'readIndexReply', readId, slot: slotOrNone(m.slot, 'read_index_reply.slot') }
}

function pollReplyFromWire(m: WirePollReply): PollReply {
  return {
    kind: 'pollReply',
    pollId: counter(m.pollId, 'poll_reply.poll_id'),
    granted: m.granted,
    promised: ballotOrNone(m.promised, 'poll_reply.promised'),
    leaderId: nodeIdOrNone(m.leaderId, 'poll_reply.leader_id'),
    decidedUpTo: slotOrNone(m.decidedUpTo, 'poll_reply.decided_up_to'),
  }
}
