import type { FetchCheckpointResponse, CheckpointPage as WirePage } from '../gen/synod/peer/v1/peer.js'
import { type CheckpointPage, checkpointHeaderFromWire, checkpointHeaderToWire } from './checkpoint.js'
import type { CheckpointPart } from './checkpoint-transfer.js'
import { PeerCodecError } from './peer-fields.js'

/** About how many bytes a part takes on the wire. */
export function partBytes(part: CheckpointPart): number {
  if (!('page' in part)) return 256
  let bytes = 0
  for (const key of part.page.keys) bytes += key.length + 4
  for (const record of part.page.records) bytes += record.length + 4
  return bytes
}

export function partToWire(part: CheckpointPart): FetchCheckpointResponse {
  if ('header' in part) return { part: { $case: 'header', value: checkpointHeaderToWire(part.header) } }
  if ('page' in part) {
    const { keys, records } = part.page
    return { part: { $case: 'page', value: { keys: [...keys], records: [...records] } } }
  }
  return { part: { $case: 'end', value: part.end } }
}

/** Reads a part. The storage checks the records in a page. @throws PeerCodecError */
export function partFromWire({ part }: FetchCheckpointResponse): CheckpointPart {
  switch (part?.$case) {
    case 'header':
      return { header: checkpointHeaderFromWire(part.value, 'header') }
    case 'page':
      return { page: pageFromWire(part.value) }
    case 'end':
      return { end: part.value }
    case undefined:
      throw new PeerCodecError('part', 'must be set, to a kind that this version knows')
  }
}

function pageFromWire({ keys, records }: WirePage): CheckpointPage {
  if (keys.length !== records.length || keys.length === 0) {
    throw new PeerCodecError('page.records', `must be as many as the keys, and at least one, not ${records.length}`)
  }
  return { keys, records }
}
