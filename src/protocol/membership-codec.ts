import type {
  MembershipChange as WireChange,
  Member as WireMember,
  Membership as WireMembership,
} from '../gen/synod/peer/v1/peer.js'
import { MEMBERS_MAX } from '../paxos/membership.js'
import type { Member, MembershipChange, MembershipRecord, NodeId } from '../paxos/types.js'
import { isNodeId, optionalText, PeerCodecError, slot, slotOrNone, text } from './peer-fields.js'

export function membershipToWire(record: MembershipRecord): WireMembership {
  const { epoch, fromSlot, members, lastNodeId } = record
  return { epoch, fromSlot, members: [...members], lastNodeId }
}

/** @throws PeerCodecError */
function membershipFromWire(wire: WireMembership, field: string): MembershipRecord {
  const { epoch, members, lastNodeId } = wire
  if (epoch < 1) throw new PeerCodecError(`${field}.epoch`, `must be 1 or more, not ${epoch}`)
  if (members.length < 1 || members.length > MEMBERS_MAX) {
    throw new PeerCodecError(`${field}.members`, `must be 1 to ${MEMBERS_MAX}, not ${members.length}`)
  }
  if (!members.some((member) => member.votesFrom > 0)) throw new PeerCodecError(`${field}.members`, 'must hold a voter')
  let nodeIdBefore = 0
  for (const [i, { nodeId }] of members.entries()) {
    if (!isNodeId(nodeId) || nodeId <= nodeIdBefore) {
      throw new PeerCodecError(`${field}.members[${i}].node_id`, `must be a node id, ascending, not ${nodeId}`)
    }
    nodeIdBefore = nodeId
  }
  if (lastNodeId < nodeIdBefore) throw new PeerCodecError(`${field}.last_node_id`, `must be ${nodeIdBefore} or above`)
  return {
    epoch,
    fromSlot: slot(wire.fromSlot, `${field}.from_slot`),
    members: members.map((member, i) => memberFromWire(member, `${field}.members[${i}]`)),
    lastNodeId,
  }
}

/** In ascending order of epochs; at least one. @throws PeerCodecError */
export function membershipsFromWire(wire: readonly WireMembership[], field: string): MembershipRecord[] {
  if (wire.length === 0) throw new PeerCodecError(field, 'must hold at least one')
  const records = wire.map((membership, i) => membershipFromWire(membership, `${field}[${i}]`))
  records.forEach((record, i) => {
    const before = records[i - 1]
    if (before !== undefined && (record.epoch <= before.epoch || record.fromSlot <= before.fromSlot)) {
      throw new PeerCodecError(`${field}[${i}]`, 'must come after the one before')
    }
  })
  return records
}

function memberFromWire(wire: WireMember, path: string): Member {
  return {
    nodeId: wire.nodeId,
    dataDirId: optionalText(wire.dataDirId, `${path}.data_dir_id`),
    peerAddress: text(wire.peerAddress, `${path}.peer_address`),
    clientAddress: optionalText(wire.clientAddress, `${path}.client_address`),
    votesFrom: slotOrNone(wire.votesFrom, `${path}.votes_from`),
    returning: wire.returning,
  }
}

export function changeToWire(change: MembershipChange): WireChange {
  switch (change.kind) {
    case 'add':
      return { change: { $case: 'add', value: change } }
    case 'bind':
      return { change: { $case: 'bind', value: change } }
    case 'promote':
      return { change: { $case: 'promote', value: change } }
    case 'remove':
      return { change: { $case: 'remove', value: change } }
    case 'update':
      return { change: { $case: 'update', value: change } }
    case 'reset':
      return { change: { $case: 'reset', value: change } }
  }
}

/** @throws PeerCodecError */
export function changeFromWire(wire: WireChange | undefined, field: string): MembershipChange {
  const change = wire?.change
  switch (change?.$case) {
    case 'add':
    case 'update': {
      const { nodeId, peerAddress, clientAddress } = change.value
      const path = `${field}.${change.$case}`
      return {
        kind: change.$case,
        nodeId: nodeIdOf(nodeId, path),
        peerAddress: text(peerAddress, `${path}.peer_address`),
        clientAddress: optionalText(clientAddress, `${path}.client_address`),
      }
    }
    case 'bind': {
      const { nodeId, dataDirId } = change.value
      return { kind: 'bind', nodeId: nodeIdOf(nodeId, `${field}.bind`), dataDirId: text(dataDirId, `${field}.bind.data_dir_id`) }
    }
    case 'promote':
    case 'remove':
      return { kind: change.$case, nodeId: nodeIdOf(change.value.nodeId, `${field}.${change.$case}`) }
    case 'reset': {
      const { nodeId, dataDirId, newDataDirId } = change.value
      return {
        kind: 'reset',
        nodeId: nodeIdOf(nodeId, `${field}.reset`),
        dataDirId: text(dataDirId, `${field}.reset.data_dir_id`),
        newDataDirId: text(newDataDirId, `${field}.reset.new_data_dir_id`),
      }
    }
    case undefined:
      throw new PeerCodecError(field, 'must be set, to a kind that this version knows')
  }
}

function nodeIdOf(nodeId: number, path: string): NodeId {
  if (!isNodeId(nodeId)) throw new PeerCodecError(`${path}.node_id`, `must be a node id, not ${nodeId}`)
  return nodeId
}
