import {
  ConnectRequest,
  type Hello,
  type PeerMessage,
  type CatchUp as WireCatchUp,
  type CatchUpReply as WireCatchUpReply,
  type Promise as WirePromise,
  type Propose as WirePropose,
} from '../gen/synod/peer/v1/peer.js'
import type { CatchUp, CatchUpReply, Message, Promised, Propose } from '../paxos/messages.js'
import type { LogEntry } from '../paxos/types.js'
import { encode } from './encode.js'
import {
  ballot,
  ballotOrNone,
  counter,
  entriesFromWire,
  genesisFromWire,
  nodeIdOrNone,
  PeerCodecError,
  slot,
  slotOrNone,
  text,
  valueFromWire,
} from './peer-fields.js'
import { encodeValue } from './value.js'

/** What came in one frame. */
export interface PeerFrame {
  readonly hello: Hello | undefined
  readonly messages: readonly Message[]
}

/** A forwarded command that went round in circles would show here; the core drops it much earlier. */
const HOPS_MAX = 255
/** What a message takes beside its values and commands, at most about. */
const OVERHEAD_BYTES = 48

export function encodeHello(hello: Hello): Uint8Array {
  return encode(ConnectRequest, { hello, messages: [] })
}

export function encodeMessages(messages: readonly Message[]): Uint8Array {
  return encode(ConnectRequest, { hello: undefined, messages: messages.map(messageToWire) })
}

/** @throws PeerCodecError when the bytes are no frame, or a message in it is not well formed. The messages keep the bytes. */
export function decodeFrame(bytes: Uint8Array): PeerFrame {
  let request: ConnectRequest
  try {
    request = ConnectRequest.decode(bytes)
  } catch (cause) {
    throw new PeerCodecError('frame', 'is not an encoded ConnectRequest', { cause })
  }
  return { hello: request.hello, messages: request.messages.map(messageFromWire) }
}

/** About how many bytes the message takes on the wire: what queues and frames are bounded by. */
export function messageBytes(message: Message): number {
  switch (message.kind) {
    case 'accept':
      return OVERHEAD_BYTES + encodeValue(message.value).length
    case 'promise':
      return OVERHEAD_BYTES + entriesBytes(message.accepted)
    case 'catchUpReply':
      return OVERHEAD_BYTES + entriesBytes(message.entries)
    case 'propose':
      return OVERHEAD_BYTES + bytesBytes(message.commands)
    case 'welcome':
      return OVERHEAD_BYTES + bytesBytes(message.genesis.initialCommands) + message.genesis.members.length * 1_024
    case 'join':
      return OVERHEAD_BYTES + message.dataDirId.length
    case 'prepare':
    case 'accepted':
    case 'nack':
    case 'heartbeat':
    case 'heartbeatAck':
    case 'decided':
    case 'catchUp':
    case 'readIndex':
    case 'readIndexReply':
    case 'poll':
    case 'pollReply':
    case 'takeOver':
      return OVERHEAD_BYTES
  }
}

function entriesBytes(entries: readonly LogEntry[]): number {
  let sum = 0
  for (const entry of entries) sum += OVERHEAD_BYTES + encodeValue(entry.value).length
  return sum
}

function bytesBytes(list: readonly Uint8Array[]): number {
  let sum = 0
  for (const bytes of list) sum += 8 + bytes.length
  return sum
}

function entriesToWire(entries: readonly LogEntry[]): { slot: number; ballot: number; value: Uint8Array }[] {
  return entries.map((entry) => ({ slot: entry.slot, ballot: entry.ballot, value: encodeValue(entry.value) }))
}

/** Where the names of the fields are the same on both sides, the core's own object is what is encoded. */
function messageToWire(message: Message): PeerMessage {
  switch (message.kind) {
    case 'prepare':
      return { message: { $case: 'prepare', value: message } }
    case 'promise':
      return { message: { $case: 'promise', value: { ...message, accepted: entriesToWire(message.accepted) } } }
    case 'accept': {
      const { ballot, slot, value, decidedUpTo } = message
      return { message: { $case: 'accept', value: { ballot, slot, value: encodeValue(value), decidedUpTo } } }
    }
    case 'accepted':
      return { message: { $case: 'accepted', value: message } }
    case 'nack':
      return { message: { $case: 'nack', value: message } }
    case 'heartbeat':
      return { message: { $case: 'heartbeat', value: message } }
    case 'heartbeatAck':
      return { message: { $case: 'heartbeatAck', value: message } }
    case 'decided':
      return { message: { $case: 'decided', value: message } }
    case 'propose':
      return { message: { $case: 'propose', value: { commands: [...message.commands], hops: message.hops } } }
    case 'catchUp':
      return { message: { $case: 'catchUp', value: message } }
    case 'catchUpReply': {
      const { entries, decidedUpTo } = message
      return { message: { $case: 'catchUpReply', value: { entries: entriesToWire(entries), decidedUpTo } } }
    }
    case 'readIndex':
      return { message: { $case: 'readIndex', value: message } }
    case 'readIndexReply':
      return { message: { $case: 'readIndexReply', value: message } }
    case 'poll':
      return { message: { $case: 'poll', value: message } }
    case 'pollReply':
      return { message: { $case: 'pollReply', value: message } }
    case 'takeOver':
      return { message: { $case: 'takeOver', value: message } }
    case 'join':
      return { message: { $case: 'join', value: message } }
    case 'welcome': {
      const { clusterId, members, initialCommands } = message.genesis
      const genesis = { clusterId, members: [...members], initialCommands: [...initialCommands] }
      return { message: { $case: 'welcome', value: { genesis } } }
    }
  }
}

