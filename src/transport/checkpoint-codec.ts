import type { FetchCheckpointResponse } from '../gen/synod/peer/v1/peer.js'
import {
  checkpointEndToWire,
  checkpointHeaderFromWire,
  checkpointHeaderToWire,
  checkpointPageFromWire,
  checkpointPageToWire,
} from '../wire/checkpoint.js'
import { PeerCodecError } from '../wire/peer-fields.js'
import type { CheckpointPart } from './checkpoint-transfer.js'

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
  if ('page' in part) return { part: { $case: 'page', value: checkpointPageToWire(part.page) } }
  return { part: { $case: 'end', value: checkpointEndToWire(part.end) } }
}

/** What is in a page's records, the storage checks. @throws PeerCodecError */
export function partFromWire({ part }: FetchCheckpointResponse): CheckpointPart {
  switch (part?.$case) {
    case 'header':
      return { header: checkpointHeaderFromWire(part.value, 'header') }
    case 'page':
      return { page: checkpointPageFromWire(part.value, 'page') }
    case 'end':
      return { end: part.value }
    case undefined:
      throw new PeerCodecError('part', 'must be set, to a kind that this version knows')
  }
}
