import type {
  Announcement as WireAnnouncement,
  Formation as WireFormation,
  Roster as WireRoster,
} from '../gen/synod/peer/v1/peer.js'
import { MEMBERS_MAX } from '../paxos/membership.js'
import type { Formation, Roster } from '../paxos/messages.js'
import type { Announcement } from '../paxos/types.js'
import { membershipsFromWire, membershipToWire } from './membership-codec.js'
import { counter, isNodeId, optionalText, PeerCodecError, text } from './peer-fields.js'

/** Largest number of announcements: of members, and of nodes that are going to be. */
export const ANNOUNCEMENTS_MAX = 100
const HOST_AND_PORT = /^(?:\[[^\]\s]+\]|[^\s:/,=]+):\d{1,5}$/

export function rosterToWire({ memberships, announcements, ...rest }: Roster): WireRoster {
  return { ...rest, memberships: memberships.map(membershipToWire), announcements: [...announcements] }
}

/** @throws PeerCodecError */
export function rosterFromWire(wire: WireRoster, field: string): Roster {
  const { asks, levelMin, levelMax } = wire
  if (wire.announcements.length > ANNOUNCEMENTS_MAX) {
    throw new PeerCodecError(`${field}.announcements`, `must be at most ${ANNOUNCEMENTS_MAX}, not ${wire.announcements.length}`)
  }
  return {
    kind: 'roster',
    clusterId: optionalText(wire.clusterId, `${field}.cluster_id`),
    memberships: wire.memberships.length === 0 ? [] : membershipsFromWire(wire.memberships, `${field}.memberships`),
    announcements: wire.announcements.map((one, i) => announcementFromWire(one, `${field}.announcements[${i}]`)),
    asks,
    levelMin: counter(levelMin, `${field}.level_min`),
    levelMax: counter(levelMax, `${field}.level_max`),
    version: optionalText(wire.version, `${field}.version`),
  }
}

/** @throws PeerCodecError */
export function announcementFromWire(wire: WireAnnouncement, path: string): Announcement {
  const { nodeId } = wire
  if (!isNodeId(nodeId)) throw new PeerCodecError(`${path}.node_id`, `must be a node id, not ${nodeId}`)
  const clientAddress = optionalText(wire.clientAddress, `${path}.client_address`)
  return {
    nodeId,
    dataDirId: text(wire.dataDirId, `${path}.data_dir_id`),
    peerAddress: address(wire.peerAddress, `${path}.peer_address`),
    clientAddress: clientAddress === '' ? '' : address(clientAddress, `${path}.client_address`),
    version: counter(wire.version, `${path}.version`),
  }
}

/** @throws PeerCodecError */
export function formationFromWire({ members, initialCommandCount, initialDigest }: WireFormation, field: string): Formation {
  if (members.length < 1 || members.length > MEMBERS_MAX) {
    throw new PeerCodecError(`${field}.members`, `must be 1 to ${MEMBERS_MAX}, not ${members.length}`)
  }
  return {
    members: members.map(({ nodeId, peerAddress, clientAddress }, i) => {
      const path = `${field}.members[${i}]`
      if (!isNodeId(nodeId)) throw new PeerCodecError(`${path}.node_id`, `must be a node id, not ${nodeId}`)
      return {
        nodeId,
        peerAddress: text(peerAddress, `${path}.peer_address`),
        clientAddress: optionalText(clientAddress, `${path}.client_address`),
      }
    }),
    initialCommandCount,
    initialDigest: optionalText(initialDigest, `${field}.initial_digest`),
  }
}

export function formationToWire({ members, initialCommandCount, initialDigest }: Formation): WireFormation {
  return { members: [...members], initialCommandCount, initialDigest }
}

function address(value: string, field: string): string {
  if (!HOST_AND_PORT.test(text(value, field))) throw new PeerCodecError(field, 'must be host:port')
  return value
}
