import type { Genesis as WireGenesis, GenesisMember as WireGenesisMember } from '../gen/synod/peer/v1/peer.js'
import { NODE_ID_MAX, nodeOf, roundOf } from '../paxos/ballot.js'
import type { Ballot, Genesis, GenesisMember, NodeId, Slot } from '../paxos/types.js'

/** A message of a peer is not well formed: a peer with a defect, or no peer of ours. Nothing of its frame was used. */
export class PeerCodecError extends Error {
  override readonly name = 'PeerCodecError'
  /** Its path in the proto file's names, e.g. `promise.accepted[3].ballot`. */
  readonly field: string

  constructor(field: string, fault: string, options?: ErrorOptions) {
    super(`${field} ${fault}`, options)
    this.field = field
  }
}

const TEXT_LENGTH_MAX = 256
const MEMBERS_MAX = 100

export function isNodeId(value: number): boolean {
  return value >= 1 && value <= NODE_ID_MAX
}

/** Decoded numbers are safe integers from 0 already; longer ones do not decode. */
function isBallot(value: number): boolean {
  return roundOf(value) >= 1 && nodeOf(value) >= 1
}

export function ballot(value: number, field: string): Ballot {
  if (!isBallot(value)) throw new PeerCodecError(field, `must be a ballot with a round and a node id, not ${value}`)
  return value
}

export function ballotOrNone(value: number, field: string): Ballot {
  return value === 0 ? value : ballot(value, field)
}

export function slot(value: number, field: string): Slot {
  if (value < 1) throw new PeerCodecError(field, `must be a slot from 1, not ${value}`)
  return slotOrNone(value, field)
}

export function slotOrNone(value: number, field: string): Slot {
  // The highest safe integer is left out so that `slot + 1` stays one.
  if (!(value >= 0 && value < Number.MAX_SAFE_INTEGER)) throw new PeerCodecError(field, `must be below 2^53 - 1, not ${value}`)
  return value
}

export function nodeIdOrNone(value: number, field: string): NodeId {
  if (value !== 0 && !isNodeId(value)) throw new PeerCodecError(field, `must be 1 to ${NODE_ID_MAX}, or 0 for none, not ${value}`)
  return value
}

/** Reads a list of members, no longer than a membership may be. */
export function nodeIds(values: readonly number[], field: string): readonly NodeId[] {
  if (values.length > MEMBERS_MAX) throw new PeerCodecError(field, `must be at most ${MEMBERS_MAX}, not ${values.length}`)
  for (const [i, value] of values.entries()) nodeIdOrNone(value, `${field}[${i}]`)
  return values
}

/** Rounds of heartbeats, ids of reads and polls: from 1. */
export function counter(value: number, field: string): number {
  if (value < 1) throw new PeerCodecError(field, `must be 1 or more, not ${value}`)
  return value
}

export function text(value: string, field: string): string {
  if (value === '') throw new PeerCodecError(field, 'must not be empty')
  return optionalText(value, field)
}

export function optionalText(value: string, field: string): string {
  if (value.length > TEXT_LENGTH_MAX) throw new PeerCodecError(field, `must be at most ${TEXT_LENGTH_MAX} characters long`)
  return value
}

export function genesisFromWire(wire: WireGenesis | undefined, field: string): Genesis {
  if (wire === undefined) throw new PeerCodecError(field, 'must be set')
  const { members } = wire
  if (members.length < 1 || members.length > MEMBERS_MAX) {
    throw new PeerCodecError(`${field}.members`, `must be 1 to ${MEMBERS_MAX}, not ${members.length}`)
  }
  let nodeIdBefore = 0
  for (const [i, member] of members.entries()) {
    if (!isNodeId(member.nodeId) || member.nodeId <= nodeIdBefore) {
      throw new PeerCodecError(`${field}.members[${i}].node_id`, `must be 1 to ${NODE_ID_MAX}, ascending, not ${member.nodeId}`)
    }
    nodeIdBefore = member.nodeId
  }
  return {
    clusterId: text(wire.clusterId, `${field}.cluster_id`),
    members: members.map((member, i) => genesisMemberFromWire(member, `${field}.members[${i}]`)),
    initialCommands: wire.initialCommands,
    windowSlots: counter(wire.windowSlots, `${field}.window_slots`),
    quotaBytes: wire.quotaBytes,
    level: counter(wire.level, `${field}.level`),
    levelVersion: optionalText(wire.levelVersion, `${field}.level_version`),
  }
}

export function genesisToWire(genesis: Genesis): WireGenesis {
  return { ...genesis, members: [...genesis.members], initialCommands: [...genesis.initialCommands] }
}

function genesisMemberFromWire(wire: WireGenesisMember, path: string): GenesisMember {
  return {
    nodeId: wire.nodeId,
    dataDirId: text(wire.dataDirId, `${path}.data_dir_id`),
    peerAddress: text(wire.peerAddress, `${path}.peer_address`),
    clientAddress: optionalText(wire.clientAddress, `${path}.client_address`),
  }
}
