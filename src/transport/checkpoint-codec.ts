import type {
  FetchCheckpointResponse,
  CheckpointHeader as WireHeader,
  CheckpointPage as WirePage,
} from '../gen/synod/peer/v1/peer.js'
import type { CheckpointHeader, CheckpointPage } from '../storage/storage.js'
import { membershipsFromWire, membershipToWire } from '../wire/membership.js'
import { genesisFromWire, genesisToWire, PeerCodecError, slot, text } from '../wire/peer-fields.js'
import type { CheckpointPart } from './checkpoint-transfer.js'

/** About how many bytes a part takes on the wire. */
export function partBytes(part: CheckpointPart): number {
  if (part.kind !== 'page') return 256
  let bytes = 0
  for (const key of part.page.keys) bytes += key.length + 4
  for (const record of part.page.records) bytes += record.length + 4
  return bytes
}

export function partToWire(part: CheckpointPart): FetchCheckpointResponse {
  switch (part.kind) {
    case 'header': {
      const { genesis, memberships, ...rest } = part.header
      const header = { ...rest, genesis: genesisToWire(genesis), memberships: memberships.map(membershipToWire) }
      return { part: { $case: 'header', value: header } }
    }
    case 'page': {
      const { keys, records } = part.page
      return { part: { $case: 'page', value: { keys: [...keys], records: [...records] } } }
    }
    case 'end':
      return { part: { $case: 'end', value: { ...part.end } } }
  }
}

/** What is in a page's records, the storage checks. @throws PeerCodecError */
export function partFromWire({ part }: FetchCheckpointResponse): CheckpointPart {
  switch (part?.$case) {
    case 'header':
      return { kind: 'header', header: headerFromWire(part.value) }
    case 'page':
      return { kind: 'page', page: pageFromWire(part.value) }
    case 'end':
      return { kind: 'end', end: part.value }
    case undefined:
      throw new PeerCodecError('part', 'must be set, to a kind that this version knows')
  }
}

function headerFromWire(wire: WireHeader): CheckpointHeader {
  return {
    checkpointId: text(wire.checkpointId, 'header.checkpoint_id'),
    clusterId: text(wire.clusterId, 'header.cluster_id'),
    slot: slot(wire.slot, 'header.slot'),
    timeMs: wire.timeMs,
    stateDigest: wire.stateDigest,
    genesis: genesisFromWire(wire.genesis, 'header.genesis'),
    memberships: membershipsFromWire(wire.memberships, 'header.memberships'),
    boundarySlots: wire.boundarySlots,
    boundaryCommands: wire.boundaryCommands,
    bytes: wire.bytes,
  }
}

function pageFromWire({ keys, records }: WirePage): CheckpointPage {
  if (keys.length !== records.length || keys.length === 0) {
    throw new PeerCodecError('page', `must hold a record for each key, not ${records.length} for ${keys.length}`)
  }
  return { keys, records }
}
