import { createHash } from 'node:crypto'
import { Frame } from '../../gen/synod/backup/v1/backup.js'
import { type BackupPart, MemberError } from '../../host/api.js'
import { assert } from '../../paxos/assert.js'
import type { Slot } from '../../paxos/types.js'
import { checkpointHeaderToWire } from '../../protocol/checkpoint.js'
import { encodeValue } from '../../protocol/value-codec.js'
import { frame, preamble } from './backup-file.js'

/** Messages of gRPC hold 4 MiB: a frame may be larger than that. */
const CHUNK_BYTES_MAX = 1 << 20

type FramePart = NonNullable<Frame['part']>

/** The place and time of a backup. */
export interface Making {
  readonly nodeId: number
  readonly version: string
  readonly madeAtMs: number
}

/**
 * The bytes of a backup file (backup-file.ts), in chunks of at most 1 MiB.
 * @throws MemberError OVERLOADED in the place of an end when the parts end before slot `atLeast`, which somebody counts on
 */
export async function* encodeBackup(
  parts: AsyncIterable<BackupPart>,
  making: Making,
  atLeast: Slot = 0,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  let frameCount = 0
  let recordCount = 0
  let entryCount = 0
  let lastSlot = 0

  // The preamble leaves with the head: where there is nothing to back up, no byte must have been sent.
  let before: Uint8Array = preamble()
  for await (const part of parts) {
    frameCount++
    if ('header' in part) lastSlot = part.header.slot
    else if ('page' in part) recordCount += part.page.keys.length
    else if ('entries' in part) {
      for (const { slot } of part.entries) assert(slot === ++lastSlot, 'the slots of a backup have no gap')
      entryCount += part.entries.length
    }
    const bytes = Buffer.concat([before, frame(Frame.encode({ part: toFramePart(part, making) }).finish())])
    before = new Uint8Array()
    hash.update(bytes)
    yield* chunksOf(bytes)
  }
  if (lastSlot < atLeast) {
    const message = `the log was trimmed while the checkpoint was read, so that slot ${atLeast} cannot be had any more: try again`
    throw new MemberError('OVERLOADED', message)
  }
  const trailer = { frameCount, recordCount, entryCount, lastSlot, sha256: hash.digest() }
  yield frame(Frame.encode({ part: { $case: 'trailer', value: trailer } }).finish())
}

function toFramePart(part: BackupPart, making: Making): FramePart {
  if ('header' in part) return { $case: 'head', value: { ...making, checkpoint: checkpointHeaderToWire(part.header) } }
  if ('page' in part) return { $case: 'page', value: { keys: [...part.page.keys], records: [...part.page.records] } }
  if ('end' in part) return { $case: 'end', value: part.end }
  const entries = part.entries.map(({ slot, ballot, value }) => ({ slot, ballot, value: encodeValue(value) }))
  return { $case: 'entries', value: { entries } }
}

function* chunksOf(bytes: Buffer): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES_MAX) yield bytes.subarray(start, start + CHUNK_BYTES_MAX)
}
