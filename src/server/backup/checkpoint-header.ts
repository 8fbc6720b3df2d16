import type { CheckpointHeader as WireCheckpointHeader } from '../../gen/synod/peer/v1/peer.js'
import type { CheckpointHeader } from '../../storage/storage.js'
import { membershipsFromWire, membershipToWire } from '../../wire/membership.js'
import { genesisFromWire, genesisToWire } from '../../wire/peer-fields.js'

export function checkpointHeaderToWire(header: CheckpointHeader): WireCheckpointHeader {
  const { genesis, memberships } = header
  return { ...header, genesis: genesisToWire(genesis), memberships: memberships.map(membershipToWire) }
}

/** @throws PeerCodecError that names the field at fault */
export function checkpointHeaderFromWire(wire: WireCheckpointHeader): CheckpointHeader {
  const genesis = genesisFromWire(wire.genesis, 'genesis')
  return { ...wire, genesis, memberships: membershipsFromWire(wire.memberships, 'memberships') }
}