function messageFromWire(wire: PeerMessage): Message {
  const union = wire.message
  if (union === undefined) throw new PeerCodecError('message', 'must be set, to a kind that this version knows')
  switch (union.$case) {
    case 'prepare': {
      const m = union.value
      return { kind: 'prepare', ballot: ballot(m.ballot, 'prepare.ballot'), fromSlot: slot(m.fromSlot, 'prepare.from_slot') }
    }
    case 'promise':
      return promiseFromWire(union.value)
    case 'accept': {
      const m = union.value
      return {
        kind: 'accept',
        ballot: ballot(m.ballot, 'accept.ballot'),
        slot: slot(m.slot, 'accept.slot'),
        value: valueFromWire(m.value, 'accept.value'),
        decidedUpTo: slotOrNone(m.decidedUpTo, 'accept.decided_up_to'),
      }
    }
    case 'accepted': {
      const m = union.value
      return { kind: 'accepted', ballot: ballot(m.ballot, 'accepted.ballot'), slot: slot(m.slot, 'accepted.slot') }
    }
    case 'nack': {
      const m = union.value
      return { kind: 'nack', ballot: ballot(m.ballot, 'nack.ballot'), promised: ballot(m.promised, 'nack.promised') }
    }
    case 'heartbeat': {
      const m = union.value
      return {
        kind: 'heartbeat',
        ballot: ballot(m.ballot, 'heartbeat.ballot'),
        round: counter(m.round, 'heartbeat.round'),
        decidedUpTo: slotOrNone(m.decidedUpTo, 'heartbeat.decided_up_to'),
      }
    }
    case 'heartbeatAck': {
      const m = union.value
      return {
        kind: 'heartbeatAck',
        ballot: ballot(m.ballot, 'heartbeat_ack.ballot'),
        round: counter(m.round, 'heartbeat_ack.round'),
        decidedUpTo: slotOrNone(m.decidedUpTo, 'heartbeat_ack.decided_up_to'),
      }
    }
    case 'decided': {
      const m = union.value
      const decidedUpTo = slotOrNone(m.decidedUpTo, 'decided.decided_up_to')
      return { kind: 'decided', ballot: ballot(m.ballot, 'decided.ballot'), decidedUpTo }
    }
    case 'propose':
      return proposeFromWire(union.value)
    case 'catchUp':
      return catchUpFromWire(union.value)
    case 'catchUpReply':
      return catchUpReplyFromWire(union.value)
    case 'readIndex':
      return { kind: 'readIndex', readId: counter(union.value.readId, 'read_index.read_id') }
    case 'readIndexReply': {
      const m = union.value
      const readId = counter(m.readId, 'read_index_reply.read_id')
      return { kind: 'readIndexReply', readId, slot: slotOrNone(m.slot, 'read_index_reply.slot') }
    }
    case 'poll':
      return { kind: 'poll', pollId: counter(union.value.pollId, 'poll.poll_id') }
    case 'pollReply': {
      const m = union.value
      return {
        kind: 'pollReply',
        pollId: counter(m.pollId, 'poll_reply.poll_id'),
        granted: m.granted,
        promised: ballotOrNone(m.promised, 'poll_reply.promised'),
        leaderId: nodeIdOrNone(m.leaderId, 'poll_reply.leader_id'),
        decidedUpTo: slotOrNone(m.decidedUpTo, 'poll_reply.decided_up_to'),
      }
    }
    case 'takeOver':
      return { kind: 'takeOver', ballot: ballot(union.value.ballot, 'take_over.ballot') }
    case 'join':
      return { kind: 'join', dataDirId: text(union.value.dataDirId, 'join.data_dir_id') }
    case 'welcome':
      return { kind: 'welcome', genesis: genesisFromWire(union.value.genesis, 'welcome.genesis') }
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
  return { kind: 'promise', ballot: ballot(m.ballot, 'promise.ballot'), fromSlot, accepted, decidedUpTo, nextSlot }
}

function proposeFromWire({ commands, hops }: WirePropose): Propose {
  if (commands.length === 0) throw new PeerCodecError('propose.commands', 'must hold at least one command')
  const empty = commands.findIndex((command) => command.length === 0)
  if (empty !== -1) throw new PeerCodecError(`propose.commands[${empty}]`, 'must not be empty')
  if (hops > HOPS_MAX) throw new PeerCodecError('propose.hops', `must be at most ${HOPS_MAX}, not ${hops}`)
  return { kind: 'propose', commands, hops }
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
  return { kind: 'catchUpReply', entries, decidedUpTo: slotOrNone(m.decidedUpTo, 'catch_up_reply.decided_up_to') }
}
