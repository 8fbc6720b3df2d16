import { encode } from '../encoding/encode.js'
import { ConnectRequest, type Hello, type PeerMessage } from '../gen/synod/peer/v1/peer.js'
import type { Message } from '../paxos/messages.js'
import type { LogEntry } from '../paxos/types.js'
import { changeToWire, membershipToWire } from './membership-codec.js'
import { genesisToWire, PeerCodecError } from './peer-fields.js'
import { messageFromWire } from './peer-messages.js'
import { formationToWire, rosterToWire } from './roster.js'
import { encodeValue } from './value-codec.js'

/** The messages of one frame. */
export interface PeerFrame {
  readonly hello: Hello | undefined
  readonly messages: readonly Message[]
}

/** Bytes that a message takes beside its values and commands, rounded up. */
const OVERHEAD_BYTES = 48
/** Bytes that a list of members takes, rounded up. */
const MEMBERSHIP_BYTES = 31 * 1_024
const ANNOUNCEMENT_BYTES = 1_024

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
      return OVERHEAD_BYTES + bytesBytes(message.genesis.initialCommands) + (2 + message.memberships.length) * MEMBERSHIP_BYTES
    case 'roster':
      return OVERHEAD_BYTES + message.memberships.length * MEMBERSHIP_BYTES + message.announcements.length * ANNOUNCEMENT_BYTES
    case 'join':
      return OVERHEAD_BYTES + MEMBERSHIP_BYTES
    case 'changeMembership':
    case 'changeMembershipRefused':
      return 1_024
    case 'prepare':
    case 'accepted':
    case 'nack':
    case 'heartbeat':
    case 'heartbeatAck':
    case 'decided':
    case 'catchUp':
    case 'readIndex':
    case 'readIndexReply':
    case 'proposeRefused':
    case 'poll':
    case 'pollReply':
    case 'takeOver':
    case 'handOver':
    case 'recall':
    case 'recalled':
    case 'digest':
      return OVERHEAD_BYTES
    case 'skippedSlots':
      return OVERHEAD_BYTES + 8 * message.slots.length
    case 'mark':
      return OVERHEAD_BYTES * (1 + message.marks.length)
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
      return { message: { $case: 'heartbeat', value: { ...message, heardNodeIds: [...message.heard] } } }
    case 'heartbeatAck':
      return { message: { $case: 'heartbeatAck', value: message } }
    case 'decided':
      return { message: { $case: 'decided', value: message } }
    case 'propose':
      return { message: { $case: 'propose', value: { ...message, commands: [...message.commands] } } }
    case 'proposeRefused':
      return { message: { $case: 'proposeRefused', value: message } }
    case 'catchUp':
      return { message: { $case: 'catchUp', value: message } }
    case 'catchUpReply': {
      const { entries, decidedUpTo, compactedUpTo, hasMore } = message
      return {
        message: { $case: 'catchUpReply', value: { entries: entriesToWire(entries), decidedUpTo, compactedUpTo, hasMore } },
      }
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
      return {
        message: { $case: 'join', value: { ...message, formation: message.formation && formationToWire(message.formation) } },
      }
    case 'welcome': {
      const memberships = message.memberships.map(membershipToWire)
      return {
        message: {
          $case: 'welcome',
          value: { genesis: genesisToWire(message.genesis), memberships, settledEpoch: message.settledEpoch },
        },
      }
    }
    case 'changeMembership': {
      const { requestId, change } = message
      return { message: { $case: 'changeMembership', value: { requestId, change: changeToWire(change) } } }
    }
    case 'changeMembershipRefused':
      return { message: { $case: 'changeMembershipRefused', value: message } }
    case 'handOver':
      return { message: { $case: 'handOver', value: message } }
    case 'roster':
      return { message: { $case: 'roster', value: rosterToWire(message) } }
    case 'recall':
      return { message: { $case: 'recall', value: message } }
    case 'recalled':
      return { message: { $case: 'recalled', value: message } }
    case 'mark':
      return { message: { $case: 'mark', value: { marks: [...message.marks] } } }
    case 'digest':
      return { message: { $case: 'digest', value: message } }
    case 'skippedSlots':
      return { message: { $case: 'skippedSlots', value: { ...message, slots: message.slots.map((slot) => ({ slot })) } } }
  }
}
